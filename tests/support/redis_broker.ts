/**
 * Brokers on one Redis, as several nodes have them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createRedisBroker, type RedisBrokerOptions } from "../../lib/brokers/redis.ts";
import { functionName } from "../../lib/brokers/redis/library.ts";
import { encodePayload } from "../../lib/brokers/redis/payload.ts";
import type { Broker, Draft, Position, Publication, PublishResult } from "../../lib/types.ts";
import type { Redis } from "./redis.ts";
import { until } from "./until.ts";

/** A broker with what it has told. */
export interface Node extends AsyncDisposable {
  readonly broker: Broker;
  /** Everything that was announced, in order. */
  readonly announced: Publication[];
  /** Channels that it has said something of is gone. */
  readonly moved: string[];
  readonly faults: unknown[];
  /** What it said of whether Redis is there. */
  readonly away: (string | undefined)[];
}

/** Opens a broker as a node does. */
export async function openNode(url: string, options: Partial<RedisBrokerOptions> = {}): Promise<Node> {
  const announced: Publication[] = [];
  const moved: string[] = [];
  const faults: unknown[] = [];
  const away: (string | undefined)[] = [];
  const broker = createRedisBroker((publications) => announced.push(...publications), {
    broker: url,
    onMoved: (channels) => moved.push(...channels),
    onFault: (error) => faults.push(error),
    onAway: (reason) => away.push(reason),
    ...options,
  });
  await broker.start!();
  return { broker, announced, moved, faults, away, [Symbol.asyncDispose]: () => broker.close() };
}

export function text(channel: string, data: string): Draft {
  return { channel, data, contentType: "text/plain" };
}

/** What goes to `publish` in Redis as arguments, for drafts of one channel that is kept as is the default. */
export function publishArguments(
  drafts: readonly Draft[],
  options?: UnannouncedOptions,
): (string | Uint8Array)[] {
  return payloadArguments(drafts.map(encodePayload), options);
}

function payloadArguments(
  payloads: readonly Uint8Array[],
  { kept = 1000, ttl = "" }: UnannouncedOptions = {},
): (string | Uint8Array)[] {
  const head = ["0", "1", "0", "0", "0", "candidate", "", "0", String(kept), String(1 << 20), "600000"];
  return [...head, ...payloads.flatMap((payload) => ["1", "0", "", "300", ttl, payload])];
}

/** How {@linkcode publishUnannounced} publishes. */
export interface UnannouncedOptions {
  /** How many are kept. Default 1000. */
  readonly kept?: number;
  /** In milliseconds, as a text. Default: none. */
  readonly ttl?: string;
}

/** Publishes as a node does, and nobody hears what is announced of it. */
export async function publishUnannounced(
  redis: Redis,
  channel: string,
  data: readonly string[],
  options: UnannouncedOptions = {},
): Promise<void> {
  const keys = [`gong:{${channel}}:m`, `gong:{${channel}}:s`, `elsewhere:{${channel}}`];
  const args = publishArguments(data.map((one) => text(channel, one)), options);
  await redis.command("FCALL", functionName("publish"), "3", ...keys, ...args.map((arg) => Buffer.from(arg)));
}

/** Publishes as a node of another release does, or whoever else: anything in place of a message. */
export async function publishPayload(redis: Redis, channel: string, payload: Buffer): Promise<void> {
  const keys = [`gong:{${channel}}:m`, `gong:{${channel}}:s`, `gong:{${channel}}`];
  const args = payloadArguments([payload]);
  await redis.command("FCALL", functionName("publish"), "3", ...keys, ...args.map((arg) => Buffer.from(arg)));
}

/** Publishes until it is taken, as a publisher does that has an id for it. */
export async function publishSurely(broker: Broker, draft: Draft & { readonly id: string }): Promise<Position> {
  let result: PublishResult | undefined;
  await until(async () => {
    [result] = await broker.publish([draft]);
    return result !== undefined && !("error" in result);
  }, () => JSON.stringify(result));
  return result as Position;
}

/** Waits until the node has announced so many of the channel, and answers these. */
export async function heard({ announced }: Node, channel: string, count: number): Promise<Publication[]> {
  const own = () => announced.filter((publication) => publication.channel === channel);
  await until(() => own().length >= count, () => `${own().length} of ${count}`);
  return own();
}
