/**
 * Channels in Redis: what is published, read and heard of them on this node.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { sizeOf } from "../../bytes.ts";
import type { HistoryLimits } from "../../channel_rules.ts";
import { GongError } from "../../errors.ts";
import type {
  Announce,
  Draft,
  History,
  PageLimit,
  Position,
  Publication,
  PublishOptions,
  PublishResult,
  Start,
} from "../../types.ts";
import { queueChannel, queueOf } from "../../reserved.ts";
import { digestOf, toPlace, toPublication } from "../ledger/content.ts";
import { decodeAnnouncement } from "./announcement.ts";
import type { RedisConnection } from "./connection.ts";
import { ChannelKeys } from "./keys.ts";
import { decodePayload, encodePayload } from "./payload.ts";
import { toRecordArguments } from "./records.ts";
import type { RedisQueueBook } from "./queue_book.ts";
import { type RedisQueues, refusalOf } from "./queues.ts";
import { type Later, Sequencer } from "./sequencer.ts";
import type { Reply } from "./server.ts";

/** What {@linkcode RedisChannels} are made of. */
export interface RedisChannelsOptions {
  readonly connection: Pick<RedisConnection, "call" | "subscribe" | "unsubscribe" | "isCluster" | "slotOf" | "prefix">;
  readonly announce: Announce;
  /** The key of the records, which change with what is published. */
  readonly recordsKey: string;
  /** Where drafts that are for queues go, in the same step. */
  readonly queues: Pick<RedisQueues, "bookOf">;
  readonly limitsOf: (channel: string) => HistoryLimits;
  readonly newEpoch: () => string;
  /** Something of these channels is gone that was never announced. */
  readonly onMoved: (channels: readonly string[]) => void;
  /** Something in Redis is not what it should be. */
  readonly onFault: (error: unknown) => void;
  /** How long a channel may be silent before it is asked whether something was missed, in milliseconds. Default 5,000. */
  readonly silence?: number;
}

/** Drafts that go in one call: Redis does nothing else meanwhile. */
const MOST_DRAFTS = 500;
/** Channels whose positions are asked for in one call. */
const MOST_ASKED = 500;
/** What is read at once of what was missed: publications, and bytes. */
const MISSED: Required<PageLimit> = { count: 1000, bytes: 4 << 20 };
const SILENCE = 5000;
/** How often channels are looked at for that, in milliseconds. */
const LOOK = 1000;

const CONFLICT = new GongError("conflict", "This id was published under already, with other content.").toRefusal();
const APART = "They are at different servers of the Redis Cluster: that cannot be one step.";
const NOWHERE: Position = { epoch: "", offset: 0 };

type PartOptions = Pick<PublishOptions, "atomic" | "records" | "settled">;

type PublishReply = readonly [
  time: number,
  epochs: readonly Reply[],
  offsets: readonly (number | Buffer)[],
  totals?: Reply,
  queues?: readonly Reply[],
];

/** A call of `publish`: drafts with their places among all. */
interface Part {
  readonly drafts: Draft[];
  readonly places: number[];
}

/** All channels, as this node knows them. */
export class RedisChannels {
  readonly #options: RedisChannelsOptions;
  /** Those that somebody here listens to. */
  readonly #heard = new Map<string, Sequencer>();
  readonly #subscribing = new Map<string, Promise<void>>();
  readonly #looking: ReturnType<typeof setInterval>;

  constructor(options: RedisChannelsOptions) {
    this.#options = options;
    this.#looking = setInterval(() => this.#look(), LOOK);
  }

  /** Channels that somebody here listens to. */
  get size(): number {
    return this.#heard.size;
  }

