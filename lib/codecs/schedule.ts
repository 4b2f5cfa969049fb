/**
 * Schedules as JSON: as they are kept, and as the API shows them.
 *
 * @module
 */
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import type { Schedule } from "../types.ts";
import { encodeContent } from "./line.ts";

/** As it is kept: all of it. */
export function encodeScheduleRecord({ message, ...schedule }: Schedule): string {
  const { data, ...rest } = message;
  const kept = typeof data === "string" ? { ...rest, data } : { ...rest, base64: encodeBase64(data) };
  return JSON.stringify({ ...schedule, message: kept });
}

/** @throws {TypeError | SyntaxError} for what is none */
export function decodeScheduleRecord(text: string): Schedule {
  const { message: { base64, ...rest }, ...schedule } = JSON.parse(text);
  const data = base64 === undefined ? rest.data : decodeBase64(base64);
  const { id, creator, when, channels, created } = schedule;
  const isWhole = typeof id === "string" && typeof creator === "string" && typeof created === "number" &&
    typeof when === "object" && Array.isArray(channels) && typeof rest.contentType === "string" && data !== undefined;
  if (!isWhole) throw new TypeError("something of the schedule is missing");
  return { ...schedule, message: { ...rest, data } };
}

/** As the API shows it, on one line. */
export function encodeSchedule({ when, message, ...schedule }: Schedule): string {
  const { id, creator, channels, created, next, last } = schedule;
  const { data, contentType, event, tags, ttl } = message;
  const head = JSON.stringify({ id, creator, ...when, channels, event, tags, ttl, created, next, last });
  return `${head.slice(0, -1)},${encodeContent(data, contentType)}}`;
}
