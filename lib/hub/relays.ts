/**
 * What edges ask of each other's sessions of Engine.IO, those of other nodes too, and the way of a session from one edge to
 * another.
 *
 * @module
 */
import { type Asker, MAX_BODY } from "../cluster/asking.ts";
import type { NodeMethods, Peers } from "../cluster/peers.ts";
import { wireLength } from "../cluster/wire.ts";
import type { EndedSession, EngineAnswer, MovedSession } from "../engineio/orders.ts";
import { GongError } from "../errors.ts";
import { ByteBudget } from "../http/body.ts";
import { within } from "../link.ts";
import { type HubMethods, nodeOf } from "../methods.ts";
import type { Metrics } from "../metrics.ts";
import { type Directory, PATIENCE } from "./directory.ts";

/** How long a session may take to be handed over, in seconds: what is under way in it comes to its end first. */
const OF_MOVE = 5;

type Order<M extends keyof HubMethods> = Parameters<HubMethods[M]>[0];

/** What {@linkcode Relays} are made of. */
export interface RelaysOptions {
  readonly directory: Pick<Directory, "has" | "request" | "tell">;
  readonly peers: Pick<Peers, "node" | "request">;
  readonly metrics: Pick<Metrics, "count">;
  /** How long a session has nothing to say to who polls it at most, in seconds: else its client is gone. */
  readonly silence: number;
  /** The session was on the one edge and is on the other from now on; false when it is not counted there. */
  readonly move: (from: number, to: number, id: string) => boolean;
  /** The session is no more. */
  readonly release: (edge: number, id: string) => void;
  /** How long an edge may take to answer, in seconds. Default 2, and 5 for a session to be handed over. */
  readonly patience?: number;
  /** Bytes that all POSTs together may have on their way to other nodes, as they are sent. Default 144 MiB. */
  readonly budget?: number;
}

/** Relays between edges. */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #budget: ByteBudget;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.budget ?? MAX_BODY);
  }

  /** What this node answers to others. */
  methods(): Pick<NodeMethods, "engine" | "abandonPoll"> {
    return {
      engine: ({ edge, order }, asker) => this.#serve({ edge, order }, asker),
      abandonPoll: ({ edge, sid }) => Promise.resolve(this.#options.directory.tell(edge, "abandonPoll", sid)),
    };
  }

  /** As {@linkcode HubMethods.engine}. A poll takes as long as there is nothing for it. */
  engine(order: Order<"engine">): Promise<EngineAnswer> {
    return this.#isOthers(order.edge) ? this.#relay(order) : this.#askEdge(order);
  }

  abandonPoll({ edge, sid }: Order<"abandonPoll">): void {
    const { directory, peers } = this.#options;
    if (!this.#isOthers(edge)) return directory.tell(edge, "abandonPoll", sid);
    peers.request(nodeOf(edge), "abandonPoll", { edge, sid }).catch(() => {});
  }

  #isOthers(edge: number): boolean {
    return nodeOf(edge) !== this.#options.peers.node;
  }

  async #relay({ edge, order }: Order<"engine">): Promise<EngineAnswer> {
    const { peers, silence, patience = PATIENCE } = this.#options;
    const isPoll = order.kind === "poll";
    const wait = (isPoll ? silence + patience : patience) * 1000;
    const size = order.kind === "post" ? wireLength(order.body) : 0;
    if (!this.#budget.take(size)) {
      this.#count("failed");
      throw new GongError("overloaded", "Too many requests are on their way to other nodes.", { retryAfter: 1 });
    }
    try {
      const answer = await peers.request(nodeOf(edge), "engine", { edge, order }, wait);
      this.#count(answer.refusal ? "refused" : "answered");
      return answer;
    } catch (error) {
      this.#count("failed");
      if (!isPoll) throw error;
      // What the poll was answered may be lost, and the next one would not tell.
      this.abandonPoll({ edge, sid: order.sid });
      throw new GongError("not_found", undefined, { cause: error });
    } finally {
      this.#budget.give(size);
    }
  }

  #count(outcome: "answered" | "refused" | "failed"): void {
    this.#options.metrics.count("gong_relayed_total", { outcome });
  }

  async #serve({ edge, order }: Order<"engine">, asker: Asker): Promise<EngineAnswer> {
    if (order.kind === "poll") asker.onLeft(() => this.#options.directory.tell(edge, "abandonPoll", order.sid));
    return await this.#askEdge({ edge, order });
  }

  async #askEdge({ edge, order }: Order<"engine">): Promise<EngineAnswer> {
    const { directory, patience = PATIENCE } = this.#options;
    const answer = directory.request(edge, "engine", order);
    try {
      return await (order.kind === "poll" ? answer : within(patience, answer));
    } catch (error) {
      throw gone(error);
    }
  }

  /**
   * As {@linkcode HubMethods.take}. From the instant of the owner's answer the session is counted with the edge that asks;
   * where nobody is left to get it, it is no more.
   */
  async take(taker: number, { edge, sid }: Order<"take">): Promise<MovedSession | EndedSession> {
    const { directory, move, release, patience = OF_MOVE } = this.#options;
    let isLate = false;
    // With the answer itself, before anything that its edge says later.
    const taken = directory.request(edge, "give", sid).then((moved) => {
      if ("ended" in moved) return moved;
      const { id } = moved.session;
      if (isLate || !directory.has(taker)) release(edge, id);
      else if (!move(edge, taker, id)) throw new GongError("not_found", "The session is not counted.");
      return moved;
    });
    try {
      return await within(patience, taken);
    } catch (error) {
      isLate = true;
      throw gone(error);
    }
  }
}

/** An edge that ends has no sessions any more. */
function gone(error: unknown): unknown {
  return error instanceof GongError && error.code === "restarting" ? new GongError("not_found") : error;
}
