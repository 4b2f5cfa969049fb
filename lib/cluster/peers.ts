/**
 * The other nodes, as a hub sees them: what nodes ask of each other, and how.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { EngineAnswer, EngineOrder } from "../engineio/orders.ts";
import type { Asker } from "./asking.ts";
import type { Batch, Taken } from "./changes.ts";
import type { NodeTrace, Recovery, Selector, SessionInfo, SessionPage, Signal, Totals } from "../types.ts";

/** What a node asks of another. Payloads and answers are JSON but for `Signal.data`, which may be bytes. */
export interface NodeMethods {
  sessions(page: { after?: string; limit: number }): Promise<SessionPage>;
  session(id: string): Promise<SessionInfo | undefined>;
  closeSession(order: { id: string; code: number; reason: string }): Promise<boolean>;
  /** In their order; of each how many sessions it has reached. */
  signals(orders: readonly { sessions: readonly string[] | "all"; signal: Signal }[]): Promise<number[]>;
  answer(order: { reply: string; signal: Signal }): Promise<boolean>;
  disconnect(order: { selector: Selector; reason: string }): Promise<number>;
  subscribeSessions(order: { selector: Selector; channel: string }): Promise<number>;
  unsubscribeSessions(order: { selector: Selector; channel: string }): Promise<number>;
  totals(payload: null): Promise<Omit<Totals, "users">>;
  /** What it has noted of traced publications with this id. */
  traces(id: string): Promise<NodeTrace[]>;
  /** That node has ended, as it should. */
  left(node: number): Promise<void>;
  /** What has become of another node's sessions; see {@linkcode Taken}. */
  roster(batch: Batch): Promise<Taken>;
  /** A schedule has changed, perhaps. */
  scheduled(id: string): Promise<void>;
  /** An admin login has ended. */
  revoke(login: string): Promise<void>;
  /** Of a session of Engine.IO that an edge of the node owns. Who asks for a poll and leaves ends its session. */
  engine(order: { edge: number; order: EngineOrder }, asker: Asker): Promise<EngineAnswer>;
  /** Who polled a session of Engine.IO that an edge of the node owns is gone. */
  abandonPoll(order: { edge: number; sid: string }): Promise<void>;
  /** Ends a session whose client goes on with another, and answers when it is no more; whether there was one. */
  supersede(session: string): Promise<boolean>;
  /**
   * What is kept under a `pid` for this user: it is the asking node's from now on, and the session that had it is no more,
   * unless it is the one that comes back. Or the node to which it was given before.
   *
   * @param order `wasGiven`: that was said of the node that is asked, which may not have it yet
   */
  surrender(
    order: { pid: string; session: string; user?: string; node: number; wasGiven?: true },
  ): Promise<{ recovery: Recovery } | { node: number } | undefined>;
  /** What was kept under a `pid` has come to the asking node: until that is said, it is given to that node again. */
  received(pid: string): Promise<void>;
}

type Payload<M extends keyof NodeMethods> = Parameters<NodeMethods[M]>[0];
type Answer<M extends keyof NodeMethods> = Awaited<ReturnType<NodeMethods[M]>>;

/** The other nodes that have a lease. */
export interface Peers {
  /** Number of this node; 0 where there is only one. */
  readonly node: number;
  /** Numbers of the others. */
  readonly others: readonly number[];
  /**
   * @param patience milliseconds; default 2000
   * @throws {GongError} `not_found`: there is no such node, or not any more; `overloaded`: it does not answer in time
   */
  request<M extends keyof NodeMethods>(
    node: number,
    method: M,
    payload: Payload<M>,
    patience?: number,
  ): Promise<Answer<M>>;
  /** What the others answer, without those that do not in time. */
  askAll<M extends keyof NodeMethods>(
    method: M,
    payload: Payload<M>,
  ): Promise<{ readonly node: number; readonly answer: Answer<M> }[]>;
}

/** Where there is only one node. */
export const ALONE: Peers = {
  node: 0,
  others: [],
  request: () => Promise.reject(new GongError("not_found")),
  askAll: () => Promise.resolve([]),
};
