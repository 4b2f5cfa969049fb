/**
 * What a namespace of a connection can be gone on with, as text: kept under its pid while the connection is there, and for
 * a while after it.
 *
 * @module
 */
import type { ReadonlyFewMap } from "../../few_map.ts";
import type { Position, Start } from "../../types.ts";

/** What is remembered of one namespace. */
export interface State {
  readonly namespace: string;
  /** Whose it was. */
  readonly user: string | undefined;
  /** The channels that are heard there, and from where on: the namespace's own, its rooms, maybe the user's. */
  readonly since: ReadonlyFewMap<string, Position>;
}

/** How the text is written. Another server may have written it. */
const VERSION = 1;

export function encodeState({ namespace, user, since }: State): string {
  const channels = Array.from(since, ([channel, { epoch, offset }]) => [channel, epoch, offset]);
  return JSON.stringify({ version: VERSION, namespace, ...(user === undefined ? {} : { user }), channels });
}

/** Undefined for what a server of another version has written. */
export function decodeState(text: string): State | undefined {
  const { version, namespace, user, channels } = JSON.parse(text);
  if (version !== VERSION) return undefined;
  const since = (channels as [string, string, number][]).map(([channel, epoch, offset]) => {
    return [channel, { epoch, offset }] as const;
  });
  return { namespace, user, since: new Map(since) };
}

/**
 * Where a client goes on. What it has heard last counts where it is further: it may be of a time before the channel was
 * heard in this namespace, or heard again.
 *
 * @param heard the positions that the client has given back
 */
export function startsOf({ since }: State, heard: ReadonlyMap<string, Position>): Map<string, Start> {
  return new Map(Array.from(since, ([channel, least]) => {
    const last = heard.get(channel) ?? least;
    return [channel, last.epoch === least.epoch && last.offset < least.offset ? least : last];
  }));
}
