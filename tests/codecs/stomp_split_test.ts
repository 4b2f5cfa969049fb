import { assert, assertEquals } from "@std/assert";
import { StompReader, type StompVersion } from "../../lib/codecs/stomp.ts";
import type { Data } from "../../lib/types.ts";
import { type Random, seeded } from "../support/random.ts";
import { LIMITS, type Outcome, readPieces } from "../support/stomp_frames.ts";

const VERSIONS: readonly StompVersion[] = ["1.0", "1.1", "1.2"];
const SMALL = { headers: 4, line: 20, head: 60, body: 12 };
const encoder = new TextEncoder();

/** What a client may send, right and wrong. */
const CORPUS: readonly string[] = [
  "CONNECT\naccept-version:1.0,1.1,1.2\nhost:é\n\n\0\r\n\n\0SEND\ndestination:/topic/a\\cb\n\nh\u00e9llo 🎉\0\n",
  "STOMP\r\naccept-version:1.1\r\n\r\n\0\r\nSEND\n a : b \r\ncontent-length:6\n\n\0\n\0🎉".slice(0, -2) +
  "abc\0\0A\n\n\0",
  "CONNECT\nlogin: <username>\npasscode:<passcode>\n\n\0SUBSCRIBE\ndestination: /topic/a\nack: auto\n\n\0\n\n",
  "SEND\r\nx:\\r\\n\r\n\r\nbody\r\n\0\r\n\r\nDISCONNECT\r\nreceipt:77\r\n\0",
  "DISCONNECT\nreceipt:77\n\0\nSEND\ncontent-length:2\n\nabc\0",
  "SEND\nx:\\t\n\n\0",
  "SEND\nno colon\n\n\0",
  "SEND\ncontent-length:13\n\n0123456789abc\0",
  "SEND\n\n0123456789abc\0",
  "SEND\na:1\nb:2\nc:3\nd:4\ne:5\n\n\0",
  "SEND\nlong:0123456789abcdef\n\n\0",
  "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
  "SEND\na\0",
];

/** The same frames and the same end, wherever it is cut. */
function assertSame(version: StompVersion, pieces: readonly Data[], expected: Outcome, limits = LIMITS): void {
  assertEquals(readPieces(version, pieces, limits), expected, JSON.stringify([version, pieces]));
}

Deno.test("StompReader reads the same wherever bytes are cut, also within a character", () => {
  for (const version of VERSIONS) {
    for (const limits of [LIMITS, SMALL]) {
      for (const text of CORPUS) {
        const bytes = encoder.encode(text);
        const expected = readPieces(version, [bytes], limits);
        for (let at = 0; at <= bytes.length; at++) {
          assertSame(version, [bytes.slice(0, at), bytes.slice(at)], expected, limits);
        }
        assertSame(version, Array.from(bytes, (byte) => Uint8Array.of(byte)), expected, limits);
      }
    }
  }
});

Deno.test("StompReader reads the same wherever text is cut, and whether parts of it are bytes", () => {
  for (const version of VERSIONS) {
    for (const text of CORPUS) {
      const expected = readPieces(version, [encoder.encode(text)]);
      assertSame(version, [text], expected);
      const characters = [...text];
      for (let at = 0; at <= characters.length; at++) {
        const [head, tail] = [characters.slice(0, at).join(""), characters.slice(at).join("")];
        assertSame(version, [head, tail], expected);
        assertSame(version, [head, encoder.encode(tail)], expected);
        assertSame(version, [encoder.encode(head), tail], expected);
      }
    }
  }
});

const GAPS = ["", "", "\n", "\r\n", "\0", "\r"] as const;
const COMMANDS = ["SEND\n", "SEND\r\n", "CONNECT\n", "CONNECT\naccept-version:1.2\n", "STOMP\r\n"] as const;
const HEADERS = [
  "a:b\n",
  "destination: /topic/é \n",
  "x:\\c\\n\\\\\n",
  "\\r:\\r\r\n",
  "content-length:3\n",
  "content-length:6\r\n",
] as const;
const BODIES = ["\n\0", "\n\0", "\r\n\0", "\nabc\0", "\n🎉🎉\0", "\na\0c\0", "\0"] as const;

