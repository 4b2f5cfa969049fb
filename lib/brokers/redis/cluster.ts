/**
 * A Redis Cluster: which primary has which slot, what is heard where, and what changes in that.
 *
 * The cluster of the client library is not used for it: it waits for a server that is gone without end, does not tell
 * when something is heard again elsewhere, and leaves what it cannot hear again to nobody.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import { hostsOf, type RedisAddress, urlOf } from "../../config/redis_address.ts";
import { AwayError, isLasting, RedisClient } from "./client.ts";
import { type Command, type Listener, RedisServer, type Reply } from "./server.ts";
import { readShards, type Shard } from "./shards.ts";
import { slotOf, SLOTS } from "./slot.ts";
import type { RedisWay, WayOptions } from "./way.ts";

/** A channel that is heard. */
interface Heard {
  readonly slot: number;
  readonly listener: Listener;
  server: RedisServer | undefined;
}

/** A server that says which slots are where. */
interface Source {
  readonly host: string;
  ask(): Promise<Reply>;
}

/** How often it is asked where slots are, without any reason and while something is away, in milliseconds. */
const LOOK = 10_000;
const LOOK_AGAIN = 1000;
/** For how long what was said holds, whatever servers refuse after it, in milliseconds. */
const JUST_NOW = 100;
/** How often a call is sent that was answered with where it belongs, or that a slot is on its way. */
const MOST_TRIES = 4;
/** Before the first time it is sent again while its slot is on its way, in milliseconds; doubled from then on. */
const FIRST_RETRY = 20;
/** How long calls are not sent again at all after a slot was on its way for longer than that, in milliseconds. */
const SLOW = 1000;

/** Several primaries, each with its slots. */
export class RedisCluster implements RedisWay {
  readonly #options: WayOptions;
  readonly #address: RedisAddress;
  /** By host and port. */
  readonly #servers = new Map<string, RedisServer>();
  readonly #heard = new Map<string, Heard>();
  #owners: readonly (RedisServer | undefined)[] = [];
  /** A slot that nobody has, or a negative number. */
  #bare = 0;
  /** Slots that were on their way for long; until when they count as that, by `performance.now()`. */
  readonly #slow = new Map<number, number>();
  #looking: Promise<void> | undefined;
  /** When it was last asked where slots are, by `performance.now()`. */
  #looked = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #state: "new" | "begun" | "closed" = "new";

  constructor(options: WayOptions) {
    this.#options = options;
    this.#address = options.address;
  }

