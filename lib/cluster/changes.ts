/**
 * What nodes tell each other of their sessions.
 *
 * @module
 */

/**
 * What a node tells of one of its sessions: it is there, though another node has made its id; it is a user's, whose info is
 * null if there is none; it hears a channel since then, taken at; it does not; where leaving is published, that has been
 * done; it is no more. A kind that is not known is passed over.
 */
export type Change =
  | readonly ["here", session: string]
  | readonly ["user", session: string, user: string, info: string | null]
  | readonly ["join", session: string, channel: string, since: number, at: number]
  | readonly ["leave", session: string, channel: string]
  | readonly ["said", session: string, channel: string]
  | readonly ["gone", session: string];

/** Whether a batch was taken: not when something before it is missing; anew, when nothing was known of that node before its run. */
export type Taken = boolean | "anew";

/** Changes of a node's sessions that follow each other. */
export interface Batch {
  readonly node: number;
  /** No other start of a node has the same, nor the same one after it counted as gone. */
  readonly run: string;
  /** Counts the batches to one node: one up each, or more where all is begun anew. */
  readonly sequence: number;
  readonly changes: readonly Change[];
  /** With this one begins, or ends, all that there is: what is not told of is no more. */
  readonly begins?: true;
  readonly ends?: true;
}