  /** As {@linkcode Broker.publish}. @throws {GongError} `bad_request` for one step over what cannot be in one call */
  async publish(
    drafts: readonly Draft[],
    { atomic = false, records = [], settled = [] }: PartOptions = {},
  ): Promise<PublishResult[]> {
    if (atomic) this.#checkOneStep(drafts, { records, settled });
    const results: PublishResult[] = new Array(drafts.length);
    await Promise.all(
      this.#partsOf(drafts, atomic).map(async (part) => {
        const answers = await this.#publishPart(part, { atomic, records, settled });
        for (const [index, place] of part.places.entries()) results[place] = answers[index]!;
      }),
    );
    return results;
  }

  /** Changes records and settles messages of queues in one step. @throws {GongError} `overloaded`; `conflict`; `bad_request` */
  async change(options: Required<Pick<PublishOptions, "records" | "settled">>): Promise<void> {
    this.#checkOneStep([], options);
    const [, , offsets, totals] = await this.#callPublish([], [], { ...options, atomic: true });
    if (!totals && offsets.length > 0) throw new GongError("conflict", "A record is not as it was.");
  }

  /** As {@linkcode Broker.read}. */
  async read(channel: string, start?: Start, limit: PageLimit = {}): Promise<History> {
    const { top, publications, isWhole, after } = await this.#read(channel, start, { ...limit, isRaw: false });
    await this.#heard.get(channel)?.reach(top);
    const history = { top, publications, recovered: isWhole };
    return start && "last" in start ? { ...history, from: { epoch: top.epoch, offset: after } } : history;
  }

  /** As {@linkcode Broker.subscribe}. @throws {GongError} `overloaded` */
  subscribe(channel: string): Promise<void> {
    const known = this.#subscribing.get(channel);
    if (known) return known;
    const sequencer = new Sequencer({
      read: (position) => this.#readLater(channel, position),
      announce: this.#options.announce,
      moved: () => this.#options.onMoved([channel]),
    });
    this.#heard.set(channel, sequencer);
    const subscribing = this.#subscribe(channel, sequencer).catch((error) => {
      this.#forget(channel, sequencer);
      this.#leave(channel);
      throw error;
    });
    this.#subscribing.set(channel, subscribing);
    return subscribing;
  }

  /** As {@linkcode Broker.unsubscribe}. */
  async unsubscribe(channel: string): Promise<void> {
    const sequencer = this.#heard.get(channel);
    if (!sequencer) return;
    this.#forget(channel, sequencer);
    await this.#options.connection.unsubscribe(this.#keysOf(channel).announced);
  }

  /** What is announced there is heard again after a while in which it was not: everything that was missed is read. */
  async catchUp(announced: readonly string[]): Promise<void> {
    const those = new Set(announced);
    await this.#ask([...this.#heard.keys()].filter((channel) => those.has(this.#keysOf(channel).announced)));
  }

  close(): void {
    clearInterval(this.#looking);
    for (const sequencer of this.#heard.values()) sequencer.close();
    this.#heard.clear();
    this.#subscribing.clear();
  }

  #keysOf(channel: string): ChannelKeys {
    return new ChannelKeys(this.#options.connection.prefix, channel);
  }

  /** What cannot be in the same call has another number. */
  #slotOf(channel: string): number {
    const { connection, queues } = this.#options;
    // Asked for each draft.
    if (!connection.isCluster) return 0;
    const queue = queueOf(channel);
    return connection.slotOf(queue === undefined ? this.#keysOf(channel).announced : queues.bookOf(queue).keys[0]);
  }

  #checkOneStep(
    drafts: readonly Draft[],
    { records, settled }: Required<Pick<PublishOptions, "records" | "settled">>,
  ): void {
    const { connection, recordsKey } = this.#options;
    const slots = new Set(drafts.map(({ channel }) => this.#slotOf(channel)));
    for (const { queue } of settled) slots.add(this.#slotOf(queueChannel(queue)));
    if (records.length > 0) slots.add(connection.slotOf(recordsKey));
    if (slots.size > 1) throw new GongError("bad_request", APART);
  }

  /** The book of what is for queues, if anything is: it can be only one in a call. */
  #bookOf(drafts: readonly Draft[], settled: Required<PartOptions>["settled"]): RedisQueueBook | undefined {
    const [one] = settled;
    const queue = one?.queue ?? drafts.map(({ channel }) => queueOf(channel)).find((name) => name !== undefined);
    return queue === undefined ? undefined : this.#options.queues.bookOf(queue);
  }

  /** One call each: for each slot, and there for so many drafts, or for all where it is all or none. */
  #partsOf(drafts: readonly Draft[], atomic: boolean): Part[] {
    const parts: Part[] = [];
    const open = new Map<number, Part>();
    for (const [place, draft] of drafts.entries()) {
      const slot = this.#slotOf(draft.channel);
      let part = open.get(slot);
      if (!part || !atomic && part.drafts.length === MOST_DRAFTS) {
        part = { drafts: [], places: [] };
        open.set(slot, part);
        parts.push(part);
      }
      part.drafts.push(draft);
      part.places.push(place);
    }
    return parts;
  }

  async #publishPart({ drafts }: Part, options: Required<PartOptions>): Promise<PublishResult[]> {
    let reply: PublishReply;
    const channels = [...new Set(drafts.map(({ channel }) => channel).filter((name) => queueOf(name) === undefined))];
    try {
      reply = await this.#callPublish(channels, drafts, options);
    } catch (error) {
      const refusal = GongError.from(error).toRefusal();
      return drafts.map(() => ({ error: refusal }));
    }
    const [time, epochs, offsets, , queues = []] = reply;
    // Of a call that is all or none, it is all that is said.
    if (offsets.length < drafts.length && typeof offsets[0] === "object") {
      const refusal = refusalOf(offsets[0]);
      return drafts.map(() => ({ error: refusal }));
    }
    // Of a call that is all or none, one conflict is all that is said, of an id or of a record.
    if (offsets.length < drafts.length || offsets[0] === 0 && epochs.length === 0) {
      return drafts.map(() => ({ error: CONFLICT }));
    }
    const epochOf = new Map(channels.map((channel, index) => [channel, String(epochs[index])]));
    for (let index = 0; index < queues.length; index += 2) {
      epochOf.set(queueChannel(String(queues[index])), String(queues[index + 1]));
    }
    const reached = new Map<Sequencer, Position>();
    const unheard: Publication[] = [];
    const results = drafts.map((draft, index): PublishResult => {
      const { channel } = draft;
      const epoch = epochOf.get(channel)!;
      const offset = offsets[index]!;
      if (typeof offset === "object") return { error: refusalOf(offset) };
      if (queueOf(channel) !== undefined) return { epoch, offset };
      if (offset === 0) return { error: CONFLICT };
      const position = { epoch, offset: Math.abs(offset) };
      const sequencer = this.#heard.get(channel);
      if (sequencer && (reached.get(sequencer)?.offset ?? 0) < position.offset) reached.set(sequencer, position);
      if (offset < 0) return { ...position, repeated: true };
      if (!sequencer) unheard.push(toPublication(draft, position, time));
      return position;
    });
    if (unheard.length > 0) this.#options.announce(unheard);
    await Promise.all(Array.from(reached, ([sequencer, position]) => sequencer.reach(position)));
    return results;
  }

  async #callPublish(
    channels: readonly string[],
    drafts: readonly Draft[],
    { atomic, records, settled }: Required<PartOptions>,
  ): Promise<PublishReply> {
    const { connection, limitsOf, recordsKey } = this.#options;
    const book = this.#bookOf(drafts, settled);
    const forQueues = book?.toArguments(settled) ?? { count: 0, args: [] };
    const keys: string[] = [];
    /** Places of the keys of ids, from 1. */
    const idKeys = new Map<string, number>();
    const args: (string | Uint8Array)[] = [
      atomic ? "1" : "0",
      String(channels.length),
      String(records.length),
      String(forQueues.count),
      book ? "1" : "0",
      ...toRecordArguments(records),
      ...forQueues.args,
    ];
    const indexOf = new Map<string, number>();
    const keysOf = channels.map((channel) => this.#keysOf(channel));
    for (const [index, channel] of channels.entries()) {
      const { hash, stream, announced } = keysOf[index]!;
      const { count, bytes, age } = limitsOf(channel);
      keys.push(hash, stream, announced);
      args.push(...this.#known(channel), String(age === 0 ? 0 : count), String(bytes), String(Math.ceil(age * 1000)));
      indexOf.set(channel, index);
    }
    for (const draft of drafts) {
      const { channel, id, publisher = "", ttl } = draft;
      const queue = queueOf(channel);
      const index = queue === undefined ? indexOf.get(channel)! : -1;
      const idKey = id === undefined || queue !== undefined ? undefined : keysOf[index]!.id(publisher, id);
      if (idKey !== undefined && !idKeys.has(idKey)) idKeys.set(idKey, idKeys.size + 1);
      args.push(
        String(index + 1),
        idKey === undefined ? "0" : String(idKeys.get(idKey)),
        queue ?? (id === undefined ? "" : digestOf(draft)),
        String(sizeOf(draft)),
        ttl === undefined ? "" : String(Math.ceil(ttl * 1000)),
        encodePayload(draft),
      );
    }
    if (records.length > 0) keys.push(recordsKey);
    if (book) keys.push(...book.keys);
    const reply = await connection.call("publish", [...keys, ...idKeys.keys()], args) as PublishReply;
    const [, , , totals] = reply;
    if (totals) book?.told(totals);
    return reply;
  }

  /** The epoch that the channel gets if it needs one, and where it stands as far as is known here. */
  #known(channel: string): [candidate: string, epoch: string, offset: string] {
    const { epoch, offset } = this.#heard.get(channel)?.position ?? NOWHERE;
    return [this.#options.newEpoch(), epoch, String(offset)];
  }

  async #subscribe(channel: string, sequencer: Sequencer): Promise<void> {
    const { connection } = this.#options;
    const keys = this.#keysOf(channel);
    // Where it stands before anything that is published here from now on.
    const asked = this.#read(channel, undefined, { isRaw: true });
    const listening = connection.subscribe(keys.announced, (message) => this.#receive(channel, sequencer, message));
    const isLeft = () => this.#heard.get(channel) !== sequencer;
    // It may have been left before it was listened to, if only as the other failed first.
    listening.then(() => isLeft() && this.#leave(channel), () => {});
    const [{ top }] = await Promise.all([asked, listening]);
    if (isLeft()) return;
    sequencer.open(top);
    // What came before it was listened to was announced to nobody.
    await this.#ask([channel]);
  }

  /** Listens no more, unless somebody has come meanwhile. */
  #leave(channel: string): void {
    if (!this.#heard.has(channel)) void this.#options.connection.unsubscribe(this.#keysOf(channel).announced);
  }

  #forget(channel: string, sequencer: Sequencer): void {
    sequencer.close();
    if (this.#heard.get(channel) !== sequencer) return;
    this.#heard.delete(channel);
    this.#subscribing.delete(channel);
  }

  #receive(channel: string, sequencer: Sequencer, message: Buffer): void {
    try {
      sequencer.receive(decodeAnnouncement(channel, message));
    } catch (error) {
      this.#options.onFault(error);
      // Whatever it was, it may stand for something that is in the history.
      this.#catchUp(sequencer);
    }
  }

  #catchUp(sequencer: Sequencer): void {
    // It is asked again after a while.
    sequencer.catchUp().catch(() => {});
  }

  /** Asks of channels that were silent for long whether something was missed. */
  #look(): void {
    const since = performance.now() - (this.#options.silence ?? SILENCE);
    const silent: string[] = [];
    for (const [channel, sequencer] of this.#heard) {
      if (sequencer.heard > since || !sequencer.position) continue;
      sequencer.heard = performance.now();
      silent.push(channel);
    }
    this.#ask(silent).catch(() => {});
  }

  /** Compares where the channels stand here and in Redis, and has those that are behind catch up. */
  async #ask(channels: readonly string[]): Promise<void> {
    const calls: Promise<void>[] = [];
    for (const own of Map.groupBy(channels, (channel) => this.#slotOf(channel)).values()) {
      for (let index = 0; index < own.length; index += MOST_ASKED) {
        calls.push(this.#askSome(own.slice(index, index + MOST_ASKED)));
      }
    }
    await Promise.all(calls);
  }

  async #askSome(channels: readonly string[]): Promise<void> {
    const keys = channels.flatMap((channel) => {
      const { hash, stream } = this.#keysOf(channel);
      return [hash, stream];
    });
    const args = channels.flatMap((channel) => this.#known(channel));
    const positions = await this.#options.connection.call("positions", keys, args) as readonly Reply[];
    await Promise.all(channels.map(async (channel, index) => {
      const sequencer = this.#heard.get(channel);
      const own = sequencer?.position;
      if (!sequencer || !own) return;
      const epoch = String(positions[index * 2]);
      const offset = Number(positions[index * 2 + 1]);
      if (own.epoch === epoch && own.offset >= offset) return;
      await sequencer.catchUp();
      // What was read may have been asked for before this.
      await sequencer.reach({ epoch, offset });
    }));
  }

  async #readLater(channel: string, position: Position): Promise<Later> {
    const options = { ...MISSED, isRaw: true };
    const later = await this.#read(channel, position, options);
    if (later.top.epoch === position.epoch) return later;
    return await this.#read(channel, { epoch: later.top.epoch, offset: later.first - 1 }, options);
  }

  async #read(
    channel: string,
    start: Start | undefined,
    { count, bytes, isRaw }: PageLimit & { readonly isRaw: boolean },
  ): Promise<Later & { readonly isWhole: boolean; readonly after: number }> {
    const { connection, limitsOf } = this.#options;
    const { hash, stream } = this.#keysOf(channel);
    const args = [
      ...this.#known(channel),
      String(Math.ceil(limitsOf(channel).age * 1000)),
      ...!start
        ? ["top", "", "0"]
        : "last" in start
        ? ["last", "", String(start.last)]
        : ["after", start.epoch, String(start.offset)],
      String(count ?? Number.MAX_SAFE_INTEGER),
      isRaw ? "1" : "0",
      String(bytes ?? Number.MAX_SAFE_INTEGER),
    ];
    const reply = await connection.call("read", [hash, stream], args) as readonly Reply[];
    const epoch = String(reply[0]);
    const publications = (reply[5] as readonly (readonly Reply[])[]).map((entry) =>
      this.#toPublication(channel, epoch, entry)
    );
    return {
      top: { epoch, offset: Number(reply[1]) },
      first: Number(reply[2]),
      isWhole: reply[3] === 1,
      after: Number(reply[4]),
      publications,
    };
  }

  /** One that cannot be read is a place, as one that has expired: its number is taken. */
  #toPublication(channel: string, epoch: string, [offset, time, payload]: readonly Reply[]): Publication {
    const place = { channel, epoch, offset: Number(offset), time: Number(time) };
    if (payload instanceof Buffer) {
      try {
        return { ...place, ...decodePayload(payload) };
      } catch (error) {
        this.#options.onFault(error);
      }
    }
    return toPlace({ ...place, data: "", contentType: "" });
  }
}
