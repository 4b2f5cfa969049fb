/**
 * What clients that come back go on with, where another node keeps it, or has left it behind.
 *
 * @module
 */
import type { Peers } from "../cluster/peers.ts";
import { GongError } from "../errors.ts";
import { Lately } from "../lately.ts";
import { within } from "../link.ts";
import { nodeOf } from "../methods.ts";
import type { Metrics } from "../metrics.ts";
import { Tally } from "../tally.ts";
import { startTimer } from "../timer.ts";
import type { Recovery } from "../types.ts";
import type { Recoveries } from "./recoveries.ts";
import { type Order, Search, Silences } from "./search.ts";

/** What {@linkcode Seeking} is made of. */
export interface SeekingOptions {
  readonly recoveries: Pick<Recoveries, "receive" | "inherit">;
  readonly peers: Pick<Peers, "node" | "others" | "request">;
  readonly metrics: Pick<Metrics, "count">;
  /** After how long a node that has not heard it is told again what has come, in milliseconds. Default 1000. */
  readonly wait?: number;
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

/** Those that are looked for at once. */
const MOST = 1000;
/** And for one address. */
const MOST_OF_ADDRESS = 250;
/** How long it may be on its way here before who asks for it is told so, in seconds. */
const PATIENCE = 1;
/** After how long it is said again that it has come, in milliseconds, and how often, so that a node may stand still. */
const RETRY = 1000;
const MOST_TRIES = 20;

/** The way to what others keep. */
export class Seeking {
  readonly #options: SeekingOptions;
  readonly #underway = new Map<string, Promise<Recovery | undefined>>();
  readonly #byAddress = new Tally<string>();
  readonly #silences = new Silences();
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

  isUnderway(pid: string): boolean {
    return this.#underway.has(pid);
  }

  /** Resolves when it is not looked for from here any more, or soon: it may be kept here by then. */
  async settled(pid: string): Promise<void> {
    const found = this.#underway.get(pid);
    // Those who ask may wait for each other.
    if (found) await within(PATIENCE, found).catch(() => {});
  }

  /**
   * Fetches it: what is found is kept here from then on.
   *
   * @returns what was found and cannot be kept, for want of room: it is gone on with all the same, this once
   * @throws {GongError} `overloaded` when too much is looked for, or it may be where nobody answers; `going_away`: it was
   * left to others
   */
  async seek(sought: Sought): Promise<Recovery | undefined> {
    const { pid, address } = sought;
    const underway = this.#underway.get(pid);
    // Who looks for the same finds it here.
    if (underway) return void await underway;
    if (this.#underway.size >= MOST || this.#byAddress.of(address) >= MOST_OF_ADDRESS) {
      throw new GongError("overloaded", undefined, { retryAfter: 1 });
    }
    this.#byAddress.add(address);
    const found = this.#fetch(sought).finally(() => {
      this.#underway.delete(pid);
      this.#byAddress.delete(address);
    });
    this.#underway.set(pid, found);
    return await found;
  }

  async #fetch(sought: Sought): Promise<Recovery | undefined> {
    const { recoveries, metrics } = this.#options;
    const { pid, address } = sought;
    const recovery = await this.#search(sought);
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

  async #search({ pid, session, user, maker }: Sought): Promise<Recovery | undefined> {
    const { peers, recoveries } = this.#options;
    const order = { pid, session, node: peers.node, ...user === undefined ? {} : { user } };
    const search = new Search(order, {
      ...{ peers, silences: this.#silences },
      heirOf: (pid) => this.heirOf(pid),
      inherit: (pid, user) => recoveries.inherit(pid, user),
      onFound: (node) => void this.#thank(node, pid),
    });
    return await search.run(nodeOf(maker));
  }

  /** As long as that is not known there, it may be given from there again, though it has gone on from here. */
  async #thank(node: number, pid: string): Promise<void> {
    const { peers, wait = RETRY } = this.#options;
    for (let tries = 0; tries < MOST_TRIES && peers.others.includes(node); tries++) {
      // Given away from here, it may be on its way from there anew.
      if (tries > 0 && this.#given.has(pid)) return;
      try {
        return await peers.request(node, "received", pid);
      } catch {
        await new Promise<void>((resolve) => startTimer(wait, resolve));
      }
    }
  }
}
