/**
 * What the versions of STOMP have differently on the wire, in one table.
 *
 * @module
 */
import { GongError } from "../../errors.ts";

export type StompVersion = "1.0" | "1.1" | "1.2";

/** How a frame's lines are written. */
export interface StompWire {
  /** Characters that a header has escaped, each with its letter behind a backslash (section "Value Encoding"). */
  readonly escapes: ReadonlyMap<string, string>;
  /** A CR before the LF belongs to the end of the line (section "Augmented BNF", EOL). */
  readonly isCrDropped: boolean;
  /** Spaces around a header's name and value do not belong to them. */
  readonly arePadsDropped: boolean;
}

const NONE: ReadonlyMap<string, string> = new Map();
const ESCAPES_11: ReadonlyMap<string, string> = new Map([["\\", "\\"], ["\n", "n"], [":", "c"]]);
const ESCAPES_12: ReadonlyMap<string, string> = new Map([...ESCAPES_11, ["\r", "r"]]);

/**
 * Each version's own. The examples of 1.0 pad (`login: <username>`), its clients do too; 1.1 and 1.2: "clients and servers
 * MUST never trim or pad headers with spaces".
 */
const WIRES: Readonly<Record<StompVersion, StompWire>> = {
  "1.0": { escapes: NONE, isCrDropped: false, arePadsDropped: true },
  "1.1": { escapes: ESCAPES_11, isCrDropped: false, arePadsDropped: false },
  "1.2": { escapes: ESCAPES_12, isCrDropped: true, arePadsDropped: false },
};
/** Of the frames that come before a version is agreed on, whatever it is: they are never escaped, and may be of 1.2. */
const OPENING: StompWire = { escapes: NONE, isCrDropped: true, arePadsDropped: false };
const PADDED_OPENING: StompWire = { ...OPENING, arePadsDropped: true };
/** Section "Value Encoding": they stay as they were in 1.0. 1.2 has STOMP handled "in the same manner as" CONNECT. */
const OPENERS: readonly string[] = ["CONNECT", "STOMP", "CONNECTED"];
/** What is in every CONNECT but those of 1.0 (section "Protocol Negotiation"). */
const NEGOTIATES = "accept-version:";

/** How a frame of the command is written; `lines` are those of its head. */
export function wireOf(version: StompVersion, command: string, lines: readonly string[] = []): StompWire {
  if (!OPENERS.includes(command)) return WIRES[version];
  const isPadded = WIRES[version].arePadsDropped && !lines.some((line) => line.startsWith(NEGOTIATES));
  return isPadded ? PADDED_OPENING : OPENING;
}

/**
 * A header's name or value as this version has it. What it cannot escape and would end the line or the frame, is a space:
 * NUL in any version, CR and LF in 1.0. A CR of 1.1 stays, as only LF ends a line there.
 */
export function escapeStompHeader(version: StompVersion, text: string): string {
  return escapeFor(WIRES[version], text);
}

/**
 * The same of a name that anybody may have chosen. A colon that cannot be escaped would end it, and "user:x" be a header
 * "user": it is a `_`, as a space at the end of a name would be taken off, and no name that the server gives has one.
 */
export function escapeStompName(version: StompVersion, name: string): string {
  const wire = WIRES[version];
  return escapeFor(wire, wire.escapes.has(":") ? name : name.replaceAll(":", "_"));
}

/** {@linkcode escapeStompHeader} for the frame that is written so. */
export function escapeFor({ escapes }: StompWire, text: string): string {
  // Most have nothing of it.
  if (!/[\\:\n\r\0]/.test(text)) return text;
  if (escapes === NONE) return text.replace(/[\n\r\0]/g, " ");
  return text.replace(/[\\:\n\r\0]/g, (character) => {
    const letter = escapes.get(character);
    return letter === undefined ? (character === "\0" ? " " : character) : `\\${letter}`;
  });
}

/**
 * The reverse of {@linkcode escapeFor}.
 *
 * @param line that the text is of, for the refusal
 * @throws {GongError} `bad_request` for an escape that the version does not define: "a fatal protocol error"
 */
export function unescapeFor({ escapes }: StompWire, text: string, line: string): string {
  if (escapes === NONE || !text.includes("\\")) return text;
  return text.replace(/\\(.?)/gu, (sequence, letter: string) => {
    for (const [character, its] of escapes) if (its === letter) return character;
    throw new GongError("bad_request", `The header line ${shown(line)} has an undefined escape, ${shown(sequence)}.`);
  });
}

/** Characters of what a client sent that are repeated to it. */
const MAX_SHOWN = 64;

/** A client's text within a message to it: cut, without anything that does not print. */
export function shown(text: string): string {
  return `"${text.slice(0, MAX_SHOWN).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?")}"`;
}