  get host(): string {
    return hostsOf(this.#address);
  }

  get reason(): string | undefined {
    for (const [name, { reason }] of this.#servers) if (reason !== undefined) return `${name}: ${reason}`;
    return this.#bare < 0 ? undefined : bareReason(this.#bare);
  }

  async open(patience: number): Promise<void> {
    const end = performance.now() + patience;
    for (;;) {
      const error = await this.#look().then(() => undefined, (error: Error) => error);
      if (!error && this.#bare < 0) break;
      if (error && isLasting(error) || performance.now() > end) throw error ?? new Error(bareReason(this.#bare));
      await delay(LOOK_AGAIN / 10);
    }
    await Promise.all(
      Array.from(this.#servers.values(), (server) => server.open(Math.max(1, end - performance.now()))),
    );
  }

  begin(): void {
    this.#state = "begun";
    // One may have come since they were opened.
    for (const server of this.#servers.values()) server.begin();
    this.#lookLater();
  }

  *primaries(prefix: string): ReturnType<RedisWay["primaries"]> & Generator {
    for (const server of this.#servers.values()) {
      // It would be looked for without end.
      if (!this.#owners.includes(server)) continue;
      let key: string;
      for (let n = 0; this.#owners[slotOf(key = `${prefix}{$setup${n}}`)] !== server; n++);
      yield { server, key };
    }
  }

  async call(key: string, command: Command): Promise<Reply> {
    return await this.#redirected(slotOf(key), (server) => server.call(command));
  }

  async subscribe(channel: string, listener: Listener): Promise<void> {
    const heard: Heard = { slot: slotOf(channel), listener, server: undefined };
    this.#heard.set(channel, heard);
    try {
      await this.#redirected(heard.slot, async (server) => {
        heard.server = server;
        await server.subscribe(channel, listener);
        // It may have been left before it was heard, or be heard elsewhere by now.
        if (this.#heard.get(channel)?.server !== server) await server.unsubscribe(channel);
      });
    } catch (error) {
      if (this.#heard.get(channel) === heard) void this.unsubscribe(channel);
      throw error;
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    const heard = this.#heard.get(channel);
    this.#heard.delete(channel);
    await heard?.server?.unsubscribe(channel);
  }

  close(): void {
    this.#state = "closed";
    clearTimeout(this.#timer);
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
  }

  /** Asks whoever has the slot, and once more where that is said to be another one. */
  async #redirected<T>(slot: number, ask: (server: RedisServer) => Promise<T>): Promise<T> {
    for (let tries = 1;; tries++) {
      const server = this.#owners[slot];
      if (!server) throw new AwayError(bareReason(slot));
      try {
        return await ask(server);
      } catch (error) {
        const [, what] = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/.exec((error as Error).message) ?? [];
        if (what === "CLUSTERDOWN") this.#lookSoon(server);
        if (what === undefined || what === "CLUSTERDOWN" || tries === MOST_TRIES) throw error;
        if (what === "MOVED") await this.#follow(slot, server);
        else await this.#waitFor(slot, tries, error);
      }
    }
  }

  /**
   * The slot is on its way. Of a call with several keys the server where it goes to would say the same: it has not all of
   * them.
   */
  async #waitFor(slot: number, tries: number, error: unknown): Promise<void> {
    // Others are not to wait for this one over and over.
    if (performance.now() < (this.#slow.get(slot) ?? 0)) throw error;
    if (tries === MOST_TRIES - 1) this.#slow.set(slot, performance.now() + SLOW);
    await delay(FIRST_RETRY * 2 ** (tries - 1));
  }

  /** @param asked who has said that the slot is another one's */
  async #follow(slot: number, asked: RedisServer): Promise<void> {
    try {
      await this.#look(asked);
    } catch (error) {
      throw new AwayError(`where slot ${slot} is, nobody says`, { cause: error });
    }
    await this.#owners[slot]?.ready();
  }

  #lookNow(first?: RedisServer): void {
    // It is done again after a while.
    this.#look(first).catch(() => {});
  }

  /** It is not as it was said to be: perhaps they know better in a while, if that was only just said. */
  #lookSoon(refused: RedisServer): void {
    if (performance.now() - this.#looked < JUST_NOW) this.#lookLater(LOOK_AGAIN);
    else this.#lookNow(refused);
  }

  #lookLater(after = this.reason === undefined ? LOOK : LOOK_AGAIN): void {
    clearTimeout(this.#timer);
    if (this.#state !== "begun") return;
    this.#timer = setTimeout(() => this.#lookNow(), after);
  }

  /** Asks where slots are, and goes by that. @throws {Error} when nobody says */
  #look(first?: RedisServer): Promise<void> {
    return this.#looking ??= this.#lookOnce(first).finally(() => {
      this.#looking = undefined;
      this.#looked = performance.now();
      this.#lookLater();
    });
  }

  async #lookOnce(first: RedisServer | undefined): Promise<void> {
    let last: unknown = new AwayError("it is closed");
    for (const { host, ask } of this.#sources(first)) {
      try {
        const shards = readShards(await ask(), host);
        if (this.#state !== "closed") this.#take(shards);
        return;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  /** Those who are there, in any order; then those who were named at the start. */
  *#sources(first: RedisServer | undefined): Generator<Source> {
    const known = [...this.#servers].filter(([, { reason }]) => reason === undefined);
    const rank = new Map(known.map(([, server]) => [server, server === first ? -1 : Math.random()]));
    known.sort(([, one], [, other]) => rank.get(one)! - rank.get(other)!);
    for (const [name, server] of known) {
      yield { host: name.slice(0, name.lastIndexOf(":")), ask: () => server.send(["CLUSTER", "SLOTS"]) };
    }
    for (const { host, port } of this.#address.hosts) {
      if (this.#state === "closed") return;
      yield { host, ask: () => this.#askOnce(host, port) };
    }
  }

  async #askOnce(host: string, port: number): Promise<Reply> {
    const { ca, wait } = this.#options;
    const url = urlOf(this.#address, host, port);
    const client = new RedisClient({ url, ca, wait, onAway: () => {}, onReady: () => {} });
    try {
      await client.open(wait * 1000);
      return await client.send<Reply>(["CLUSTER", "SLOTS"]);
    } finally {
      client.close();
    }
  }

  #take(shards: readonly Shard[]): void {
    const owners = new Array<RedisServer | undefined>(SLOTS).fill(undefined);
    const names = new Set<string>();
    for (const { from, to, host, port } of shards) {
      const name = `${host}:${port}`;
      names.add(name);
      owners.fill(this.#servers.get(name) ?? this.#add(name, host, port), from, to + 1);
    }
    this.#owners = owners;
    this.#bare = owners.indexOf(undefined);
    this.#hearThere();
    for (const [name, server] of this.#servers) {
      if (names.has(name)) continue;
      this.#servers.delete(name);
      server.close();
    }
    this.#options.onAway();
  }

  #add(name: string, host: string, port: number): RedisServer {
    const { ca, wait, onAway, onListening } = this.#options;
    const server: RedisServer = new RedisServer({
      ...{ url: urlOf(this.#address, host, port), ca, wait, onListening },
      onAway: () => {
        // Another one may have taken its place.
        if (server.reason !== undefined && this.#servers.get(name) === server) this.#lookNow();
        onAway();
      },
      onMisplaced: () => this.#lookSoon(server),
    });
    this.#servers.set(name, server);
    if (this.#state === "begun") server.begin();
    return server;
  }

  /** What is heard is heard where its slot is now. */
  #hearThere(): void {
    const adopted = new Map(Array.from(this.#servers.values(), (server) => [server, [] as [string, Listener][]]));
    for (const [channel, heard] of this.#heard) {
      const server = this.#owners[heard.slot];
      if (!server || !heard.server || heard.server === server) continue;
      void heard.server.unsubscribe(channel);
      heard.server = server;
      adopted.get(server)!.push([channel, heard.listener]);
    }
    for (const [server, listeners] of adopted) server.adopt(listeners);
  }
}

function bareReason(slot: number): string {
  return `no primary has slot ${slot}`;
}
