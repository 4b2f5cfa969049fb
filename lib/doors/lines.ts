/**
 * The lines with a type: what a session is told beside publications, as every door that speaks JSON has it.
 *
 * @module
 */
import type { DoorSession, Ending } from "../door.ts";
import type { Position } from "../types.ts";
import { VERSION } from "../version.ts";

/** A line of JSON, not yet in any wire's form. */
export interface Line {
  readonly type: string;
}

/** The first line. */
export function welcome({ id, user, until }: DoorSession): Line {
  return { type: "welcome", session: id, user, until, version: VERSION } as Line;
}

/** The session hears the channel from the position on. */
export function subscribed(channel: string, { epoch, offset }: Position, recovered: boolean): Line {
  return { type: "subscribed", channel, epoch, offset, recovered } as Line;
}

/** The session does not hear the channel any more, without having asked for that. */
export function unsubscribed(channel: string): Line {
  return { type: "unsubscribed", channel } as Line;
}

/** The last line of a stream. */
export function close(ending: Ending): Line {
  return { type: "close", ...ending } as Line;
}
