/**
 * Who hears a channel, as JSON. What a token brought as `info` is JSON on one line already: it stands in it as it is.
 *
 * @module
 */
import type { PresencePage, Present } from "../types.ts";

/** One session that hears a channel, as an object. */
export function encodePresent({ session, user, info, since }: Present): string {
  const parts = [`{"session":${JSON.stringify(session)}`];
  if (user !== undefined) parts.push(`"user":${JSON.stringify(user)}`);
  if (info !== undefined) parts.push(`"info":${info}`);
  parts.push(`"since":${since}}`);
  return parts.join();
}

/** One page as an object; of a channel, if that is to be named. */
export function encodePresencePage({ count, users, present, next }: PresencePage, channel?: string): string {
  const parts = channel === undefined ? [] : [`"channel":${JSON.stringify(channel)}`];
  parts.push(`"count":${count}`, `"users":${users}`, `"present":[${present.map(encodePresent).join()}]`);
  if (next !== undefined) parts.push(`"next":${JSON.stringify(next)}`);
  return `{${parts.join()}}`;
}

/** What joined and left within a second, and how many there are now. */
export interface Movement {
  readonly count: number;
  readonly users: number;
  readonly joined: readonly Present[];
  readonly left: readonly Present[];
}

/**
 * The publication that tells of it.
 *
 * @param most entries of each kind
 * @param bytes of the text, as far as entries can make it smaller
 */
export function encodeMovement({ count, users, joined, left }: Movement, most: number, bytes: number): string {
  let room = bytes;
  let more = "";
  const list = (entries: readonly Present[]) => {
    const texts: string[] = [];
    for (const entry of entries) {
      const text = encodePresent(entry);
      // A character is at most three bytes of UTF-8 for one UTF-16 unit.
      room -= text.length * 3;
      if (room < 0 || texts.length === most) {
        more = ',"more":true';
        break;
      }
      texts.push(text);
    }
    return texts.join();
  };
  return `{"count":${count},"users":${users},"joined":[${list(joined)}],"left":[${list(left)}]${more}}`;
}
