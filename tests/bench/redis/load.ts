/**
 * What nodes ask of Redis, as rows have it asked.
 *
 * @module
 */
import type { Broker, Draft } from "../../../lib/types.ts";
import type { Redis } from "../../support/redis.ts";
import { text } from "../../support/redis_broker.ts";

/** Bytes of a publication, where nothing else is said. */
export const SMALL = 100;

/** How publications come. */
export interface Way {
  /** Drafts of one call, and channels that these are for. */
  readonly drafts: number;
  readonly channels: number;
  /** Nodes that hear the channel. */
  readonly nodes: number;
}

/** Publishes call after call, so many publications in all. */
export async function publishSo(broker: Broker, { drafts, channels }: Way, count: number): Promise<void> {
  const call = Array.from({ length: drafts }, (_, index) => text(`c${index % channels}`, "x".repeat(SMALL)));
  for (let done = 0; done < count; done += drafts) await publish(broker, call);
}

/** @throws {Error} when one is refused */
export async function publish(broker: Broker, drafts: readonly Draft[]): Promise<void> {
  const refused = (await broker.publish(drafts)).find((result) => "error" in result);
  if (refused) throw new Error(`a publication was refused: ${JSON.stringify(refused)}`);
}

/** Hears so many channels that nobody has published to. */
export async function hear(broker: Broker, prefix: string, count: number): Promise<void> {
  for (let channel = 0; channel < count; channel += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, index) => hearOne(broker, `${prefix}${channel + index}`)));
  }
}

/** As the hub does it, when the first session asks for the channel. */
async function hearOne(broker: Broker, channel: string): Promise<void> {
  await broker.subscribe(channel);
  await broker.read(channel);
}

/** So many connections that hear the first channel and take whatever comes. */
export async function listen(redis: Redis, count: number): Promise<Disposable> {
  const listening = await Promise.all(Array.from({ length: count }, async () => {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: redis.port });
    await socket.write(new TextEncoder().encode("SSUBSCRIBE gong:{c0}\r\n"));
    await socket.read(new Uint8Array(100));
    socket.readable.pipeTo(new WritableStream()).catch(() => {});
    return socket;
  }));
  return { [Symbol.dispose]: () => listening.forEach((socket) => socket.close()) };
}
