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

/** Publications of one channel that follow each other, as columns. */
interface Columns {
  readonly channel: string;
  readonly epoch: string;
  /** Offset of the first. */
  readonly first: number;
  readonly times: Float64Array;
  readonly data: readonly Data[];
  readonly columns: { readonly [name: string]: Column };
}

/** A history whose publications are columns; absent without any, as for most who ask for what comes now. */
export interface PackedHistory extends Omit<History, "publications"> {
  readonly page?: Columns;
}

export function packHistory({ publications, ...history }: History): PackedHistory {
  const [head] = publications;
  return head ? { ...history, page: packColumns(head, publications) } : history;
}

export function unpackHistory({ page, ...history }: PackedHistory): History {
  return { ...history, publications: page ? unpackColumns(page) : [] };
}

function packColumns(head: Publication, publications: readonly Publication[]): Columns {
  const columns: Record<string, Column> = {};
  for (const field of FIELDS) {
    const all = head[field];
    const isSame = publications.every((publication) => publication[field] === all);
    if (!isSame) columns[field] = { each: publications.map((publication) => publication[field]) };
    else if (all !== undefined) columns[field] = { all };
  }
  return {
    channel: head.channel,
    epoch: head.epoch,
    first: head.offset,
    times: Float64Array.from(publications, ({ time }) => time),
    data: publications.map(({ data }) => data),
    columns,
  };
}

function unpackColumns({ channel, epoch, first, times, data, columns }: Columns): Publication[] {
  const fields = Object.entries(columns);
  return data.map((data, index): Publication => {
    const publication: Record<string, unknown> = { channel, epoch, offset: first + index, time: times[index], data };
    for (const [name, column] of fields) {
      const value = "all" in column ? column.all : column.each[index];
      if (value !== undefined) publication[name] = value;
    }
    return publication as unknown as Publication;
  });
}
