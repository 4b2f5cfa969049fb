/**
 * A server in one isolate: a real hub and real edges, joined by message ports and a real BroadcastChannel; only the
 * sockets are not real.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type Auth, createAuth, type Grant } from "../../lib/auth.ts";
import { createTokens } from "../../lib/auth/tokens.ts";
import { byteLength } from "../../lib/bytes.ts";
import { type Config, defaultConfig } from "../../lib/config.ts";
import type { Carrier, CarrierEvents } from "../../lib/carrier.ts";
import type { Door } from "../../lib/door.ts";
import { json } from "../../lib/doors/json.ts";
import { plain } from "../../lib/doors/plain.ts";
import { Edge } from "../../lib/edge.ts";
import { Hub, type HubEvents, type HubOptions } from "../../lib/hub.ts";
import { createHubClient } from "../../lib/edge/hub_client.ts";
import { Link, type Port } from "../../lib/link.ts";
import type { Fields, Logger } from "../../lib/log.ts";
import type { EdgeMethods, HubMethods } from "../../lib/methods.ts";
import { Metrics } from "../../lib/metrics.ts";
import { Session } from "../../lib/session.ts";
import type { Data, HubClient, Sample, Start } from "../../lib/types.ts";
import "./channels.ts";
import { DelayedPaths } from "./delayed_paths.ts";

/** That of every edge. */
const SEAL = new Uint8Array(32).fill(7);

/** Notes what is logged. */
export class NotedLog implements Logger {
  readonly events: { event: string; fields: Fields }[] = [];
  readonly #waiting = new Set<() => void>();

  debug(event: string, fields: Fields = {}): void {
    this.events.push({ event, fields });
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
  info = this.debug;
  warning = this.debug;
  error = this.debug;
  with(): Logger {
    return this;
  }

  /** Resolves when the event was logged, before or from now on. */
  async until(name: string): Promise<Fields> {
    for (;;) {
      const found = this.events.find(({ event }) => event === name);
      if (found) return found.fields;
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
    }
  }
}

/** A client's end of a socket that does what the test says. */
export class FakeSocket implements Carrier {
  /** Every frame that was sent. */
  readonly sent: Data[] = [];
  /** How it was closed by the server. */
  closed: { code: number; reason: string } | undefined;
  /** Takes everything at once, or after the turn; or nothing until {@linkcode take}. */
  reads: "at once" | "after the turn" | "nothing" = "at once";
  /** Answers a close at once, as a client does that lives. */
  answers = true;
  /** Called before the server is told how much is pending. */
  asked: () => void = () => {};
  /** Bytes of each frame that the client has not taken, of the first what is left. */
  readonly unread: number[] = [];
  #events: CarrierEvents | undefined;
  #gone = false;
  #isOpened = false;
  readonly #waiting = new Set<() => void>();

  // What the server sees.

  listen(events: CarrierEvents): void {
    this.#events = events;
  }

  /** As strict as an engine's: nothing may be sent before it is open or after it was closed. */
  readonly outlet = {
    send: (data: Data): void => {
      if (!this.#isOpened || this.closed) throw new TypeError("The outlet of a socket that is not open was used.");
      this.send(data);
    },
  };

  get pending(): number {
    this.asked();
    return this.closed ? 0 : this.unread.reduce((sum, bytes) => sum + bytes, 0);
  }

  get isOpen(): boolean {
    return this.closed === undefined && !this.#gone;
  }

  send(data: Data): void {
    if (!this.isOpen) return;
    this.sent.push(data);
    const bytes = byteLength(data);
    if (this.reads !== "at once") this.unread.push(bytes);
    if (this.reads === "after the turn") setImmediate(() => this.take(bytes));
    this.#wake();
  }

  close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = { code, reason };
    this.#wake();
    if (this.answers) queueMicrotask(() => this.vanish(true));
  }

  // What the client does.

  open(): void {
    this.#isOpened = true;
    this.#events?.opened();
  }

  /** Sends a frame to the server. */
  say(data: Data): void {
    this.#events!.received(data);
  }

  /** Takes so many bytes of what is pending. */
  take(bytes = Infinity): void {
    let left = bytes;
    while (this.unread.length > 0 && this.unread[0]! <= left) left -= this.unread.shift()!;
    if (this.unread.length > 0) this.unread[0]! -= left;
  }

