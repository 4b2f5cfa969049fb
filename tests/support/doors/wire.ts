/**
 * What a client of any door sees, whatever its wire: the words that all of them share.
 *
 * @module
 */
import type { Gong } from "../gong.ts";
import type { Position } from "../../../lib/types.ts";

/** Data as the wire has it: text, bytes, or the value itself where the wire is JSON. */
export type Told = { readonly text: string } | { readonly bytes: Uint8Array } | { readonly json: unknown };

/** A publication, and as much about it as the wire tells. */
export interface Heard {
  readonly data: Told;
  readonly channel?: string | undefined;
  readonly position?: Position | undefined;
  readonly time?: number | undefined;
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  readonly from?: string | undefined;
  readonly user?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly contentType?: string | undefined;
}

/** A message to the session alone. */
export interface Signalled extends Pick<Heard, "data" | "from" | "user" | "contentType"> {
  readonly reply?: string | undefined;
}

/** How a connection ended: the code of `errors.ts`, the WebSocket's close code, or `vanished`. */
export interface End {
  readonly code?: string;
  readonly close?: number;
  readonly cursor?: string;
  /** Whether to come back, where it is said. */
  readonly retry?: boolean;
}

/** One thing that a wire says, in its order. */
export type Item =
  | { readonly kind: "publication"; readonly heard: Heard; readonly cursor?: string }
  | { readonly kind: "welcome"; readonly session: string; readonly user: string | undefined }
  | { readonly kind: "subscribed"; readonly channel: string; readonly position: Position; readonly recovered: boolean }
  | { readonly kind: "unsubscribed"; readonly channel: string }
  /** Everything asked for is subscribed, as far as the wire tells. */
  | { readonly kind: "ready" }
  /** All positions, where the wire says them by themselves. */
  | { readonly kind: "cursor"; readonly cursor: string }
  | { readonly kind: "signal"; readonly signal: Signalled }
  | { readonly kind: "heartbeat" }
  | { readonly kind: "end"; readonly end: End };

/** What a client asks for. */
export interface Wish {
  readonly channels: readonly string[];
  /** A cursor, or the bare position of one channel. */
  readonly since?: string | undefined;
  readonly history?: number | undefined;
  readonly echo?: boolean | undefined;
  /** Sessions that it has been before. */
  readonly sessions?: readonly string[] | undefined;
  /** More of the query, as it is. */
  readonly query?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Where a door is: at an origin and a port, or at whatever answers in place of `fetch`. */
export interface Place extends Pick<Gong, "url" | "port"> {
  readonly fetch?: (target: string, init: RequestInit) => Promise<Response>;
}

/** A connection by one door. Nothing is read before it is asked for. */
export interface Wire {
  readonly items: AsyncIterator<Item>;
  /** Ends the TCP connection without a word. */
  drop(): void;
  /** False where the wire tells none: then its clients have to know them from elsewhere. */
  readonly positions?: false;
  /** Publishes a text, where the door can. */
  readonly publish?: (channel: string, text: string) => Promise<void>;
}

/**
 * Connects.
 *
 * @throws {Refused} when the server does not take it
 */
export type OpenWire = (gong: Place, wish: Wish) => Promise<Wire>;

/** The answer of a door that lets nobody in. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    readonly status: number,
    readonly contentType: string,
    readonly body: string,
    readonly headers: Headers,
  ) {
    super(`refused with ${status}: ${body}`);
  }

  /** The problem of RFC 9457, where it is one. */
  get problem(): { code?: string; field?: string; detail?: string; status?: number } | undefined {
    return this.contentType.startsWith("application/problem+json") ? JSON.parse(this.body) : undefined;
  }
}

/** A command was answered by an error. */
export class CommandRefused extends Error {
  override readonly name = "CommandRefused";

  constructor(readonly code: string, line: string) {
    super(`a command was refused: ${line}`);
  }
}

/** Path and query of a wish. */
export function targetOf(path: string, { channels, since, history, echo, sessions, query }: Wish): string {
  const pairs: [string, string][] = [
    ...channels.map((channel): [string, string] => ["channel", channel]),
    ...(since === undefined ? [] : [["since", since] as [string, string]]),
    ...(history === undefined ? [] : [["history", String(history)] as [string, string]]),
    ...(echo === undefined ? [] : [["echo", String(echo)] as [string, string]]),
    ...(sessions ?? []).map((session): [string, string] => ["session", session]),
  ];
  const own = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const all = [...own, ...(query === undefined ? [] : [query])];
  return all.length === 0 ? path : `${path}${path.includes("?") ? "&" : "?"}${all.join("&")}`;
}

/** A cursor as positions by channel. A bare position is of `only`. */
export function parseCursor(cursor: string, only?: string): Map<string, Position> {
  return new Map(
    cursor.split(",").filter((part) => part !== "").map((part): [string, Position] => {
      const [, channel = only, epoch, offset] = /^(?:([^@,]+)@)?([^:@,]+):(\d+)$/.exec(part) ?? [];
      if (channel === undefined || epoch === undefined) throw new Error(`not a cursor: ${cursor}`);
      return [channel, { epoch, offset: Number(offset) }];
    }),
  );
}

export function formatCursor(positions: ReadonlyMap<string, Position>): string {
  return [...positions].map(([channel, { epoch, offset }]) => `${channel}@${epoch}:${offset}`).join(",");
}

/** The channels of a wish, those that only its cursor names too. */
export function channelsOf({ channels, since }: Wish): Set<string> {
  return new Set([...channels, ...(since === undefined ? [] : parseCursor(since, channels[0]).keys())]);
}