/** A few frames that are right or nearly so, in bytes; in half of the streams up to three bytes are others, or gone. */
function mutated(random: Random): Uint8Array {
  const frames = Array.from({ length: 1 + random.int(3) }, () => {
    return random.pick(GAPS) + random.pick(COMMANDS) + random.text(HEADERS, 3) + random.pick(BODIES);
  });
  const bytes = Array.from(encoder.encode(frames.join("")));
  for (let n = random.int(2) * (1 + random.int(3)); n > 0; n--) {
    const other = random.pick([0x00, 0x0a, 0x0d, 0x3a, 0x5c, random.int(256)]);
    bytes.splice(random.int(bytes.length), random.int(2), ...(random.int(3) === 0 ? [] : [other]));
  }
  return Uint8Array.from(bytes);
}

function cut(random: Random, bytes: Uint8Array): Uint8Array[] {
  const pieces = [];
  for (let at = 0; at < bytes.length;) {
    const size = random.int(random.pick([2, 5, 40]));
    pieces.push(bytes.slice(at, at + size));
    at += size;
  }
  return pieces;
}

Deno.test("StompReader reads or refuses whatever comes, alike in any cuts, and refuses with a GongError", () => {
  const random = seeded(23);
  const seen = new Map<string, number>();
  for (let n = 0; n < 30_000; n++) {
    const bytes = mutated(random);
    const version = random.pick(["1.0", "1.1", "1.2"]) as StompVersion;
    const limits = random.pick(["large", "small"]) === "large" ? LIMITS : SMALL;
    const expected = readPieces(version, [bytes], limits);
    assertSame(version, cut(random, bytes), expected, limits);
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    // As most clients send it: a frame a message.
    if (!text.includes("\ufffd")) assertSame(version, text.split(/(?<=\0)/), expected, limits);
    const kind = expected.error ?? (expected.frames.length > 0 ? "frames" : "none");
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
  // It is no use when all of it is refused.
  for (const kind of ["frames", "bad_request", "too_large"]) {
    assert(seen.get(kind)! > 1000, `${kind}: ${seen.get(kind)}`);
  }
});

Deno.test("StompReader reads a long head as it does a short one", () => {
  const [a, b] = ["é".repeat(3000), "x".repeat(4096)];
  const text = `SEND\na:${a}\nb:\\\\\n\nbody\0SEND\r\na:${a}\r\nb:${b}\r\n\r\n\0`;
  const first = { command: "SEND", headers: [["a", a], ["b", "\\"]] as const, body: "body" };
  const expected = { frames: [first, { ...first, headers: [["a", a], ["b", b]] as const, body: "" }], isWithin: false };
  const bytes = encoder.encode(text);
  for (const pieces of [[text], [bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
    assertEquals(readPieces("1.2", pieces), expected);
  }
  bytes[bytes.length - 8] = 0xff;
  assertEquals(readPieces("1.2", [bytes]), { frames: [first], error: "bad_request", isWithin: false });
});

Deno.test("StompReader reads half of a surrogate pair as it would be sent", () => {
  for (const version of VERSIONS) {
    for (const text of ["SEND\na:\ud83d\n\n\0", "SEND\na:b\n\n\ude00\0"]) {
      assertSame(version, [text], readPieces(version, [encoder.encode(text)]));
    }
  }
});

Deno.test("StompReader takes time in proportion to what comes, in pieces of any size", () => {
  const limits = { headers: 100_000, line: 1_000_000, head: 2_000_000, body: 1_000_000 };
  const streams = [
    `SEND\n\n${"x".repeat(900_000)}\0`,
    `SEND\ncontent-length:900000\n\n${"\0".repeat(900_000)}\0`,
    `SEND\n${"a:1\n".repeat(90_000)}\n\0`,
    `SEND\na:${"x".repeat(900_000)}\n\n\0`,
    "A\n\n\0".repeat(180_000),
  ];
  for (const text of streams) {
    const bytes = encoder.encode(text);
    for (const size of [1, 1000]) {
      const reader = new StompReader(limits);
      let frames = 0;
      const start = performance.now();
      for (let at = 0; at < bytes.length; at += size) {
        for (const _ of reader.read(bytes.subarray(at, at + size))) frames++;
      }
      // Some 0.3 s; the square of it would be minutes.
      assert(performance.now() - start < 10_000, text.slice(0, 20));
      assert(frames > 0 && !reader.isWithin);
    }
  }
});
