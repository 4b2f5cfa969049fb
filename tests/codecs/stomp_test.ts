import { assert, assertEquals, assertThrows } from "@std/assert";
import { StompReader, type StompVersion } from "../../lib/codecs/stomp.ts";
import { GongError } from "../../lib/errors.ts";
import type { Data } from "../../lib/types.ts";
import { LIMITS, type PlainFrame, readPieces, readWhole } from "../support/stomp_frames.ts";

const VERSIONS: readonly StompVersion[] = ["1.0", "1.1", "1.2"];
const encoder = new TextEncoder();

function frame(command: string, headers: Record<string, string> = {}, body = ""): PlainFrame {
  return { command, headers: Object.entries(headers), body };
}

function refused(version: StompVersion, data: Data, code: string, limits = LIMITS): string {
  const error = assertThrows(() => readWhole(version, data, limits), GongError);
  assertEquals(error.code, code, JSON.stringify(data));
  return error.message;
}

/** The text in bytes, of one byte each but for the last. */
function* single(text: string): Generator<Uint8Array> {
  for (const byte of encoder.encode(text)) yield Uint8Array.of(byte);
}

Deno.test("StompReader reads a body up to the first NUL, or as long as content-length says", () => {
  for (const version of VERSIONS) {
    assertEquals(readWhole(version, "SEND\na:1\n\nx\ny\r\n\0"), [frame("SEND", { a: "1" }, "x\ny\r\n")]);
    assertEquals(readWhole(version, "SEND\n\n\0"), [frame("SEND")]);
    const sized = { "content-length": "4" };
    assertEquals(readWhole(version, "SEND\ncontent-length:4\n\n\0\n\0a\0"), [frame("SEND", sized, "\0\n\0a")]);
    assertEquals(readWhole(version, "X\ncontent-length:0\n\n\0Y\n\n\0"), [
      frame("X", { "content-length": "0" }),
      frame("Y"),
    ]);
    // Bytes, not characters; the first one counts.
    const repeated = "SEND\ncontent-length:04\ncontent-length:1\n\n🎉\0";
    assertEquals(readWhole(version, repeated)[0]!.body, "\xf0\x9f\x8e\x89");
  }
});

Deno.test("StompReader gives out bytes that are not text as they are", () => {
  const body = Uint8Array.from({ length: 256 }, (_, n) => n);
  const whole = Uint8Array.of(...encoder.encode("SEND\ncontent-length:256\n\n"), ...body, 0);
  for (const version of VERSIONS) {
    const [read, ...more] = new StompReader(LIMITS).read(whole);
    assertEquals([read!.body, read!.isText, more.length], [body, false, 0], version);
  }
});

Deno.test("StompReader wants exactly one NUL behind a body of known length", () => {
  for (const version of VERSIONS) {
    for (const end of ["x", "\n\0", "xyz\0", "\r"]) {
      const message = refused(version, `SEND\ncontent-length:2\n\nab${end}`, "bad_request");
      assert(message.includes("2 bytes") && message.includes("content-length"), message);
    }
    assertEquals(readWhole(version, "SEND\ncontent-length:2\n\nab"), []);
    assertEquals(readWhole(version, "SEND\ncontent-length:2\n\nab\0\0\0").length, 1);
  }
});

Deno.test("StompReader refuses a content-length that is no number of 1 to 15 digits", () => {
  for (const length of ["", "x", "-1", "+1", "1.0", "1e1", "0x1", "１", "1 1", "1,1", "1234567890123456"]) {
    for (const version of VERSIONS) {
      assert(refused(version, `SEND\ncontent-length:${length}\n\n`, "bad_request").includes("content-length"), length);
    }
  }
  assertEquals(readWhole("1.0", "SEND\ncontent-length: 1 \n\na\0").length, 1);
  for (const version of ["1.1", "1.2"] as const) refused(version, "SEND\ncontent-length: 1\n\n", "bad_request");
  assertEquals(readWhole("1.2", "SEND\ncontent-length:000000000000001\n\na\0").length, 1);
});

Deno.test("StompReader refuses a body over the limit before it comes, or as soon as so much has come", () => {
  const limits = { ...LIMITS, body: 5 };
  for (const version of VERSIONS) {
    assertEquals(readWhole(version, "SEND\n\n12345\0SEND\ncontent-length:5\n\n12345\0", limits).length, 2);
    for (const text of ["content-length:6\n\n", "content-length:999999999999999\n\n", "\n123456", "\n123456\0"]) {
      assert(refused(version, `SEND\n${text}`, "too_large", limits).includes("5 bytes"), text);
    }
  }
});

Deno.test("StompReader skips line ends and NULs between frames", () => {
  const gaps = ["", "\n", "\n\n\n", "\0", "\n\0\n\0\0", "\r\n", "\n\r\n\r\n\0\r\n"];
  for (const version of VERSIONS) {
    for (const gap of gaps) {
      const text = `${gap}A\n\n\0${gap}B\n\nx\0${gap}`;
      const expected = { frames: [frame("A"), frame("B", {}, "x")], isWithin: false };
      assertEquals(readPieces(version, [text]), expected);
      assertEquals(readPieces(version, single(text)), expected);
    }
    refused(version, "\rA\n\n\0", "bad_request");
    refused(version, "\r\0\n", "bad_request");
    assertEquals(readPieces(version, ["\r", "A\n\n\0"]).error, "bad_request");
    refused(version, "A\n\n\0\r\r\n", "bad_request");
  }
});

Deno.test("StompReader takes a message for the body that it has not got yet, whatever it looks like", () => {
  for (const version of VERSIONS) {
    assertEquals(readPieces(version, ["SEND\n\n", "A\n\n\0"]).frames, [frame("SEND", {}, "A\n\n")]);
    const sized = readPieces(version, ["SEND\ncontent-length:4\n\n", "A\n\n\0", "\0"]);
    assertEquals(sized.frames, [frame("SEND", { "content-length": "4" }, "A\n\n\0")]);
  }
});

