/**
 * One connection to Redis that is kept up: it comes back by itself, and one that stands still is given up.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { setTimeout as delay } from "node:timers/promises";
import { createClient, RESP_TYPES } from "@redis/client";

/** What a {@linkcode RedisClient} is made with. */
export interface ClientOptions {
  /** `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or with `rediss:` over TLS. */
  readonly url: string;
  /** PEM of those who sign certificates, beside or in place of whom the system trusts. */
  readonly ca?: string | undefined;
  /** How long an answer may take, in seconds, before the connection counts as away. */
  readonly wait: number;
  /** It cannot be used, for this reason, or can be again. */
  readonly onAway: (reason: string | undefined) => void;
  /** It is there, at first or again, or was given more: it is subscribed to these channels from now on. */
  readonly onReady: (channels: readonly string[]) => void;
  /** Of what it is to be subscribed to, something is another server's. */
  readonly onMisplaced?: () => void;
}

/** Waiting times before another attempt, in milliseconds: doubled from the first to the last, with as much again by chance. */
const FIRST_RETRY = 50;
const LAST_RETRY = 1000;
/** How often a connection is asked whether it is there, in milliseconds. */
const PROBE = 1000;
/** How often it is asked again for what it refuses when it has just been connected to, in milliseconds. */
const ASK_AGAIN = 200;
/** How many times `wait` it may stand still until it is made anew. */
const GIVE_UP = 5;
/** How often it is made anew, at most, as channels are moved away, in milliseconds: of many slots each is told. */
const REPLACE = 1000;
/** What a server of a cluster says of a channel that is not its own, or nobody's for now. */
const MISPLACED = /^(MOVED|CLUSTERDOWN|ASK|TRYAGAIN)\b/;

type Client = ReturnType<typeof createBare>;

function tryToCreate(url: string, options: ClientOptions): Client {
  try {
    return createBare(url, options);
  } catch {
    // The library shows the URL, and a password with it.
    throw new TypeError("its address is none that can be connected to");
  }
}