  /** Nothing is left of it. */
  vanish(clean = false): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#events!.closed(clean ? 1000 : 1006, "", clean);
    this.#wake();
  }

  /** Everything it got, as lines. */
  get lines(): string[] {
    return this.sent.flatMap((data) => String(data).split("\n"));
  }

  /** Lines of JSON without a type: publications. */
  // deno-lint-ignore no-explicit-any
  get publications(): any[] {
    return this.lines.map((line) => JSON.parse(line)).filter(({ type, id }) => type === undefined && id === undefined);
  }

  /** Lines of JSON of that type. */
  // deno-lint-ignore no-explicit-any
  ofType(type: string): any[] {
    return this.lines.map((line) => JSON.parse(line)).filter((line) => line.type === type);
  }

  /** Resolves when it hears so many channels. */
  async subscribed(count = 1): Promise<void> {
    await this.until(() => this.ofType("subscribed").length >= count);
  }

  /** The answer to the command of that id. */
  // deno-lint-ignore no-explicit-any
  async answer(id: number | string): Promise<any> {
    const find = () => this.lines.map((line) => JSON.parse(line)).find((line) => line.id === id);
    await this.until(() => find() !== undefined);
    return find();
  }

  /** Resolves as soon as it is so; looked at whenever something is sent or closed. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  /** Resolves when it has so many frames. */
  async frames(count: number): Promise<Data[]> {
    await this.until(() => this.sent.length >= count);
    return this.sent;
  }

