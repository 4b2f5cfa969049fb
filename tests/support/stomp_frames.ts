/**
 * STOMP frames out of pieces, as plain values that compare.
 *
 * @module
 */
import { type StompFrame, type StompLimits, StompReader, type StompVersion } from "../../lib/codecs/stomp.ts";
import { GongError } from "../../lib/errors.ts";
import type { Data } from "../../lib/types.ts";

/** A frame with the body as text, in which a byte is a character. */
export interface PlainFrame {
  readonly command: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export const LIMITS: StompLimits = { headers: 100, line: 10_000, head: 1_000_000, body: 100_000 };

/** What a reader makes of the pieces, one after the other: frames, and the code that it ended with. */
export interface Outcome {
  readonly frames: readonly PlainFrame[];
  readonly error?: string;
  readonly isWithin: boolean;
}

export function readPieces(version: StompVersion, pieces: Iterable<Data>, limits: StompLimits = LIMITS): Outcome {
  const reader = new StompReader(limits);
  reader.version = version;
  const frames: PlainFrame[] = [];
  try {
    for (const piece of pieces) {
      for (const frame of reader.read(piece)) {
        frames.push(plain(frame));
        // As a server does.
        if (frame.command === "CONNECT") reader.version = versionOf(frame);
      }
    }
  } catch (error) {
    // Anything else is a fault of the reader, and fails the test.
    if (!(error instanceof GongError) || error.code === "internal") throw error;
    return { frames, error: error.code, isWithin: reader.isWithin };
  }
  return { frames, isWithin: reader.isWithin };
}

/** The frames of one message; what is wrong with it is thrown. */
export function readWhole(version: StompVersion, data: Data, limits: StompLimits = LIMITS): PlainFrame[] {
  const reader = new StompReader(limits);
  reader.version = version;
  return Array.from(reader.read(data), plain);
}

export function plain({ command, headers, body }: StompFrame): PlainFrame {
  return { command, headers: [...headers], body: String.fromCharCode(...body) };
}

/** The highest version that a CONNECT has. */
function versionOf({ headers }: StompFrame): StompVersion {
  const accepted = headers.get("accept-version")?.split(",") ?? [];
  return accepted.includes("1.2") ? "1.2" : accepted.includes("1.1") ? "1.1" : "1.0";
}
