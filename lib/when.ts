/**
 * When schedules fire.
 *
 * @module
 */
import { Cron } from "croner";
import type { When } from "./types.ts";

/** 5 fields, or 6 with seconds first: what they may be made of, names of days and months too. */
const CRON = /^[\d*,/#?LWa-zA-Z-]{1,64}(?: +[\d*,/#?LWa-zA-Z-]{1,64}){4,5}$/;
const MAX_CRON = 128;
const MAX_ZONE = 64;

/**
 * When it is due next, after a time; undefined when it is not any more. All times are in milliseconds since 1970.
 *
 * Cron lines are of the zone's clock. A time that a change of the clock leaves out is due when the clock goes on; one
 * that comes twice is due once, unless the line has every hour.
 *
 * @param created from where on every so many seconds are counted
 */
export function nextTime(when: When, created: number, after: number): number | undefined {
  if ("at" in when) return when.at > after ? when.at : undefined;
  if ("cron" in when) return openCron(when.cron, when.zone).nextRun(new Date(after))?.getTime();
  // What is due is a whole number of milliseconds: it is part of an id.
  const every = Math.round(when.every * 1000);
  return created + every * (Math.floor(Math.max(0, after - created) / every) + 1);
}

/** Whether it fires more than once. */
export function isPeriodic(when: When): boolean {
  return !("at" in when);
}

/**
 * @param after in milliseconds since 1970
 * @throws {SyntaxError} for a line that is none, or that is never due after that time
 */
export function checkCron(cron: string, after: number): void {
  if (cron.length > MAX_CRON || !CRON.test(cron)) throw new SyntaxError("expected 5 fields, or 6 with seconds first");
  let next: Date | null;
  try {
    next = openCron(cron, "UTC").nextRun(new Date(after));
  } catch (cause) {
    throw new SyntaxError(`not a cron line: ${(cause as Error).message.replace(/^CronPattern: /, "")}`, { cause });
  }
  if (next === null) throw new SyntaxError("there is no such time");
}

/** @throws {SyntaxError} for a name that is none of a time zone */
export function checkZone(zone: string): void {
  try {
    if (zone.length > MAX_ZONE) throw new RangeError("too long");
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch (cause) {
    throw new SyntaxError("expected a time zone, e.g. Europe/Berlin", { cause });
  }
}

function openCron(cron: string, timezone: string): Cron {
  return new Cron(cron, { timezone, mode: "5-or-6-parts" });
}