Deno.test("StompReader begins the body behind a blank line, with or without a CR", () => {
  for (const text of ["CONNECT\r\n\r\n\na\n\n\0", "STOMP\r\n\n\na\n\n\0", "CONNECT\n\r\n\na\n\n\0"]) {
    for (const version of VERSIONS) assertEquals(readWhole(version, text)[0]!.body, "\na\n\n", text);
  }
  assertEquals(readWhole("1.2", "SEND\r\na:1\r\n\r\nb:2\n\n\0"), [frame("SEND", { a: "1" }, "b:2\n\n")]);
});

Deno.test("StompReader takes a NUL in the place of a header for the end of a frame without a body", () => {
  for (const version of VERSIONS) {
    assertEquals(readWhole(version, "DISCONNECT\nreceipt:77\n\0A\n\n\0"), [
      frame("DISCONNECT", { receipt: "77" }),
      frame("A"),
    ]);
    assertEquals(readWhole(version, "A\n\0"), [frame("A")]);
    for (const text of ["DISCONNECT\nreceipt:77\0", "DISCONNECT\0", "SEND\ncontent-length:1\n\0\0", "A\nb\n\0"]) {
      refused(version, text, "bad_request");
    }
    assert(refused(version, "SEND\ndestination:/a\0", "bad_request").includes('"destination:/a"'));
  }
});

Deno.test("StompReader.isWithin says whether a frame has begun and not ended", () => {
  for (const version of VERSIONS) {
    const reader = new StompReader(LIMITS);
    reader.version = version;
    const states = [..."\n\0\r\nA\n\n\0\r\nB\ncontent-length:1\n\n\0\0\n"].map((character) => {
      const count = [...reader.read(character)].length;
      return count === 1 ? "F" : reader.isWithin ? "+" : "-";
    });
    assertEquals(states.join(""), `----+++F--${"+".repeat("B\ncontent-length:1\n\n\0".length)}F-`);
  }
});

Deno.test("StompReader.version counts for the next frame of the same message", () => {
  const reader = new StompReader(LIMITS);
  const send = "SEND\na: \\c\n\n\0";
  const seen = [];
  for (const { command, headers } of reader.read(`${send}CONNECT\naccept-version:1.2\n\n\0\r\n${send}NEXT\r\n\r\n\0`)) {
    if (command === "CONNECT") reader.version = "1.2";
    seen.push([command, headers.get("a")]);
  }
  assertEquals(seen, [["SEND", "\\c"], ["CONNECT", undefined], ["SEND", " :"], ["NEXT", undefined]]);
});

Deno.test("StompReader.read() goes on with what a caller left that stopped early", () => {
  const reader = new StompReader(LIMITS);
  for (const { command } of reader.read("A\n\n\0B\n\n\0C\n")) {
    assertEquals(command, "A");
    break;
  }
  // Not asked for at all.
  reader.read("\n\0");
  const rest = [...reader.read(encoder.encode("D\n\n\0"))];
  assertEquals(rest.map(({ command, isText }) => [command, isText]), [["B", true], ["C", true], ["D", false]]);
  assertEquals(reader.isWithin, false);
});

Deno.test("StompReader.read() throws the same again once it has thrown", () => {
  const reader = new StompReader(LIMITS);
  const seen: string[] = [];
  const first = assertThrows(() => {
    for (const { command } of reader.read("A\n\n\0b\n\n\0C\n\n\0")) seen.push(command);
  }, GongError);
  assertEquals(seen, ["A"]);
  const second = assertThrows(() => [...reader.read("C\n\n\0")], GongError);
  assert(first === second);
});

Deno.test("StompReader gives a frame as text or bytes after the message that it began in", () => {
  const reader = new StompReader(LIMITS);
  const pieces: Data[] = ["\nA", encoder.encode("\n\n\0B\n"), "\n\0\r", encoder.encode("\nC\n\n"), "\0"];
  const frames = pieces.flatMap((piece) => [...reader.read(piece)]);
  assertEquals(frames.map(({ command, isText }) => [command, isText]), [["A", true], ["B", false], ["C", false]]);
});

Deno.test("StompReader gives each body memory of its own", () => {
  const message = encoder.encode("A\n\nabc\0B\n\ndef\0");
  const [first, second] = new StompReader(LIMITS).read(message);
  message.fill(0x78);
  for (const { body } of [first!, second!]) assertEquals(body.buffer.byteLength, 3);
  assertEquals([first!.body, second!.body].map((body) => new TextDecoder().decode(body)), ["abc", "def"]);
});

Deno.test("StompReader lets a header that is kept keep neither the body nor a long head", () => {
  const count = 300;
  const long = "z".repeat(1_000_000);
  const limits = { headers: 10, line: 4_000_000, head: 5_000_000, body: 2_000_000 };
  const streams = [`SEND\n\n${long}`, `SEND\nlong:${long}\n\n`];
  for (const stream of streams) {
    const reader = new StompReader(limits);
    const kept: string[] = [];
    const before = Deno.memoryUsage().heapUsed;
    for (let n = 0; n < count; n++) {
      // A string of its own each time.
      const text = new TextDecoder().decode(
        encoder.encode(`${stream.replace("\n", `\nid:subscription-number-${n}\n`)}\0`),
      );
      for (const { headers } of reader.read(text)) kept.push(headers.get("id")!);
    }
    // They would have 300 MB; what is not collected yet is less than half of that.
    assert(Deno.memoryUsage().heapUsed - before < 150_000_000, stream.slice(0, 10));
    assertEquals(kept.length, count);
  }
});