  /** Resolves when the server has closed it. */
  async end(): Promise<{ code: number; reason: string }> {
    await this.until(() => this.closed !== undefined);
    return this.closed!;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** What a session is opened with. */
export interface ConnectOptions {
  readonly door?: Door;
  readonly channels?: readonly string[];
  readonly starts?: Readonly<Record<string, Start>>;
  readonly echo?: boolean;
  readonly formerly?: readonly string[];
  readonly address?: string;
  readonly grant?: Grant;
  /** Does not open the socket yet. */
  readonly closed?: boolean;
}

/** One edge of the stage. */
export class StageEdge {
  readonly link: Link<HubMethods>;
  readonly edge: Edge;
  readonly hub: HubClient;
  readonly log = new NotedLog();
  readonly metrics: Metrics;
  readonly auth: Auth;
  readonly ports: readonly MessagePort[];

  /** @param paths the ways between hub and edge; without them, real ones */
  constructor(hub: Hub, readonly number: number, readonly config: Config, busName: string, paths?: DelayedPaths) {
    const { port1, port2 } = new MessageChannel();
    this.ports = [port1, port2];
    const last = hub.join(number);
    hub.attach(number, paths?.hubPort ?? port1 as Port);
    const methods: Partial<EdgeMethods> = {};
    this.link = new Link<HubMethods>(paths?.edgePort ?? port2 as Port, methods);
    this.hub = createHubClient(this.link);
    this.metrics = new Metrics({ isolate: String(number) });
    this.auth = createAuth(config, {
      secret: new Uint8Array(32),
      tokens: createTokens(config, { keys: [] }),
      onFailure: (address) => this.hub.failedAuth(address),
    });
    const { link, log, metrics, auth } = this;
    this.edge = new Edge({
      ...{ config, number, busName: paths?.busName ?? busName, last, link, seal: SEAL, auth, log, metrics },
    });
    Object.assign(methods, this.edge.methods());
  }

  /**
   * Connects a client, as a door does.
   *
   * @throws {GongError} what the door would answer the handshake with
   */
  connect(options: ConnectOptions = {}): Client {
    const { door = json, channels = [], echo = true, formerly = [], address = "::1", grant, closed = false } = options;
    this.edge.checkRoom(address);
    const id = this.edge.registry.newId();
    const socket = new FakeSocket();
    const session = new Session(this.edge, {
      ...{ id, door, address, userAgent: "", grant, channels, echo, formerly, carrier: socket },
      starts: new Map(Object.entries(options.starts ?? {})),
    });
    this.edge.begin(session);
    if (!closed) socket.open();
    return { session, socket, id };
  }

  /** A client of the plain door that hears `a`. */
  plain(options: ConnectOptions = {}): Client {
    return this.connect({ door: plain, channels: ["a"], ...options });
  }

  /** A client of the JSON door that hears `a`. */
  json(options: ConnectOptions = {}): Client {
    return this.connect({ door: json, channels: ["a"], ...options });
  }

  close(): void {
    this.edge.close();
    for (const port of this.ports) port.close();
  }
}

export interface Client {
  readonly session: Session;
  readonly socket: FakeSocket;
  readonly id: string;
}

export interface StageOptions extends Partial<Pick<HubOptions, "openBroker">> {
  readonly edges?: number;
  readonly config?: Partial<Config>;
}

/** The whole of it. */
export class Stage {
  readonly config: Config;
  readonly hub: Hub;
  readonly log = new NotedLog();
  readonly metrics = new Metrics({ isolate: "hub" });
  readonly edges: StageEdge[] = [];
  readonly told: { event: keyof HubEvents; edge: number; detail?: unknown }[] = [];
  readonly #busName = crypto.randomUUID();
  readonly #ports: MessagePort[] = [];
  readonly #paths: DelayedPaths[] = [];

  constructor({ edges = 1, config = {}, ...options }: StageOptions = {}) {
    // A small outbox is one for small messages.
    const maxMessage = Math.min(65_536, config.outbox ?? 65_536);
    this.config = defaultConfig({ dev: true, maxMessage, ...config });
    this.hub = new Hub(this.config, {
      ...{ log: this.log, metrics: this.metrics, busName: this.#busName },
      events: {
        ready: (edge) => this.told.push({ event: "ready", edge }),
        failed: (edge, detail) => this.told.push({ event: "failed", edge, detail }),
        exhausted: (edge, detail) => this.told.push({ event: "exhausted", edge, detail }),
      },
      ...options,
    });
    for (let n = 0; n < edges; n++) this.startEdge();
  }

  /** The first edge. */
  get edge(): StageEdge {
    return this.edges[0]!;
  }

  startEdge(): StageEdge {
    const edge = new StageEdge(this.hub, this.edges.length + 1, this.config, this.#busName);
    this.edges.push(edge);
    return edge;
  }

  /** An edge to and from which nothing goes before it is told to. */
  startDelayedEdge(): { edge: StageEdge; paths: DelayedPaths } {
    const paths = new DelayedPaths(this.#busName);
    const edge = new StageEdge(this.hub, this.edges.length + 1, this.config, this.#busName, paths);
    this.edges.push(edge);
    this.#paths.push(paths);
    return { edge, paths };
  }

  /** An edge that gets nothing from the bus, and says only what it is told to. */
  startSilentEdge(number: number, methods: Partial<Record<keyof EdgeMethods, unknown>> = {}): Link<HubMethods> {
    const { port1, port2 } = new MessageChannel();
    this.#ports.push(port1, port2);
    this.hub.join(number);
    this.hub.attach(number, port1 as Port);
    return new Link<HubMethods>(port2 as Port, { remind() {}, full() {}, ...methods });
  }

  /** Publishes texts to one channel, through an edge. */
  async publish(channel: string, ...data: Data[]): ReturnType<HubClient["publish"]> {
    return await this.edge.hub.publish(data.map((data) => ({ channel, data, contentType: "text/plain" })));
  }

  /** A figure over all isolates, its labels added up. */
  async figure(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return figureOf(await this.hub.directory.samples(), name, labels);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const edge of this.edges) edge.close();
    for (const port of this.#ports) port.close();
    for (const paths of this.#paths) paths.close();
    await this.hub.close();
  }
}

export function figureOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const fits = (sample: Sample) =>
    sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
  return samples.filter(fits).reduce((sum, { value }) => sum + value, 0);
}

/** The last text of {@linkcode publishAll}. */
export const END = "end";

/** Publishes the texts in one turn, then, in another one, `end`; resolves when all clients have got that, or are closed. */
export async function publishAll(
  stage: Stage,
  channel: string,
  texts: readonly Data[],
  clients: readonly Pick<Client, "socket">[],
): Promise<void> {
  await stage.publish(channel, ...texts);
  await stage.publish(channel, END);
  await Promise.all(clients.map(({ socket }) => {
    return socket.until(() => !socket.isOpen || String(socket.sent.at(-1)).includes(END));
  }));
}

export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `message ${n + 1}`);
}
