/**
 * What several commands have in common: where, from when on.
 *
 * @module
 */
import { parsePosition } from "../../codecs/cursor.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../../globs.ts";
import type { Fields } from "../../json.ts";
import type { Start } from "../../types.ts";
import { MAX_HISTORY } from "../query.ts";

/** @throws {GongError} `bad_request`, as everything here does */
export function readChannel(fields: Fields): string {
  const channel = fields.string("channel");
  if (channel !== undefined && isChannelName(channel)) return channel;
  throw fields.error("channel", `\`channel\` has to be ${CHANNEL_GRAMMAR}.`);
}

/** A position wins over a number of publications before the top. */
export function readStart(fields: Fields): Start | undefined {
  const since = fields.string("since");
  const last = readCount(fields, "history", MAX_HISTORY);
  if (since === undefined) return last ? { last } : undefined;
  try {
    return parsePosition(since);
  } catch (error) {
    throw fields.error("since", `\`since\`: ${(error as Error).message}`);
  }
}

/** A whole number from 0 to `most`; undefined when it is not there. */
export function readCount(fields: Fields, name: string, most: number): number | undefined {
  const count = fields.get(name);
  if (count === undefined || typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= most) {
    return count;
  }
  throw fields.error(name, `\`${name}\` has to be a whole number from 0 to ${most}.`);
}
