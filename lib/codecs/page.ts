/**
 * A page of history on its way between isolates: by columns, since to copy thousands of objects costs more than to read
 * them.
 *
 * @module
 */
import type { Data, History, Publication } from "../types.ts";

/** What most publications of a page have alike, or not at all. */
const FIELDS = ["contentType", "id", "event", "user", "from", "tags", "trace", "expired"] as const;

/** The values of one field: the same for all, or one each. */
type Column = { readonly all: unknown } | { readonly each: readonly unknown[] };

/** A history whose publications are columns. They are of one channel and follow each other. */
export interface PackedHistory extends Omit<History, "publications"> {
  readonly channel: string;
  readonly epoch: string;
  /** Offset of the first. */
  readonly first: number;
  readonly times: Float64Array;
  readonly data: readonly Data[];
  readonly columns: { readonly [name: string]: Column };
}

export function packHistory({ publications, ...history }: History): PackedHistory {
  const [head] = publications;
  const columns: Record<string, Column> = {};
  for (const field of FIELDS) {
    const all = head?.[field];
    const isSame = publications.every((publication) => publication[field] === all);
    if (!isSame) columns[field] = { each: publications.map((publication) => publication[field]) };
    else if (all !== undefined) columns[field] = { all };
  }
  return {
    ...history,
    channel: head?.channel ?? "",
    epoch: head?.epoch ?? "",
    first: head?.offset ?? 0,
    times: Float64Array.from(publications, ({ time }) => time),
    data: publications.map(({ data }) => data),
    columns,
  };
}

export function unpackHistory(packed: PackedHistory): History {
  const { channel, epoch, first, times, data, columns, ...history } = packed;
  const fields = Object.entries(columns);
  const publications = data.map((data, index): Publication => {
    const publication: Record<string, unknown> = { channel, epoch, offset: first + index, time: times[index], data };
    for (const [name, column] of fields) {
      const value = "all" in column ? column.all : column.each[index];
      if (value !== undefined) publication[name] = value;
    }
    return publication as unknown as Publication;
  });
  return { ...history, publications };
}
