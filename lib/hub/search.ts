/**
 * A search for what one client goes on with, from node to node.
 *
 * @module
 */
import type { NodeMethods, Peers } from "../cluster/peers.ts";
import { GongError } from "../errors.ts";
import { Lately } from "../lately.ts";
import type { Recovery } from "../types.ts";

/** Who asks for what. */
export type Order = Parameters<NodeMethods["surrender"]>[0];
type Answer = Awaited<ReturnType<NodeMethods["surrender"]>>;

/** What a {@linkcode Search} is made of. */
export interface SearchOptions {
  readonly peers: Pick<Peers, "node" | "others" | "request">;
  readonly silences: Silences;
  /** The node to which it was given from here. */
  readonly heirOf: (pid: string) => { node: number } | undefined;
  /** What a node that has ended has left of it. */
  readonly inherit: (pid: string, user: string | undefined) => Promise<Recovery | undefined>;
  /** Told of the node from which it has come. */
  readonly onFound: (node: number) => void;
}

/** How often it is followed from node to node. */
const MOST_MOVES = 8;
/** How long somebody who says nothing may be about to say something, in milliseconds. */
const MOST_SILENCE = 30_000;

/** Who does not say what it has, for how long: a node, or the broker, which has what nodes have left. */
export class Silences {
  readonly #since = new Lately<number | "broker", number>();

  heard(who: number | "broker"): void {
    this.#since.delete(who);
  }

  /** It has said nothing. Returns whether it may soon. */
  note(who: number | "broker"): boolean {
    const now = performance.now();
    const since = this.#since.get(who) ?? now;
    this.#since.set(who, since);
    return now - since < MOST_SILENCE;
  }
}

/** One of them. */
export class Search {
  readonly #options: SearchOptions;
  readonly #order: Order;
  readonly #asked = new Set<number>();
  readonly #silent = new Set<number>();
  /** Why it may be somewhere though it is not found. */
  #failure: unknown;

  constructor(order: Order, options: SearchOptions) {
    this.#order = order;
    this.#options = options;
  }

  /**
   * Mostly it is where it was made, or has gone on from here. Where it is on its way somewhere, there it is waited for.
   *
   * @throws {GongError} `overloaded` when it is not found, but who should have it will perhaps say so later
   */
  async run(maker: number): Promise<Recovery | undefined> {
    for (const start of new Set([this.#options.peers.node, maker])) {
      const found = await this.#follow(start);
      if (found) return found;
    }
    const found = await this.#inherit() ?? await this.#askOthers();
    if (!found && this.#failure !== undefined) throw this.#failure;
    return found;
  }

  /** Where it has been it is known where it has gone. */
  async #follow(start: number, wasGiven = false): Promise<Recovery | undefined> {
    const { peers, heirOf } = this.#options;
    let node: number | undefined = start;
    for (let moves = 0; node !== undefined && moves < MOST_MOVES; moves++) {
      const order: Order = wasGiven || moves > 0 ? { ...this.#order, wasGiven: true } : this.#order;
      const answer: Answer = node === peers.node
        ? heirOf(order.pid)
        : await this.#request(node, order).catch((error) => this.#failed(error));
      if (answer && "recovery" in answer) return answer.recovery;
      node = answer?.node;
    }
    return undefined;
  }

  /** Nobody knows where it is: those that were not asked yet. */
  async #askOthers(): Promise<Recovery | undefined> {
    const others = this.#options.peers.others.filter((node) => !this.#asked.has(node));
    const answers = others.map((node) => this.#request(node, this.#order).catch(nothing));
    // Who stands still is not waited for where another one has it.
    const found = await Promise.any(answers.map(async (answer) => recoveryOf(await answer) ?? Promise.reject()))
      .catch(nothing);
    if (found) return found;
    const [heir] = (await Promise.all(answers)).flatMap((answer) => answer && "node" in answer ? answer.node : []);
    return heir === undefined ? undefined : await this.#follow(heir, true) ?? await this.#inherit();
  }

  async #inherit(): Promise<Recovery | undefined> {
    const { inherit, silences } = this.#options;
    const { pid, user } = this.#order;
    try {
      const recovery = await inherit(pid, user);
      silences.heard("broker");
      return recovery;
    } catch (error) {
      return this.#failed(silences.note("broker") ? error : undefined);
    }
  }

  /** @throws {GongError} `overloaded` when it may have it, and does not say so */
  async #request(node: number, order: Order): Promise<Answer> {
    const { peers, silences, onFound } = this.#options;
    if (this.#silent.has(node) || !peers.others.includes(node)) return undefined;
    this.#asked.add(node);
    const ask = () => peers.request(node, "surrender", order);
    try {
      // One that was too slow to answer may have given it all the same.
      const answer = await ask().catch(ask);
      silences.heard(node);
      if (recoveryOf(answer)) onFound(node);
      return answer;
    } catch (error) {
      this.#silent.add(node);
      if (isAlive(error) && silences.note(node)) throw error;
      return undefined;
    }
  }

  #failed(error: unknown): undefined {
    this.#failure ??= error;
  }
}

function recoveryOf(answer: Answer): Recovery | undefined {
  return answer && "recovery" in answer ? answer.recovery : undefined;
}

/** Where nothing listens there is no node any more: what it has kept is gone with it. */
function isAlive(error: unknown): boolean {
  return error instanceof GongError && error.code === "overloaded" && !(error.cause instanceof TypeError);
}

/** Of a node that does not answer. */
function nothing(): undefined {}
