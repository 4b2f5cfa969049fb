import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeStompFrame, StompReader, type StompVersion } from "../lib/codecs/stomp.ts";
import { encodeFrame, FrameReader, valueOf } from "../static/stomp_codec.js";
import { dump } from "../static/stomp_log.js";

const VERSIONS: readonly StompVersion[] = ["1.0", "1.1", "1.2"];
const encoder = new TextEncoder();
const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, at) => at);

/** A frame as the page's reader has it, as values that compare. */
type Read = readonly [command: string, headers: [string, string][], body: string, isText: boolean];

function plain(frame: { command: string; headers: string[][]; body: Uint8Array; isText: boolean }): Read {
  const { command, headers, body, isText } = frame;
  return [command, headers as [string, string][], String.fromCharCode(...body), isText];
}

function readAll(version: StompVersion, pieces: Iterable<string | Uint8Array>): { frames: Read[]; beats: number } {
  const reader = new FrameReader();
  reader.version = version;
  const frames: Read[] = [];
  let beats = 0;
  for (const piece of pieces) {
    const read = reader.read(piece);
    frames.push(...read.frames.map(plain));
    beats += read.beats;
  }
  return { frames, beats };
}

Deno.test("encodeFrame() writes what the server reads, in every version, as text or as bytes", () => {
  const texts: Record<StompVersion, string> = {
    "1.0": "你好, a:b\\n",
    "1.1": "你好, a:b\\n\nline",
    "1.2": "你好, a:b\\n\nline\r\n",
  };
  for (const version of VERSIONS) {
    for (const body of ["", "你好,世界!", "a\0b", EVERY_BYTE]) {
      const reader = new StompReader({ headers: 10, line: 1000, head: 4000, body: 1000 });
      reader.version = version;
      const message = encodeFrame(version, "SEND", [["destination", "/topic/a"], ["x-text", texts[version]]], body);
      assertEquals(typeof message, typeof body);
      const [frame, ...rest] = [...reader.read(message)];
      assertEquals(rest, []);
      assertEquals(frame!.command, "SEND");
      assertEquals(frame!.headers.get("x-text"), texts[version], version);
      assertEquals(frame!.body, typeof body === "string" ? encoder.encode(body) : body);
    }
  }
});

Deno.test("encodeFrame() never escapes CONNECT, and refuses what a version cannot say", () => {
  assertEquals(encodeFrame("1.2", "CONNECT", [["login", "a:b\\"]]), "CONNECT\nlogin:a:b\\\n\n\0");
  for (const version of VERSIONS) {
    assertThrows(() => encodeFrame(version, "SEND", [["a", "\0"]]), TypeError);
    assertThrows(() => encodeFrame(version, "CONNECT", [["login", "a\nb:c"]]), TypeError);
  }
  assertThrows(() => encodeFrame("1.0", "SEND", [["a", "b\nc"]]), TypeError);
  assertThrows(() => encodeFrame("1.0", "SEND", [["a:b", "c"]]), TypeError);
  assertThrows(() => encodeFrame("1.1", "SEND", [["a", "b\rc"]]), TypeError);
  assertEquals(encodeFrame("1.1", "SEND", [["a:b", "c"]]), "SEND\na\\cb:c\n\n\0");
});

Deno.test("FrameReader reads what the server writes, wherever it is cut", () => {
  for (const version of VERSIONS) {
    const text = version === "1.0" ? "a:b\\" : "a:b\\\n";
    const headers = [["x-text", text], ["content-length", "256"]] as const;
    const head = encodeStompFrame(version, "RECEIPT", [["receipt-id", text]]) as string;
    const message = encodeStompFrame(version, "MESSAGE", headers, EVERY_BYTE) as Uint8Array;
    const whole = Uint8Array.from([...encoder.encode(`\n${head}\n`), ...message, 0x0a, ...encoder.encode(head)]);
    const receipt: Read = ["RECEIPT", [["receipt-id", text]], "", false];
    const expected = {
      frames: [receipt, ["MESSAGE", [["x-text", text], ["content-length", "256"]], latin1(EVERY_BYTE), false], receipt],
      beats: 3,
    };
    assertEquals<unknown>(readAll(version, [whole]), expected);
    for (let at = 1; at < whole.length; at++) {
      assertEquals<unknown>(
        readAll(version, [whole.subarray(0, at), whole.subarray(at)]),
        expected,
        `${version} ${at}`,
      );
    }
    assertEquals<unknown>(readAll(version, Array.from(whole, (byte) => Uint8Array.of(byte))), expected, version);
  }
});

Deno.test("FrameReader tells text from bytes by the message that a frame began in", () => {
  const { frames } = readAll("1.2", ["A\n\n1\0B\n\n", "2\0", encoder.encode("C\n\n3\0D\n\n"), "4\0E\n\n5\0"]);
  assertEquals(frames.map(([command, , body, isText]) => `${command}${body} ${isText}`), [
    ...["A1 true", "B2 true", "C3 false", "D4 false", "E5 true"],
  ]);
});

Deno.test("FrameReader goes over to the version of CONNECTED, even within one message", () => {
  const reader = new FrameReader();
  const { frames } = reader.read("CONNECTED\nversion:1.2\nserver:a\\b\n\n\0RECEIPT\r\nreceipt-id:a\\r\\c\r\n\r\n\0");
  assertEquals(reader.version, "1.2");
  assertEquals(frames.map(plain).map(([, headers]) => headers), [
    [["version", "1.2"], ["server", "a\\b"]],
    [["receipt-id", "a\r:"]],
  ]);
  const old = new FrameReader();
  old.read("CONNECTED\n\n\0");
  assertEquals(old.version, "1.0");
});

Deno.test("FrameReader refuses what is not STOMP", () => {
  for (const text of ["A\nb\n\n\0", "A\nb:\\x\n\n\0", "A\n:b\n\n\0", "A\ncontent-length:x\n\n\0"]) {
    assertThrows(() => readAll("1.2", [text]), SyntaxError);
  }
  assertThrows(() => readAll("1.2", ["A\ncontent-length:1\n\nbb\0"]), SyntaxError);
  assertThrows(() => readAll("1.2", [Uint8Array.of(0x41, 0x0a, 0xff, 0x3a, 0x0a, 0x0a, 0)]), SyntaxError);
});

Deno.test("valueOf() gives the first of a repeated header", () => {
  const [frame] = new FrameReader().read("A\nb:1\nb:2\n\n\0").frames;
  assert(frame !== undefined);
  assertEquals([valueOf(frame, "b"), valueOf(frame, "c")], ["1", undefined]);
});

Deno.test("dump() shows bytes as hex and as letters, and how many it leaves out", () => {
  const [first, second] = dump(EVERY_BYTE.subarray(0x38, 0x4a)).split("\n");
  assertEquals(first, "00000000  38 39 3a 3b 3c 3d 3e 3f 40 41 42 43 44 45 46 47  |89:;<=>?@ABCDEFG|");
  assertEquals(second, `00000010  48 49${" ".repeat(14 * 3)}  |HI|`);
  assertEquals(dump(new Uint8Array(513)).split("\n").slice(-2), [
    `000001f0  ${"00 ".repeat(16)} |${".".repeat(16)}|`,
    "… 1 more bytes",
  ]);
});

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
