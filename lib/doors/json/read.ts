/**
 * What several commands have in common: where, from when on, to whom.
 *
 * @module
 */
import { parsePosition } from "../../codecs/cursor.ts";
import type { SignalTarget } from "../../door.ts";
import { GongError } from "../../errors.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../../globs.ts";
import type { Fields } from "../../json.ts";
import { isUser, sessionName } from "../../reserved.ts";
import type { Start } from "../../types.ts";
import { MAX_HISTORY } from "../query.ts";

/** The fields that {@linkcode readTarget} reads. */
export const TARGET_FIELDS: readonly string[] = ["users", "sessions"];

/** Users or sessions that one message may go to. */
const MAX_TARGETS = 100;

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

/** A number of seconds, fractions too; undefined when it is not there. */
export function readSeconds(fields: Fields, name: string, least: number, most: number): number | undefined {
  const seconds = fields.get(name);
  if (seconds === undefined) return undefined;
  if (typeof seconds === "number" && seconds >= least && seconds <= most) return seconds;
  throw fields.error(name, `\`${name}\` has to be a number of seconds, ${least} to ${most}.`);
}

/** 1 to `most` characters; undefined when it is not there. */
export function readText(fields: Fields, name: string, most: number): string | undefined {
  const text = fields.string(name);
  if (text === undefined || text !== "" && text.length <= most) return text;
  throw fields.error(name, `\`${name}\` has to have 1 to ${most} characters.`);
}

/** Users, or sessions: 1 to 100 of them, all different. */
export function readTarget(fields: Fields): SignalTarget {
  if (fields.has("users") === fields.has("sessions")) {
    throw new GongError("bad_request", "Exactly one of `users` and `sessions` is expected.", {
      field: fields.pointer("users"),
    });
  }
  if (fields.has("users")) return { users: readNames(fields, "users", isUser) };
  return { sessions: readNames(fields, "sessions", (id) => id !== "" && isChannelName(sessionName(id))) };
}

function readNames(fields: Fields, name: "users" | "sessions", isName: (text: string) => boolean): readonly string[] {
  const names = fields.array(name)!;
  if (names.length === 0 || names.length > MAX_TARGETS) {
    throw fields.error(name, `\`${name}\` has to name 1 to ${MAX_TARGETS} ${name}.`);
  }
  const wrong = names.findIndex((text) => typeof text !== "string" || !isName(text));
  if (wrong >= 0) throw fields.error(name, `\`${name}\`: number ${wrong + 1} is no id of a ${name.slice(0, -1)}.`);
  if (new Set(names).size < names.length) throw fields.error(name, `\`${name}\` names one twice.`);
  return names as readonly string[];
}
