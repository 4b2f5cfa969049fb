/**
 * Instants as days and times of this device's clock, for whoever reads them and for fields that they are written in.
 *
 * @module
 */

import { element } from "./text.js";

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** `27 Nov 2026, 08:00:00`, in the reader's own order. */
export function dayAndTime(time) {
  return MOMENT.format(time);
}

/** A `time` element of the day and time, with the same in UTC for the pointer and for machines. */
export function moment(time) {
  const at = new Date(time).toISOString();
  return element("time", { dateTime: at, title: `${at} (UTC)` }, dayAndTime(time));
}

/** As `datetime-local` has it, to the second. */
export function localOf(time) {
  const at = new Date(time);
  const year = String(at.getFullYear()).padStart(4, "0");
  const day = [year, two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day}T${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
}

/** What `datetime-local` has, with the clock's offset then: `2026-11-27T08:00:00+01:00`. */
export function withOffset(local) {
  const at = new Date(local);
  const offset = -at.getTimezoneOffset();
  const minutes = Math.abs(offset);
  return `${localOf(at)}${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function two(number) {
  return String(number).padStart(2, "0");
}
