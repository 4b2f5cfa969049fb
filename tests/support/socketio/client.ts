/**
 * One socket of a real client, with what it has heard.
 *
 * @module
 */
import { until } from "../until.ts";
import { type Library, LIBRARY_4, type LibraryManager, type LibrarySocket } from "./library.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** An event of the server. */
export interface Heard {
  readonly event: string;
  /** Without the last one, where the client stands. */
  readonly args: readonly Any[];
  /** Where it stands; versions that cannot come back get none. */
  readonly offset?: string;
  /** Answers, if an answer is wanted. */
  readonly ack?: (...args: Any[]) => void;
}

/** Why a namespace is refused. */
export interface Refusal {
  readonly message: string;
  readonly data?: { readonly code?: string };
}

/** How {@linkcode connectSocket} connects. */
export interface SocketOptions {
  /** Default: version 4. */
  readonly library?: Library;
  /** Default `/`. */
  readonly namespace?: string;
  /** Default: polling, then WebSocket. */
  readonly transports?: readonly string[];
  readonly auth?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, string>>;
  /** More headers of each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Another socket, whose connection this one shares. */
  readonly beside?: SocketClient;
  /** Whether every event ends with where one stands. Default: whatever the version gets from a server that recovers. */
  readonly offsets?: boolean;
  /** How long a handshake may take, in milliseconds. Default 20,000. */
  readonly timeout?: number;
  /** Does not wait until it is connected. */
  readonly later?: boolean;
}

/** A socket in one namespace. */
export class SocketClient implements AsyncDisposable {
  readonly socket: LibrarySocket;
  readonly manager: LibraryManager;
  readonly library: Library;
  /** Everything that came, in order. */
  readonly heard: Heard[] = [];
  /** How often it was connected, and whether it had recovered each time. */
  readonly connects: boolean[] = [];
  /** Its ids, one for each time. */
  readonly ids: string[] = [];
  /** Why each connection ended. */
  readonly ends: string[] = [];
  /** CONNECT_ERRORs, and what else kept it from being connected. */
  readonly refusals: Refusal[] = [];
  #taken = 0;