function createBare(url: string, { ca, wait }: ClientOptions) {
  return createClient({
    url,
    // What cannot be asked now is refused now.
    disableOfflineQueue: true,
    socket: {
      connectTimeout: wait * 1000,
      ...(url.startsWith("rediss:") ? { tls: true as const, ...(ca === undefined ? {} : { ca }) } : {}),
      reconnectStrategy: (retries) => Math.min(LAST_RETRY, FIRST_RETRY * 2 ** retries) * (1 + Math.random()),
    },
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}

/** A connection that is given up when it stands still. */
export class RedisClient {
  readonly #options: ClientOptions;
  /** What it is subscribed to, whichever server it is at. */
  readonly #listeners = new Map<string, (message: Buffer) => void>();
  /** What it could not leave: it is subscribed to that again when it comes back. */
  readonly #strays = new Set<string>();
  #url: string;
  #client;
  #reason: string | undefined = "it is not connected yet";
  #probe: ReturnType<typeof setTimeout> | undefined;
  #replacing: ReturnType<typeof setTimeout> | undefined;
  /** When it was last made anew, by `performance.now()`. */
  #replaced = -Infinity;
  /** It is to stay there by itself. */
  #isBegun = false;
  #isClosed = false;
  /** Since it was last connected to, Redis takes commands, and it is subscribed to all that it has to be. */
  #isPrepared = false;
  #lastError = "";
  /** Those who wait for it to be there. */
  readonly #waiting = new Set<() => void>();

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#url = options.url;
    this.#client = this.#create(this.#url);
  }

  #create(url: string): Client {
    this.#isPrepared = false;
    const { wait, onReady } = this.#options;
    const client = tryToCreate(url, this.#options);
    client.on("error", (error: Error) => {
      if (client !== this.#client) return;
      this.#lastError = explain(error);
      this.#away(this.#lastError);
      // It stays connected, so what came could not be understood; or it cannot get back what it was subscribed to.
      if (this.#isBegun && (client.isReady || MISPLACED.test(error.message))) this.renew();
    });
    // It may have taken this for an answer to something else.
    client.on("sharded-channel-moved", () => {
      if (client !== this.#client) return;
      this.#replaceSoon();
      this.#options.onMisplaced?.();
    });
    // The library waits for the first words of a server without end.
    let greeting: ReturnType<typeof setTimeout> | undefined;
    const greeted = () => clearTimeout(greeting);
    client.on("connect", () => {
      greeted();
      greeting = setTimeout(() => {
        if (client === this.#client && !client.isReady && this.#isBegun) this.renew();
      }, wait * 1000 * GIVE_UP);
    });
    client.on("error", greeted);
    client.on("end", greeted);
    let connections = 0;
    client.on("ready", async () => {
      greeted();
      const connection = ++connections;
      const isOver = () => client !== this.#client || connection !== connections || !client.isReady;
      this.#isPrepared = false;
      while (!isOver() && !await this.#prepare(client)) await delay(ASK_AGAIN);
      if (isOver()) return;
      this.#isPrepared = true;
      this.#away(undefined);
      onReady([...this.channels]);
      // What came while it was prepared.
      void this.adopt([]);
    });
    return client;
  }

  /** Whether it can be used; else it is gone again, or refuses what it may take later, as while Redis is loading. */
  async #prepare(client: Client): Promise<boolean> {
    try {
      await client.sendCommand(["PING"]).catch((error: Error) => {
        // Not everybody has the right to ask that.
        if (!isReply(error) || error.message.startsWith("LOADING")) throw error;
      });
      await this.#listen(client);
      return true;
    } catch (error) {
      const { message } = error as Error;
      if (client === this.#client && isReply(error as Error)) this.#away(this.#lastError = message);
      return false;
    }
  }

  /** Why it cannot be used, if it cannot. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** What it is subscribed to, or is to be. */
  get channels(): Iterable<string> {
    return this.#listeners.keys();
  }

  /**
   * Resolves when it is there; from then on it stays so by itself.
   *
   * @param patience in milliseconds
   * @param url of the server, if it is another one than was thought
   * @throws {Error} what kept it from that, for as long or in a way that does not pass
   */
  async open(patience: number, url?: string): Promise<void> {
    if (url !== undefined && url !== this.#url) this.#client = this.#create(this.#url = url);
    const { promise, reject } = Promise.withResolvers<never>();
    const fail = (error: Error) => {
      if (isLasting(error)) reject(error);
    };
    const client = this.#client;
    client.on("error", fail);
    const timer = setTimeout(() => reject(new Error(this.#lastError || "it does not answer")), patience);
    const there = Promise.withResolvers<void>();
    this.#waiting.add(there.resolve);
    try {
      const connected = client.connect();
      connected.catch(() => {});
      await Promise.race([Promise.all([connected, there.promise]), promise]);
      this.#keep();
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(there.resolve);
      client.off("error", fail);
    }
  }

  /** It comes as soon as it can, and stays by itself. */
  begin(): void {
    if (this.#isBegun) return;
    this.#keep();
    this.#client.connect().catch(() => {});
  }

  #keep(): void {
    this.#isBegun = true;
    this.#watch();
  }

  /** Resolves when it is there. @throws {AwayError} when it is not in as long as an answer may take */
  async ready(): Promise<void> {
    if (this.#reason !== undefined || !this.#client.isReady) await this.#returned();
  }

  /** Sends a command after those before it. @throws {Error} what Redis says, or that it cannot be asked */
  async send<T>(command: (string | Buffer)[]): Promise<T> {
    if (this.#reason !== undefined) throw new AwayError(this.#reason);
    const answer = this.#client.sendCommand<T>(command);
    const { wait } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const reason = `no answer within ${wait} s`;
        this.#away(reason);
        reject(new AwayError(reason));
      }, wait * 1000);
    });
    // However late, it is an answer: what stood still goes on.
    answer.then(() => this.#back(), (error) => error instanceof Error && isReply(error) && this.#back());
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for it to be there, as long as for an answer. @throws {AwayError} when it is not there by then */
  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    await this.ready();
    this.#listeners.set(channel, listener);
    try {
      await this.#client.sSubscribe(channel, this.#hear, true);
    } catch (error) {
      if (this.#listeners.get(channel) === listener) this.#listeners.delete(channel);
      throw error;
    }
  }

  /** It is subscribed to these as soon as it can be, which is told then, and to what it could not be before. */
  async adopt(listeners: Iterable<readonly [channel: string, listener: (message: Buffer) => void]>): Promise<void> {
    for (const [channel, listener] of listeners) this.#listeners.set(channel, listener);
    const client = this.#client;
    if (!client.isReady || this.#reason !== undefined) return;
    const missing = this.#missing(client);
    if (missing.length === 0) return;
    try {
      await this.#listen(client);
      if (client === this.#client) this.#options.onReady(missing);
    } catch {
      // What it is refused it asks for until it has it.
      if (client === this.#client && client.isReady) this.renew();
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#listeners.delete(channel);
    const client = this.#client;
    try {
      await client.sUnsubscribe(channel);
    } catch (error) {
      // Redis has ended that itself, which the library may have missed.
      if ((error as Error).message.startsWith("MOVED ")) client.getPubSubListeners("SHARDED").delete(channel);
      else this.#strays.add(channel);
      throw error;
    }
  }

  /** It is made anew: another server may be meant by its name by now, or is by another. */
  renew(url = this.#url): void {
    if (this.#isClosed) return;
    this.#url = url;
    this.#away("another server is asked from now on");
    this.#replace();
  }

  #replaceSoon(): void {
    if (this.#isClosed) return;
    const after = Math.max(0, this.#replaced + REPLACE - performance.now());
    this.#replacing ??= setTimeout(() => this.#replace(), after);
  }

  #replace(): void {
    clearTimeout(this.#replacing);
    this.#replacing = undefined;
    this.#replaced = performance.now();
    const before = this.#client;
    this.#client = this.#create(this.#url);
    if (before.isOpen) before.destroy();
    this.#client.connect().catch(() => {});
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#probe);
    clearTimeout(this.#replacing);
    if (this.#client.isOpen) this.#client.destroy();
  }

  readonly #hear = (message: Buffer, channel: Buffer | string): void => {
    this.#listeners.get(String(channel))?.(message);
  };

  /** What it is to be subscribed to, and is not. */
  #missing(client: Client): string[] {
    const subscribed = client.getPubSubListeners("SHARDED");
    return [...this.#listeners.keys()].filter((channel) => !subscribed.has(channel));
  }

  /** Is subscribed to what it is to be, but for what is another server's. @throws {Error} what keeps it from that */
  async #listen(client: Client): Promise<void> {
    const strays = [...this.#strays].filter((channel) => !this.#listeners.has(channel));
    this.#strays.clear();
    // Those of different slots cannot be in one command.
    const outcomes = await Promise.allSettled([
      ...this.#missing(client).map((channel) => client.sSubscribe(channel, this.#hear, true)),
      ...strays.map((channel) => client.sUnsubscribe(channel).catch(() => {})),
    ]);
    const errors = outcomes.flatMap((outcome) => outcome.status === "rejected" ? [outcome.reason as Error] : []);
    const lasting = errors.find(({ message }) => !MISPLACED.test(message));
    if (lasting) throw lasting;
    if (errors.length > 0 && client === this.#client) this.#options.onMisplaced?.();
  }

  async #returned(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new AwayError(this.#reason)), this.#options.wait * 1000);
    this.#waiting.add(resolve);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    }
  }

  /** Asks whether it is there, for ever. */
  #watch(): void {
    if (this.#isClosed) return;
    this.#probe = setTimeout(async () => {
      await this.#ask();
      this.#watch();
    }, PROBE);
  }

  async #ask(): Promise<void> {
    if (!this.#client.isReady) return;
    const { wait } = this.#options;
    let timers: ReturnType<typeof setTimeout>[] = [];
    const late = new Promise<void>((resolve) => {
      timers = [
        setTimeout(() => this.#away(`no answer within ${wait} s`), wait * 1000),
        setTimeout(() => {
          this.renew();
          resolve();
        }, wait * 1000 * GIVE_UP),
      ];
    });
    const answered = this.#client.sendCommand(["PING"]).then(() => this.#back(), () => {});
    await Promise.race([answered, late]);
    timers.forEach(clearTimeout);
  }

  #back(): void {
    if (!this.#client.isReady || !this.#isPrepared) return;
    const wasAway = this.#reason !== undefined;
    this.#away(undefined);
    // What came meanwhile.
    if (wasAway) void this.adopt([]);
  }

  #away(reason: string | undefined): void {
    const isNews = (reason === undefined) !== (this.#reason === undefined);
    this.#reason = reason;
    if (reason === undefined) { for (const resolve of this.#waiting) resolve(); }
    if (isNews && !this.#isClosed) this.#options.onAway(reason);
  }
}

/** Redis could not be asked, or did not answer. */
export class AwayError extends Error {
  override readonly name = "AwayError";
}

/** Whether Redis itself has said it. */
export function isReply(error: Error): boolean {
  return /^[A-Z]+ /.test(error.message);
}

/** Whether to try again is of no use. */
export function isLasting(error: Error): boolean {
  return /^(WRONGPASS|NOAUTH|NOPERM|ERR )/.test(error.message) ||
    /certificate|UnknownIssuer|NotValidForName/i.test(explain(error));
}

/** An error of several attempts has no message of its own. */
export function explain(error: Error): string {
  const errors = error instanceof AggregateError ? error.errors : [];
  return error.message || String(errors.at(-1)?.message ?? error.name);
}
