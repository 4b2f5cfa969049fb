/**
 * A request's body, read within bounds of size, time and memory.
 *
 * @module
 */
import { GongError } from "../errors.ts";

/** Bytes that the first chunk makes room for. */
const FIRST = 4096;

/** Calls back after so many seconds, unless the returned function is called before. */
export type Timer = (seconds: number, callback: () => void) => () => void;

/** Bounds of {@linkcode readBody}. */
export interface BodyOptions {
  /** Most bytes that are taken. */
  readonly limit: number;
  /** How long the whole body may take, in seconds. Default 10. */
  readonly timeout?: number;
  /** What all bodies that are being read may hold together. Default: no bound. */
  readonly budget?: ByteBudget;
  /** Default: `setTimeout`. */
  readonly timer?: Timer;
}

/** A bound on bytes that several readers share. */
export class ByteBudget {
  #left: number;

  /** @param bytes what may be taken before anything is given back */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Takes so many bytes if they are all there, else none. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Gives taken bytes back. */
  give(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * The whole body. Nothing is read of one that says beforehand that it is too large, or that is encoded.
 *
 * @throws {GongError} `too_large`; `timeout`; `unsupported_type` for a content coding; `overloaded` when the budget is
 * used up; `bad_request` when the client went away in the middle. The rest of the body is discarded then.
 */
export async function readBody(request: Request, options: BodyOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { limit, timeout = 10, budget, timer = startTimer } = options;
  const coding = request.headers.get("content-encoding") ?? "identity";
  // A coding is refused, not undone: a few bytes could become gigabytes.
  if (coding.trim().toLowerCase() !== "identity") {
    throw new GongError("unsupported_type", "A body with `Content-Encoding` is not accepted.", {
      field: "Content-Encoding",
    });
  }
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  if (request.body === null) return new Uint8Array();

  const reader = request.body.getReader();
  let isLate = false;
  const stop = timer(timeout, () => {
    isLate = true;
    discard(reader);
  });
  // One buffer that grows: a chunk may be a single byte, and as an object of its own it would cost a hundred.
  let bytes = new Uint8Array();
  let size = 0;
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (isLate) throw new GongError("timeout");
      if (done) return bytes.subarray(0, size);
      if (size + value.length > limit) throw tooLarge(limit);
      if (size + value.length > bytes.length) {
        const larger = Math.min(limit, Math.max(FIRST, bytes.length * 2, size + value.length));
        if (budget?.take(larger - bytes.length) === false) {
          throw new GongError("overloaded", "Too many requests are being read.", { retryAfter: 1 });
        }
        bytes = grow(bytes, larger);
      }
      bytes.set(value, size);
      size += value.length;
    }
  } catch (error) {
    discard(reader);
    if (error instanceof GongError) throw error;
    throw new GongError("bad_request", "The body ended too early.", { cause: error });
  } finally {
    stop();
    budget?.give(bytes.length);
  }
}

/** Not awaited: Deno ends it only when the client has sent the rest, or is gone. */
function discard(reader: ReadableStreamDefaultReader<unknown>): void {
  reader.cancel().catch(() => {});
}

function grow(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

function tooLarge(limit: number): GongError {
  return new GongError("too_large", `The body is larger than ${limit} bytes.`);
}

function startTimer(seconds: number, callback: () => void): () => void {
  const id = setTimeout(callback, seconds * 1000);
  return () => clearTimeout(id);
}
