/**
 * What a POST brings, and what a GET asks for beside a session.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { type ByteBudget, readBody } from "../http/body.ts";
import type { Data } from "../types.ts";

/** Bounds of {@linkcode readPayload}. */
export interface BodyLimits {
  /** Bytes. */
  readonly limit: number;
  /** Seconds for the whole of it. */
  readonly timeout: number | undefined;
  readonly budget: ByteBudget | undefined;
}

const BYTES = "application/octet-stream";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The body: bytes where it says so itself, else text, whatever it says.
 *
 * @throws {GongError} what `readBody` throws; `bad_request` for text that is not UTF-8
 */
export async function readPayload(request: Request, { limit, timeout, budget }: BodyLimits): Promise<Data> {
  const options = { limit, ...timeout === undefined ? {} : { timeout }, ...budget === undefined ? {} : { budget } };
  const bytes = await readBody(request, options);
  const type = request.headers.get("content-type") ?? "";
  if (type.split(";", 1)[0]!.trim().toLowerCase() === BYTES) return bytes;
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new GongError("bad_request", "The body is not UTF-8.", { cause });
  }
}

/** Whether a client takes no bytes, as it says itself; only 3 has payloads of bytes. */
export function isText(query: URLSearchParams): boolean {
  const b64 = query.get("b64");
  return b64 !== null && b64 !== "" && b64 !== "0";
}
