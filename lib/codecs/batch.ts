/**
 * A batch of publications as one block of bytes: encoded once by the hub, decoded by each edge as far as it hosts
 * the channels. Little-endian:
 *
 * ```
 * f64 number | f64 born | u32 count | u32 names.length | names (JSON: [[channel, epoch], ...])
 * count × ( u32 name | u32 kind | u32 meta.length | u32 data.length )
 * count × ( meta (JSON: the publication without channel, epoch and data) | data )
 * ```
 *
 * `kind` is 0 for text and 1 for bytes; lengths are bytes.
 *
 * @module
 */
import type { Publication } from "../types.ts";

const FIXED = 24;
const ENTRY = 16;
const encoder = new TextEncoder();
// A byte order mark is part of the message.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What an edge may know of a batch without decoding its publications. */
export interface BatchHead {
  /** Counts batches from 1. */
  readonly number: number;
  /** When its first publication was numbered, in milliseconds since 1970, with fractions. */
  readonly born: number;
  /** How many publications it holds. */
  readonly count: number;
}

/**
 * Encodes publications, which keep their order.
 *
 * @param allocate a block of so many bytes, all 0
 */
export function encodeBatch(
  number: number,
  born: number,
  publications: readonly Publication[],
  allocate: (size: number) => Uint8Array = (size) => new Uint8Array(size),
): Uint8Array {
  const names = new Map<string, number>();
  const parts: { name: number; kind: number; meta: Uint8Array; data: Uint8Array }[] = [];
  let size = FIXED + ENTRY * publications.length;
  for (const { channel, epoch, data, ...rest } of publications) {
    const key = JSON.stringify([channel, epoch]);
    let name = names.get(key);
    if (name === undefined) names.set(key, name = names.size);
    const meta = encoder.encode(JSON.stringify(rest));
    const isText = typeof data === "string";
    const bytes = isText ? encoder.encode(data) : data;
    parts.push({ name, kind: isText ? 0 : 1, meta, data: bytes });
    size += meta.length + bytes.length;
  }
  const table = encoder.encode(`[${[...names.keys()].join()}]`);
  const batch = allocate(size + table.length);
  const view = new DataView(batch.buffer);
  view.setFloat64(0, number, true);
  view.setFloat64(8, born, true);
  view.setUint32(16, publications.length, true);
  view.setUint32(20, table.length, true);
  batch.set(table, FIXED);
  let entry = FIXED + table.length;
  let at = entry + ENTRY * parts.length;
  for (const { name, kind, meta, data } of parts) {
    view.setUint32(entry, name, true);
    view.setUint32(entry + 4, kind, true);
    view.setUint32(entry + 8, meta.length, true);
    view.setUint32(entry + 12, data.length, true);
    entry += ENTRY;
    batch.set(meta, at);
    batch.set(data, at + meta.length);
    at += meta.length + data.length;
  }
  return batch;
}

/** Reads the head only. */
export function readBatchHead(batch: Uint8Array): BatchHead {
  const view = new DataView(batch.buffer, batch.byteOffset);
  return { number: view.getFloat64(0, true), born: view.getFloat64(8, true), count: view.getUint32(16, true) };
}

/** Decodes the publications of the channels that are wanted, in order, onto the end of `into`. */
export function decodeBatch(batch: Uint8Array, wants: (channel: string) => boolean, into: Publication[]): void {
  const view = new DataView(batch.buffer, batch.byteOffset);
  const count = view.getUint32(16, true);
  let entry = FIXED + view.getUint32(20, true);
  const names = JSON.parse(decoder.decode(batch.subarray(FIXED, entry))) as [string, string][];
  const wanted = names.map(([channel]) => wants(channel));
  if (!wanted.includes(true)) return;
  let at = entry + ENTRY * count;
  for (let i = 0; i < count; i++, entry += ENTRY) {
    const name = view.getUint32(entry, true);
    const start = at + view.getUint32(entry + 8, true);
    const end = start + view.getUint32(entry + 12, true);
    if (wanted[name]) {
      const [channel, epoch] = names[name]!;
      const rest = JSON.parse(decoder.decode(batch.subarray(at, start)));
      const bytes = batch.subarray(start, end);
      // Sockets take no shared memory.
      const data = view.getUint32(entry + 4, true) === 0 ? decoder.decode(bytes) : bytes.slice();
      into.push({ channel, epoch, data, ...rest });
    }
    at = end;
  }
}
