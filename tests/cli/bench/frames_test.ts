import { assertEquals, assertThrows } from "@std/assert";
import { encodeFrame, FrameReader, OPCODES } from "../../../lib/cli/bench/frames.ts";

/** A frame as a server sends it: not masked. */
function serverFrame(opcode: number, payload: Uint8Array, final = true): Uint8Array {
  const { length } = payload;
  const head = [(final ? 0x80 : 0) | opcode];
  if (length < 126) head.push(length);
  else if (length < 65_536) head.push(126, length >>> 8, length & 255);
  else head.push(127, 0, 0, 0, 0, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
  return new Uint8Array([...head, ...payload]);
}

/** Small, so that the edges of the buffer are met often. */
const BUFFER = 512;

function readAll(pieces: Iterable<Uint8Array>): [number, string][] {
  const frames: [number, string][] = [];
  const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const reader = new FrameReader(
    (bytes, start, end, last) => {
      if (last) frames.push([OPCODES.text, textOf(bytes.subarray(start, end))]);
      return start;
    },
    (opcode, payload) => frames.push([opcode, textOf(payload)]),
    BUFFER,
  );
  for (const piece of pieces) reader.push(piece);
  return frames;
}

const text = (length: number, letter: string) => new TextEncoder().encode(letter.repeat(length));

Deno.test("FrameReader gives the same frames wherever the bytes are cut", () => {
  const bytes = new Uint8Array([
    ...serverFrame(OPCODES.text, text(5, "a")),
    ...serverFrame(OPCODES.ping, text(0, "")),
    ...serverFrame(OPCODES.text, text(200, "b")),
    ...serverFrame(OPCODES.text, text(3, "c"), false),
    ...serverFrame(OPCODES.ping, text(2, "p")),
    ...serverFrame(OPCODES.continuation, text(4, "d")),
    ...serverFrame(OPCODES.close, new Uint8Array([3, 232])),
  ]);
  const whole = readAll([bytes]);
  assertEquals(whole.map(([opcode, { length }]) => [opcode, length]), [
    [OPCODES.text, 5],
    [OPCODES.ping, 0],
    [OPCODES.text, 200],
    [OPCODES.ping, 2],
    [OPCODES.text, 7],
    [OPCODES.close, 2],
  ]);
  assertEquals(whole[4]![1], "cccdddd");
  for (let cut = 1; cut < bytes.length; cut++) {
    assertEquals(readAll([bytes.subarray(0, cut), bytes.subarray(cut)]), whole, `cut at ${cut}`);
  }
  assertEquals(readAll([...bytes].map((byte) => Uint8Array.of(byte))), whole);
});

Deno.test("FrameReader takes frames larger than its buffer, among small ones", () => {
  const sizes = [10, 70_000, 125, 126, 65_535, 65_536, 1, 600_000, 3];
  const pieces = sizes.map((size) => serverFrame(OPCODES.text, text(size, "z")));
  assertEquals(readAll(pieces).map(([_, { length }]) => length), sizes);
});

Deno.test("FrameReader.space is never empty, whatever was read so far", () => {
  const reader = new FrameReader((_bytes, _start, end) => end, () => {}, BUFFER);
  const stream = new Uint8Array(Array.from({ length: 300 }, (_, i) => [...serverFrame(1, text(i * 7, "y"))]).flat());
  for (let at = 0, step = 1; at < stream.length; step = step * 3 % 1009) {
    const { space } = reader;
    const part = stream.subarray(at, at + Math.min(step, space.length));
    assertEquals(part.length > 0, true);
    space.set(part);
    reader.take(part.length);
    at += part.length;
  }
});

Deno.test("FrameReader gives a large message in pieces, each byte once, in a buffer that stays small", () => {
  const payload = new Uint8Array(300_000).map((_, i) => i % 251);
  const seen: number[] = [];
  let largest = 0;
  const reader = new FrameReader(
    (bytes, start, end, last) => {
      largest = Math.max(largest, bytes.length);
      // Takes all but three bytes, which come again with the next piece.
      const next = last ? end : Math.max(start, end - 3);
      seen.push(...bytes.subarray(start, next));
      return next;
    },
    () => {},
    BUFFER,
  );
  reader.push(new Uint8Array([...serverFrame(OPCODES.binary, payload), ...serverFrame(OPCODES.text, text(2, "a"))]));
  assertEquals(new Uint8Array(seen.slice(0, -2)), payload);
  assertEquals(seen.slice(-2), [97, 97]);
  assertEquals(largest, BUFFER);
});

Deno.test("FrameReader leaves out what onData does not want, and nothing of the next message", () => {
  const pieces: string[] = [];
  const reader = new FrameReader(
    (bytes, start, end) => {
      pieces.push(new TextDecoder().decode(bytes.subarray(start, Math.min(start + 1, end))));
      return start + 100_000;
    },
    () => {},
    BUFFER,
  );
  reader.push(new Uint8Array([...serverFrame(1, text(99_000, "a")), ...serverFrame(1, text(5, "b"))]));
  assertEquals(pieces, ["a", "", "b"]);
});

Deno.test("FrameReader refuses masked frames, unknown extensions and absurd lengths", () => {
  assertThrows(() => readAll([Uint8Array.of(0x81, 0x80, 0, 0, 0, 0)]), SyntaxError, "masked");
  assertThrows(() => readAll([Uint8Array.of(0xc1, 0)]), SyntaxError, "extension");
  assertThrows(() => readAll([Uint8Array.of(0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0)]), SyntaxError, "bytes");
});

Deno.test("encodeFrame() masks, and says the length in the shortest form", () => {
  for (const [length, header] of [[0, 6], [125, 6], [126, 8], [65_535, 8], [65_536, 14]] as const) {
    const payload = text(length, "m");
    const frame = encodeFrame(OPCODES.text, payload);
    assertEquals(frame.length, header + length);
    assertEquals(frame[0], 0x81);
    assertEquals(frame[1]! & 0x80, 0x80);
    const mask = frame.subarray(header - 4, header);
    assertEquals(frame.subarray(header).map((byte, i) => byte ^ mask[i & 3]!), payload);
  }
});
