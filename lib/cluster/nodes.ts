/**
 * The nodes of a cluster as one of them sees it: who has a lease, and the way to each.
 *
 * @module
 */
import { parseListenAddress, urlHost } from "../config.ts";
import { GongError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { Multimap } from "../multimap.ts";
import { startTimer, type Timer } from "../timer.ts";
import type { Member, Membership } from "../types.ts";
import { Asking } from "./asking.ts";
import type { NodeMethods, Peers } from "./peers.ts";

/** What {@linkcode Nodes} are made of. */
export interface NodesOptions {
  readonly membership: Membership;
  /** Length of a lease, in seconds. */
  readonly lease: number;
  /** Where this node listens to others: `HOST:PORT`, 0 for a free port. */
  readonly listen: string;
  /** Where they reach it; empty: where it listens. */
  readonly address: string;
  readonly version: string;
  /** What this node offers. */
  readonly methods: Partial<NodeMethods>;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "count" | "gauge">;
  /** A node has come, or has come back after it counted as gone. */
  readonly onJoined?: (node: number) => void;
  /** A node is gone, with all its sessions. */
  readonly onGone?: (node: number) => void;
  /** This node counted as gone, and is there again: the others have to be told everything anew. */
  readonly onReturned?: () => void;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
  /** Default `setTimeout`. */
  readonly timer?: Timer;
}

/** The parts of a lease after which it is renewed, and for which the broker is told to keep it: what is over is noticed in time. */
const RENEWED = 1 / 8;
const KEPT = 3 / 4;
/** How long another node may take to answer, in milliseconds. */
const PATIENCE = 2000;

/** This node among the others. */
export class Nodes implements Peers {
  readonly #options: NodesOptions;
  readonly #now: () => number;
  readonly #timer: Timer;
  readonly #members = new Map<number, Member>();
  /** What ends all that a member is being asked. */
  readonly #asked = new Multimap<Member, AbortController>();
  /** Nodes that did not answer when they were last asked. */
  readonly #silent = new Set<number>();
  readonly #run = crypto.randomUUID();
  #asking: Asking | undefined;
  #self: Member | undefined;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  /** Until then nobody counts as gone: the broker may know less than was so. */
  #graceEnds = -Infinity;
  #stopTimer: () => void = () => {};
  #isClosed = false;

  constructor(options: NodesOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#timer = options.timer ?? startTimer;
  }

  get node(): number {
    return this.#self?.node ?? 0;
  }

  get others(): readonly number[] {
    return [...this.#members.keys()];
  }

  /**
   * Listens, takes a number and finds the others.
   *
   * @param secret that of the cluster, 32 bytes
   * @throws {GongError} `overloaded` when the broker cannot be asked
   * @throws {Deno.errors.AddrInUse} and others when it cannot listen
   */
  async start(secret: Uint8Array): Promise<void> {
    const { membership, lease, listen, version, methods, log, metrics } = this.#options;
    const asking = this.#asking = new Asking({
      ...{ secret, methods, run: this.#run },
      onFault: (error, method) => log.error("node.fault", { method, error: String(error) }),
      onAsked: (outcome) => metrics.count("gong_node_requests_total", { outcome }),
    });
    const { host: hostname, port } = parseListenAddress(listen);
    this.#server = Deno.serve({
      ...{ hostname, port },
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
    }, (request, { completed }) => asking.serve(request, completed));
    const { addr } = this.#server;
    const address = this.#options.address || `http://${urlHost(addr.hostname)}:${addr.port}`;
    const member = { address, version, run: this.#run };
    const node = await membership.join(member, lease * KEPT);
    this.#self = { node, ...member };
    log.info("node.joined", { node, address });
    await this.#renew();
  }

  async request<M extends keyof NodeMethods>(
    node: number,
    method: M,
    payload: Parameters<NodeMethods[M]>[0],
    patience = PATIENCE,
  ): Promise<Awaited<ReturnType<NodeMethods[M]>>> {
    const member = this.#members.get(node);
    if (!member) throw new GongError("not_found", "There is no such node.");
    const asked = new AbortController();
    const stopTimer = startTimer(patience, () => asked.abort());
    this.#asked.add(member, asked);
    try {
      const answer = await this.#asking!.ask(member, method, payload, asked.signal);
      this.#silent.delete(node);
      return answer as Awaited<ReturnType<NodeMethods[M]>>;
    } catch (error) {
      // That it is gone is known better than that it does not answer.
      if (this.#members.get(node) !== member) throw new GongError("not_found", "That node is gone.", { cause: error });
      this.#note(member, error);
      throw error;
    } finally {
      stopTimer();
      this.#asked.delete(member, asked);
    }
  }

  async askAll<M extends keyof NodeMethods>(
    method: M,
    payload: Parameters<NodeMethods[M]>[0],
  ): Promise<{ readonly node: number; readonly answer: Awaited<ReturnType<NodeMethods[M]>> }[]> {
    const asked = this.others.map(async (node) => ({ node, answer: await this.request(node, method, payload) }));
    const settled = await Promise.allSettled(asked);
    return settled.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  }

  /** The node has given its lease back. */
  left(node: number): void {
    if (this.#members.has(node)) this.#lose(node);
  }

  /** Gives its lease back, tells the others, so that nobody waits for its end, and listens no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    if (this.#self) {
      await this.#options.membership.leave(this.node).catch(() => {});
      await this.askAll("left", this.node);
    }
    await this.#server?.shutdown();
  }

  async #renew(): Promise<void> {
    const { membership, lease } = this.#options;
    try {
      const { members, wasOver } = await membership.renew(this.#self!, lease * KEPT);
      if (this.#isClosed) return;
      // Who has lost its own lease has it from the broker, which may have lost those of others too.
      if (wasOver) this.#graceEnds = this.#now() + lease * 1000;
      this.#take(members);
      if (wasOver) this.#options.onReturned?.();
    } catch (error) {
      this.#options.log.debug("node.unrenewed", { error: String(error) });
      // The others cannot renew theirs either.
      this.#graceEnds = this.#now() + lease * 1000;
    }
    if (!this.#isClosed) this.#stopTimer = this.#timer(lease * RENEWED * 1000, () => void this.#renew());
  }

  #take(members: readonly Member[]): void {
    const { log, metrics, onJoined } = this.#options;
    const found = new Map(members.map((member) => [member.node, member]));
    found.delete(this.node);
    for (const [node, { run }] of [...this.#members]) {
      if (found.get(node)?.run === run || !found.has(node) && this.#now() < this.#graceEnds) continue;
      this.#lose(node);
    }
    for (const member of found.values()) {
      if (this.#members.has(member.node)) continue;
      this.#members.set(member.node, member);
      log.info("node.found", { node: member.node, address: member.address });
      onJoined?.(member.node);
    }
    metrics.gauge("gong_nodes", {}, this.#members.size + 1);
  }

  #lose(node: number): void {
    const { log, metrics, onGone } = this.#options;
    const member = this.#members.get(node)!;
    this.#members.delete(node);
    for (const asked of [...this.#asked.get(member)]) asked.abort();
    this.#silent.delete(node);
    metrics.gauge("gong_nodes", {}, this.#members.size + 1);
    log.warning("node.gone", { node });
    onGone?.(node);
  }

  /** One that stays silent is worth one line. */
  #note({ node, address }: Member, error: unknown): void {
    const cause = error instanceof GongError && error.code === "overloaded" ? error.cause : undefined;
    if (cause === undefined || this.#silent.has(node)) return;
    this.#silent.add(node);
    this.#options.log.warning("node.silent", { node, address, error: String(cause) });
  }
}
