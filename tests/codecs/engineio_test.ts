import { assertEquals, assertThrows } from "@std/assert";
import { ENGINE_CODECS, type EngineCodec, type Packet } from "../../lib/codecs/engineio.ts";
import { GongError } from "../../lib/errors.ts";
import type { Data } from "../../lib/types.ts";

const BYTES = new Uint8Array([0, 1, 254, 255]);
const { 3: three, 4: four } = ENGINE_CODECS;

/** Frames and the packets that they are. */
const FRAMES: readonly [3 | 4, Data, Packet][] = [
  [4, "4hello", { type: "message", data: "hello" }],
  [4, "4", { type: "message" }],
  [4, "2probe", { type: "ping", data: "probe" }],
  [4, "1", { type: "close" }],
  [4, BYTES, { type: "message", data: BYTES }],
  [4, "bAAH+/w==", { type: "message", data: BYTES }],
  [3, "4hello", { type: "message", data: "hello" }],
  [3, "2", { type: "ping" }],
  [3, new Uint8Array([4, ...BYTES]), { type: "message", data: BYTES }],
  [3, "b4AAH+/w==", { type: "message", data: BYTES }],
];

for (const [version, frame, packet] of FRAMES) {
  Deno.test(`decodeFrame() of ${version} reads ${typeof frame === "string" ? frame : "bytes"}`, () => {
    assertEquals(ENGINE_CODECS[version].decodeFrame(frame), packet);
  });
}

Deno.test("decodeFrame() gives bytes an array of their own, and no memory that others share", () => {
  for (const codec of [three, four]) {
    const { data } = codec.decodeFrame(codec === three ? "b4AAH+/w==" : "bAAH+/w==");
    assertEquals([data!.constructor, (data as Uint8Array).buffer.byteLength], [Uint8Array, 4]);
  }
});

Deno.test("decodeFrame() refuses what is no packet", () => {
  for (const frame of ["", "abc", "7", "-1", "x4"]) {
    for (const codec of [three, four]) assertThrows(() => codec.decodeFrame(frame), GongError, "no packet");
  }
  for (const frame of ["b", "bx", new Uint8Array(), new Uint8Array([9, 1])]) {
    assertThrows(() => three.decodeFrame(frame), GongError, "no packet");
  }
});

Deno.test("encodeMessage() makes what decodeFrame() reads", () => {
  for (const codec of [three, four]) {
    for (const data of ["", "a€😀", BYTES]) {
      const { type, data: read = "" } = codec.decodeFrame(codec.encodeMessage(data));
      assertEquals([type, read], ["message", data]);
    }
  }
});

Deno.test("encodePayload() of 4 joins packets, bytes as base64", () => {
  assertEquals(four.encodePayload(["4a", BYTES, "2", "4€"], false), "4a\x1ebAAH+/w==\x1e2\x1e4€");
});

Deno.test("encodePayload() of 3 writes lengths in characters, and bytes as base64 for who takes no others", () => {
  const frames = ["4a", new Uint8Array([4, ...BYTES]), "4€"];
  assertEquals(three.encodePayload(frames, true), "2:4a10:b4AAH+/w==2:4€");
  assertEquals(three.encodePayload(["4a", "6"], false), "2:4a1:6");
  const bytes = new Uint8Array([0, 2, 255, 52, 97, 1, 5, 255, 4, ...BYTES, 0, 4, 255, 52, 226, 130, 172]);
  assertEquals(new Uint8Array(three.encodePayload(frames, false) as Uint8Array), bytes);
});

/** All packets of a payload. */
function decodeAll(codec: EngineCodec, payload: Data): Packet[] {
  const packets: Packet[] = [];
  codec.decodePayload(payload, (packet) => packets.push(packet) > 0);
  return packets;
}

Deno.test("decodePayload() reads what encodePayload() has written", () => {
  const packets: Packet[] = [
    { type: "message", data: "a€😀" },
    { type: "message", data: BYTES },
    { type: "ping" },
    { type: "message", data: "x".repeat(1000) },
    { type: "message", data: new Uint8Array(1000).fill(7) },
  ];
  for (const codec of [three, four]) {
    const frames = packets.map(({ type, data }) => type === "ping" ? "2" : codec.encodeMessage(data!));
    for (const asText of [true, false]) assertEquals(decodeAll(codec, codec.encodePayload(frames, asText)), packets);
  }
});

Deno.test("decodePayload() of 3 refuses bytes that end at any place but between packets", () => {
  const whole = three.encodePayload(["4hello", new Uint8Array([4, ...BYTES]), "2"], false) as Uint8Array;
  const ends = new Set([9, 17, whole.length]);
  for (let length = 0; length <= whole.length; length++) {
    const part = whole.subarray(0, length);
    if (ends.has(length)) decodeAll(three, part);
    else assertThrows(() => decodeAll(three, part), GongError);
  }
});

Deno.test("decodePayload() refuses what is no payload", () => {
  for (const payload of ["", "a", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b"]) {
    assertThrows(() => decodeAll(four, payload), GongError, "no packet");
  }
  assertThrows(() => decodeAll(four, BYTES), GongError, "no packet");
  for (const payload of ["", "a", "1", "1:", "2:4", ":4", "-1:4", "1:4x", "0:", "1e:4", "NaN:4", "Infinity:4"]) {
    assertThrows(() => decodeAll(three, payload), GongError, "no packet");
  }
});

Deno.test("decodePayload() bounds the packets, of both forms", () => {
  const many = 65_537;
  assertEquals(decodeAll(four, "2\x1e".repeat(many - 2) + "2").length, many - 1);
  assertThrows(() => decodeAll(four, "2\x1e".repeat(many - 1) + "2"), GongError, "at most");
  assertEquals(decodeAll(three, "1:2".repeat(many - 1)).length, many - 1);
  assertThrows(() => decodeAll(three, "1:2".repeat(many)), GongError, "at most");
  const bytes = new Uint8Array(many * 4);
  for (let at = 0; at < bytes.length; at += 4) bytes.set([0, 1, 255, 50], at);
  assertThrows(() => decodeAll(three, bytes), GongError, "at most");
});

Deno.test("decodePayload() decodes no packet behind one that is not to be gone on from", () => {
  for (const [codec, payload] of [[four, "4a\x1e4b\x1e4c"], [three, "2:4a2:4b2:4c"]] as const) {
    for (const end of [() => false, fail]) {
      const taken: unknown[] = [];
      const decode = () => codec.decodePayload(payload, ({ data }) => taken.push(data) < 2 || end());
      if (end === fail) assertThrows(decode, RangeError, "enough");
      else decode();
      assertEquals(taken, ["a", "b"]);
    }
  }
});

Deno.test("decodePayload() of 4 takes nothing of a payload with anything that is no packet", () => {
  for (const payload of ["4a\x1e7", "4a\x1e", "4a\x1eabc"]) {
    assertThrows(() => four.decodePayload(payload, () => fail()), GongError, "no packet");
  }
});

function fail(): never {
  throw new RangeError("enough");
}
