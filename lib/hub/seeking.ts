/**
 * What clients that come back go on with, where another node keeps it, or has left it behind.
 *
 * @module
 */
import type { NodeMethods, Peers } from "../cluster/peers.ts";
import { GongError } from "../errors.ts";
import { Lately } from "../lately.ts";
import { nodeOf } from "../methods.ts";
import type { Metrics } from "../metrics.ts";
import type { Recovery } from "../types.ts";
import type { Recoveries } from "./recoveries.ts";

/** What {@linkcode Seeking} is made of. */
export interface SeekingOptions {
  readonly recoveries: Pick<Recoveries, "receive" | "inherit">;
  readonly peers: Pick<Peers, "node" | "others" | "request">;
  readonly metrics: Pick<Metrics, "count">;
}

/** What is looked for, and for whom. */
export interface Sought {
  readonly pid: string;
  /** Who comes back: its id now, its user and its address. */
  readonly session: string;
  readonly user?: string;
  readonly address: string;
  /** The edge that has made the `pid`. */
  readonly maker: number;
}

/** What was given to another node, which has perhaps not got it. */
interface Gift {
  readonly node: number;
  readonly recovery: Recovery | undefined;
}

type Order = Parameters<NodeMethods["surrender"]>[0];

/** Those that are looked for at once. */
const MOST = 1000;
/** How often it is followed from node to node. */
const MOST_MOVES = 8;

/** The way to what others keep. */
export class Seeking {
  readonly #options: SeekingOptions;
  readonly #underway = new Map<string, Promise<Recovery | undefined>>();
  /** What was given from here. */
  readonly #given = new Lately<string, Gift>();

  constructor(options: SeekingOptions) {
    this.#options = options;
  }

  /** It is that node's from now on. */
  gave(pid: string, node: number, recovery: Recovery): void {
    this.#given.set(pid, { node, recovery });
  }

  /** What was given to that node, for the same user, and has not come there. */
  unreceived({ pid, node, user }: Order): Recovery | undefined {
    const gift = this.#given.get(pid);
    return gift?.node === node && gift.recovery?.user === user ? gift.recovery : undefined;
  }

  /** It has come to the node that it was given to. */
  received(pid: string): void {
    const node = this.#given.get(pid)?.node;
    if (node !== undefined) this.#given.set(pid, { node, recovery: undefined });
  }

  /** The node to which it was given from here. */
  heirOf(pid: string): { node: number } | undefined {
    const gift = this.#given.get(pid);
    return gift && { node: gift.node };
  }

  /** Resolves when it is not looked for from here any more: it may be kept here by then. */
  async settled(pid: string): Promise<void> {
    await this.#underway.get(pid)?.catch(() => {});
  }

  /**
   * Fetches it: what is found is kept here from then on.
   *
   * @returns what was found and cannot be kept, for want of room: it is gone on with all the same, this once
   * @throws {GongError} `overloaded` when too much is looked for; `going_away`: it was left to others
   */
  async seek(sought: Sought): Promise<Recovery | undefined> {
    const { pid } = sought;
    // Who looks for the same finds it here.
    if (this.#underway.has(pid)) return void await this.settled(pid);
    if (this.#underway.size >= MOST) throw new GongError("overloaded", undefined, { retryAfter: 1 });
    const found = this.#fetch(sought).finally(() => this.#underway.delete(pid));
    this.#underway.set(pid, found);
    return await found;
  }

  async #fetch(sought: Sought): Promise<Recovery | undefined> {
    const { recoveries, metrics } = this.#options;
    const { pid, address } = sought;
    const recovery = await this.#ask(sought);
    if (!recovery) return undefined;
    this.#given.delete(pid);
    metrics.count("gong_recoveries_taken_total");
    try {
      await recoveries.receive(pid, recovery, address);
      return undefined;
    } catch (error) {
      if (error instanceof GongError && error.code === "overloaded") return recovery;
      throw error;
    }
  }

  /** Mostly it is where it was made. Where it is on its way somewhere, there it is waited for. */
  async #ask({ pid, session, user, maker }: Sought): Promise<Recovery | undefined> {
    const { peers } = this.#options;
    const order = { pid, session, node: peers.node, ...user === undefined ? {} : { user } };
    const found = await this.#follow(nodeOf(maker), order) ?? await this.#inherit(order);
    if (found) return found;
    const answers = await Promise.all(peers.others.map((node) => this.#request(node, order)));
    for (const answer of answers) if (answer && "recovery" in answer) return answer.recovery;
    const [heir] = answers.flatMap((answer) => answer && "node" in answer ? answer.node : []);
    if (heir === undefined) return undefined;
    return await this.#follow(heir, { ...order, wasGiven: true }) ?? await this.#inherit(order);
  }

  /** Where it has been it is known where it has gone. */
  async #follow(start: number, order: Order): Promise<Recovery | undefined> {
    const { peers } = this.#options;
    let node: number | undefined = start;
    for (let moves = 0; node !== undefined && moves < MOST_MOVES; moves++) {
      const isHere: boolean = node === peers.node;
      if (!isHere && !peers.others.includes(node)) return undefined;
      const answer: Awaited<ReturnType<NodeMethods["surrender"]>> = isHere
        ? this.heirOf(order.pid)
        : await this.#request(node, moves > 0 ? { ...order, wasGiven: true } : order);
      if (answer && "recovery" in answer) return answer.recovery;
      node = answer?.node;
    }
    return undefined;
  }

  #inherit({ pid, user }: Order): Promise<Recovery | undefined> {
    return this.#options.recoveries.inherit(pid, user).catch(nothing);
  }

  async #request(node: number, order: Order): ReturnType<NodeMethods["surrender"]> {
    const { peers } = this.#options;
    const ask = () => peers.request(node, "surrender", order);
    // One that was too slow to answer may have given it all the same.
    const answer = await ask().catch(ask).catch(nothing);
    if (answer && "recovery" in answer) peers.request(node, "received", order.pid).catch(nothing);
    return answer;
  }
}

/** Of a node that does not answer. */
function nothing(): undefined {}
