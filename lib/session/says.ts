/**
 * What a session says: whose it is, and whether it may.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import { GongError } from "../errors.ts";
import { isReserved } from "../globs.ts";
import type { Grant } from "../auth.ts";
import type { Data, Draft } from "../types.ts";

/** Who says something. */
export interface Speaker {
  readonly id: string;
  readonly grant: Grant | undefined;
  may(action: "publish", channel: string): boolean;
}

/** Says whose it is, whatever it says itself. */
export function signDraft({ id, grant }: Speaker, draft: Draft): Draft {
  if (grant === undefined) return { ...draft, from: id };
  const { name: publisher, user } = grant;
  return user === undefined ? { ...draft, from: id, publisher } : { ...draft, from: id, publisher, user: user.id };
}

/** @throws {GongError} `forbidden` */
export function checkMayPublish(speaker: Speaker, channel: string): void {
  if (isReserved(channel)) {
    throw new GongError("forbidden", "Channels whose name begins with `$` belong to the server.");
  }
  if (!speaker.may("publish", channel)) throw new GongError("forbidden", `Publishing to ${channel} is not allowed.`);
}

/**
 * @param maxMessage bytes of a message, beside which a frame may have `overhead`
 * @throws {GongError} `too_large`
 */
export function checkSize(data: Data, maxMessage: number, overhead = 0): void {
  const most = maxMessage + overhead;
  // A character is at most three bytes of UTF-8 for one UTF-16 unit.
  if (data.length > most || data.length * 3 > most && byteLength(data) > most) {
    throw new GongError("too_large", `A message may have at most ${maxMessage} bytes.`);
  }
}
