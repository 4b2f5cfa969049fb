/**
 * Publications as rows of the SQLite broker, and back.
 *
 * @module
 */
import type { Data, Publication } from "../../types.ts";
import { toPlace } from "../ledger/content.ts";

/** The columns of a publication that make it up. */
export const COLUMNS = "offset, time, type, data, id, details, expires";

/** Their values. As arrays SQLite gives them in half the time that it takes for objects. */
export type Row = readonly [
  offset: number,
  time: number,
  type: string,
  data: Data,
  id: string | null,
  details: string | null,
  expires: number | null,
];

/** What stands in `details`. */
interface Details extends Partial<Publication> {
  /** The data is a text with NUL in it: as text, SQLite would give back what is before it. */
  readonly isText?: true;
}

/** Publications of one session have the same details; so many different ones are kept to be compared with. */
const MOST = 1000;

/** Columns of a publication, in this order. */
type Columns = [type: string, data: Data, id: string | null, details: string | null];

/** Those of what is left of a publication whose `ttl` is over. */
export const PLACE: Columns = ["text/plain", "", null, '{"expired":true}'];

export function encodeRow(publication: Publication): Columns {
  const { channel: _c, epoch: _e, offset: _o, time: _t, contentType, data, id = null, ...others } = publication;
  const isText = typeof data === "string" && data.includes("\0");
  const details: Details = isText ? { ...others, isText } : others;
  let text: string | null = null;
  for (const _ in details) {
    text = JSON.stringify(details);
    break;
  }
  return [contentType, isText ? new TextEncoder().encode(data) : data, id, text];
}

/** The publications of these rows; what has expired by `now` is only a place. */
export function decodeRows(channel: string, epoch: string, rows: readonly Row[], now: number): Publication[] {
  const known = new Map<string, Details>();
  return rows.map(([offset, time, contentType, data, id, details, expires]) => {
    const plain = { channel, epoch, offset, time, data, contentType };
    const publication: Publication = id === null ? plain : { ...plain, id };
    if (expires !== null && expires <= now) return toPlace(publication);
    if (details === null) return publication;
    let others = known.get(details);
    if (!others) {
      others = JSON.parse(details) as Details;
      if (known.size < MOST) known.set(details, others);
    }
    if (!others.isText) return Object.assign(publication, others);
    const { isText: _, ...rest } = others;
    return { ...publication, ...rest, data: new TextDecoder("utf-8", { ignoreBOM: true }).decode(data as Uint8Array) };
  });
}
