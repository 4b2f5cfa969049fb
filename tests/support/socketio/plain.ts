/**
 * What clients hear, as one sent it.
 *
 * @module
 */

/** The same value with all bytes, which libraries give in shapes of their own, as a `Uint8Array`. */
export function plain(value: unknown): unknown {
  return change(value, (bytes) => new Uint8Array(bytes));
}

/** The same arguments with all bytes in the shape that a library takes. */
export function shape(args: readonly unknown[], toBytes: (bytes: Uint8Array) => unknown): unknown[] {
  return args.map((value) => change(value, toBytes));
}

function change(value: unknown, toBytes: (bytes: Uint8Array) => unknown): unknown {
  if (value instanceof ArrayBuffer) return toBytes(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return toBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (Array.isArray(value)) return value.map((part) => change(part, toBytes));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, change(part, toBytes)]));
}
