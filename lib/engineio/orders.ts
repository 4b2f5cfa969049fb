/**
 * What edges ask of each other about Engine.IO sessions: requests of one session reach whichever edge accepts their
 * connection, and only its owner has it. Plain values, as they cross isolates.
 *
 * @module
 */
import type { PackedGrant } from "../auth/grant.ts";
import type { Data, Position, Refusal } from "../types.ts";

/** 3 is that of Socket.IO 2. */
export type EngineProtocol = 3 | 4;

/** A GET: what waits for the client, as soon as there is something. */
export interface PollOrder {
  readonly kind: "poll";
  readonly sid: string;
  /** The client takes no bytes: they are to be base64 (only 3 has payloads of bytes). */
  readonly asText: boolean;
}

/** A POST: what the client says. */
export interface PostOrder {
  readonly kind: "post";
  readonly sid: string;
  /** Of the request, unique over all edges. */
  readonly id: string;
  readonly body: Data;
}

/** A POST takes its time to be read. */
export interface PostingOrder {
  readonly kind: "posting";
  readonly sid: string;
  /** That of the order to come. */
  readonly id: string;
}

/** A WebSocket wants to go on with the session; or, `off`, does not any more. */
export interface ProbeOrder {
  readonly kind: "probe";
  readonly sid: string;
  /** Of the WebSocket, unique over all edges. */
  readonly id: string;
  readonly off?: true;
}

/** Who polls it by another node has to do so by another way: let go without anything, unless there is something. */
export interface ReleaseOrder {
  readonly kind: "release";
  readonly sid: string;
}

/** A POST that was refused where it was read: it ends the session, if that polls. */
export interface FailOrder {
  readonly kind: "fail";
  readonly sid: string;
  readonly refusal: EngineRefusal;
}

export type EngineOrder = PollOrder | PostOrder | PostingOrder | ProbeOrder | ReleaseOrder | FailOrder;

/** What the request is answered: the whole response but for what every one has. */
export interface EngineAnswer {
  readonly status: number;
  readonly body: Data;
  /** What was refused, to be counted by whoever answers the client. */
  readonly refusal?: EngineRefusal;
}

/** A refusal, and its place in the protocol's own table if it has one. */
export interface EngineRefusal extends Refusal {
  readonly fault?: string;
}

/** A session of Engine.IO on its way from its owner to the edge that has its WebSocket. */
export interface MovedEngine {
  readonly sid: string;
  readonly protocol: EngineProtocol;
  /** What its transport was handed and no poll has taken, as a WebSocket has it, in order. */
  readonly frames: readonly Data[];
}

/** A session on its way from one edge to another. */
export interface MovedSession {
  readonly engine: MovedEngine;
  readonly session: PackedSession;
  /** What its door has to remember, as it packed it. */
  readonly door: unknown;
}

/** A session that was ended while it was asked for: what its client is still to be told, and how it is closed. */
export interface EndedSession {
  readonly engine: MovedEngine;
  readonly ended: { readonly code: number; readonly reason: string };
}

/** Everything of a session but its carrier and its door. */
export interface PackedSession {
  readonly id: string;
  readonly address: string;
  readonly userAgent: string;
  readonly since: number;
  readonly grant: PackedGrant | undefined;
  readonly echo: boolean;
  readonly formerly: readonly string[];
  /** Where it stands in each channel that it hears or is about to. */
  readonly positions: readonly (readonly [channel: string, position: Position])[];
  /** Channels that the operator has it hear. */
  readonly imposed: readonly string[];
  /** Number of a batch of the bus: what it was not given, of all those channels, came behind that. */
  readonly after: number;
  /** What was queued to it and not yet handed to its carrier, in order. */
  readonly frames: readonly Data[];
  readonly delivered: number;
}