  constructor(gong: { readonly url: string }, options: SocketOptions = {}) {
    const { library = LIBRARY_4, namespace = "/", transports, auth, query, headers, beside, offsets } = options;
    this.library = library;
    this.manager = beside?.manager ?? library.open(gong.url, {
      ...(transports === undefined ? {} : { transports: [...transports] }),
      // Version 2 has it there.
      ...(library.protocol === 3 ? { query } : { query: { ...query } }),
      timeout: options.timeout ?? 20_000,
      reconnectionDelay: 20,
      reconnectionDelayMax: 200,
      ...(headers === undefined ? {} : { extraHeaders: headers }),
      autoConnect: false,
    });
    this.socket = this.manager.socket(namespace, { auth: { ...auth } });
    this.socket.on("connect", () => {
      this.connects.push(this.socket.recovered ?? false);
      this.ids.push(this.socket.id);
    });
    this.socket.on("disconnect", (reason: string) => void this.ends.push(reason));
    this.socket.on("connect_error", (error: Any) => this.#refused(error));
    // What 2 calls a CONNECT_ERROR, and a refused event too.
    if (library.protocol === 3) this.socket.on("error", (error: Any) => this.#refused(error));
    const stamped = offsets ?? library.protocol === 4;
    library.onAny(this.socket, (event, ...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      // What wants an acknowledgement is no place to come back to: version 4 would look at the last argument, which is that.
      const offset = stamped && ack === undefined ? args.pop() : undefined;
      this.heard.push({
        event,
        args,
        ...(offset === undefined ? {} : { offset }),
        ...(ack === undefined ? {} : { ack }),
      });
    });
    this.socket.connect();
  }

  get transport(): string {
    return this.manager.engine.transport.name;
  }

  /** Waits until it was connected so often. @throws what it was refused with */
  async connected(times = 1): Promise<this> {
    await until(
      () => this.connects.length >= times || this.refusals.length > 0 && times === 1,
      () => `connected ${this.connects.length} times, not ${times}; ${this.ends}; ${JSON.stringify(this.refusals)}`,
      30_000,
    );
    const [refusal] = this.refusals;
    if (this.connects.length < times && refusal) throw Object.assign(new Error(refusal.message), { refusal });
    return this;
  }

  /** Waits until the transport is that one. */
  async uses(transport: string): Promise<void> {
    await until(() => this.transport === transport, () => `it is at ${this.transport}, not ${transport}`);
  }

  /**
   * Ends the connection, but not in the middle of an upgrade: what comes until that is over the library keeps, and hands
   * out once more when it is back.
   */
  async drop(): Promise<void> {
    const { engine } = this.manager;
    await until(() => !engine.upgrading, () => "it upgrades for ever");
    engine.close();
  }

  /** Sends an event. */
  emit(event: string, ...args: unknown[]): void {
    this.socket.emit(event, ...args);
  }

  /** Sends an event, and gives what it is acknowledged with. */
  async ask(event: string, ...args: unknown[]): Promise<Any[]> {
    let answer: Any[] | undefined;
    this.socket.emit(event, ...args, (...said: Any[]) => answer = said);
    await until(() => answer !== undefined, () => `${event} was not acknowledged; ${this.ends}`);
    return answer!;
  }

  /** The next event that was not taken yet. */
  async next(): Promise<Heard> {
    const at = this.#taken++;
    await until(() => this.heard.length > at, () => `${this.heard.length} events came; ${this.ends}`);
    return this.heard[at]!;
  }

  /** The next events: name and arguments of each. */
  async nextFew(count: number): Promise<Any[][]> {
    const few: Any[][] = [];
    for (let n = 0; n < count; n++) {
      const { event, args } = await this.next();
      few.push([event, ...args]);
    }
    return few;
  }

  /** Waits until so many events have come in all. */
  async hears(count: number): Promise<readonly Heard[]> {
    await until(() => this.heard.length >= count, () => `${this.heard.length} of ${count} came; ${this.ends}`, 30_000);
    return this.heard;
  }

  /** Waits for a refusal. */
  async refused(): Promise<Refusal> {
    await until(() => this.refusals.length > 0, () => `not refused, but connected ${this.connects.length} times`);
    return this.refusals[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { engine } = this.manager;
    this.socket.disconnect();
    // Shared, it ends with the last of its sockets.
    await until(() => !engine || !this.socket.connected, () => "it does not end");
  }

  #refused(error: Any): void {
    // Of an error of the transport there is no more than that.
    if (typeof error === "string") this.refusals.push({ message: error });
    else this.refusals.push({ message: error.message, ...(error.data === undefined ? {} : { data: error.data }) });
  }
}

/** Connects, and waits until it is, unless it is to do so `later`. @throws what it was refused with */
export async function connectSocket(
  gong: { readonly url: string },
  options: SocketOptions = {},
): Promise<SocketClient> {
  const client = new SocketClient(gong, options);
  if (options.later) return client;
  try {
    return await client.connected();
  } catch (error) {
    await client[Symbol.asyncDispose]();
    throw error;
  }
}

/** Public id of a client in the namespace of `channel`. That of version 2 is not told to it: it calls another its own. */
export async function publicIdOf(
  gong: { readonly url: string },
  { library, socket }: SocketClient,
  channel: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  if (library.protocol === 4) return socket.id;
  const response = await fetch(`${gong.url}/api/sessions?limit=500`, { headers });
  const { sessions } = await response.json();
  const found = sessions.filter(({ door, channels }: Any) => door === "socketio" && channels.includes(channel));
  if (found.length !== 1) throw new Error(`${found.length} sessions hear ${channel}`);
  return found[0].id;
}
