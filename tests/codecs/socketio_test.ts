import { assert, assertEquals, assertThrows } from "@std/assert";
import { Decoder, Encoder } from "socket.io-parser";
import { encodePacket, type Packet, PacketReader, PacketType } from "../../lib/codecs/socketio.ts";
import { GongError } from "../../lib/errors.ts";
import type { Data } from "../../lib/types.ts";
import { type Random, seeded } from "../support/random.ts";

const LIMITS = { maxMessage: 10_000 };

/** The packet of these messages; every one but the last has to leave it open. */
function read(...messages: Data[]): Packet | undefined {
  const reader = new PacketReader(LIMITS);
  const packets = messages.map((data) => reader.read(data));
  for (const early of packets.slice(0, -1)) assertEquals(early, undefined);
  return packets.at(-1);
}

/** What a message is refused with. */
function refusal(...messages: Data[]): string {
  return assertThrows(() => read(...messages), GongError).code;
}

/** Messages as the official encoder makes them. */
function official(packet: Packet): Data[] {
  return new Encoder().encode(packet);
}

/** A value of JSON, with bytes in it now and then. */
function value(random: Random, depth: number, bytes: { left: number }): unknown {
  const kind = random.int(depth === 0 ? 6 : 9);
  if (kind === 5 && bytes.left > 0) {
    bytes.left--;
    return Uint8Array.from({ length: random.int(5) }, () => random.int(256));
  }
  if (kind < 6) return random.pick([0, -1.5, "", 'é😀\n"\\', true, null, "__proto__", "[{", "2/a,1[]", "\u2028"]);
  const items = Array.from({ length: random.int(4) }, () => value(random, depth - 1, bytes));
  return kind < 7 ? items : Object.fromEntries(items.map((item) => [random.pick(["a", 'b"', "num", "id", ""]), item]));
}

/** A packet of any shape that clients and servers send. */
function somePacket(random: Random): Packet {
  const nsp = random.pick(["/", "/chat1", "/a/b", "/é b", '/["x"]', "/1"]);
  const args = Array.from({ length: random.int(4) }, () => value(random, 3, { left: 3 }));
  const id = random.pick([0, 1, 456, Number.MAX_SAFE_INTEGER]);
  switch (random.int(7)) {
    case 0:
      return { type: PacketType.CONNECT, nsp };
    case 1:
      return { type: PacketType.CONNECT, nsp, data: { token: "a", n: [1] } };
    case 2:
      return { type: PacketType.DISCONNECT, nsp };
    case 3:
      return { type: PacketType.CONNECT_ERROR, nsp, data: random.pick<unknown>(["no", { message: "no" }]) };
    case 4:
      return { type: PacketType.ACK, nsp, id, data: args };
    default:
      return { type: PacketType.EVENT, nsp, data: ["event", ...args], ...(random.int(2) ? { id } : {}) };
  }
}

Deno.test("encodePacket() writes every shape as the documents of the protocol have it", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const cases: [Packet, Data[]][] = [
    [{ type: PacketType.CONNECT, nsp: "/", data: { sid: "a" } }, ['40{"sid":"a"}']],
    [{ type: PacketType.CONNECT, nsp: "/chat1" }, ["40/chat1,"]],
    [{ type: PacketType.DISCONNECT, nsp: "/chat1" }, ["41/chat1,"]],
    [{ type: PacketType.EVENT, nsp: "/", data: ["hi", 1, { a: null }] }, ['42["hi",1,{"a":null}]']],
    [{ type: PacketType.EVENT, nsp: "/chat1", data: ["hi"], id: 12 }, ['42/chat1,12["hi"]']],
    [{ type: PacketType.ACK, nsp: "/", data: [], id: 0 }, ["430[]"]],
    [{ type: PacketType.CONNECT_ERROR, nsp: "/a", data: { message: "no" } }, ['44/a,{"message":"no"}']],
    [{ type: PacketType.EVENT, nsp: "/", data: ["b", { c: bytes }] }, [
      '451-["b",{"c":{"_placeholder":true,"num":0}}]',
      bytes,
    ]],
    [{ type: PacketType.ACK, nsp: "/a", id: 7, data: [bytes] }, ['461-/a,7[{"_placeholder":true,"num":0}]', bytes]],
  ];
  for (const [packet, frames] of cases) assertEquals(encodePacket(packet, 4), frames);
});

Deno.test("encodePacket() puts the type before the bytes of Engine.IO 3, and leaves the packet as it is", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const packet = { type: PacketType.EVENT, nsp: "/", data: ["b", bytes] };
  assertEquals(encodePacket(packet, 3)[1], Uint8Array.of(4, 1, 2, 3));
  assertEquals(packet, { type: PacketType.EVENT, nsp: "/", data: ["b", Uint8Array.of(1, 2, 3)] });
  assert(encodePacket(packet, 4)[1] === bytes);
});

Deno.test("encodePacket() and PacketReader agree with the official Encoder and Decoder on packets of every shape", () => {
  const random = seeded(1);
  for (let round = 0; round < 3000; round++) {
    const packet = somePacket(random);
    const messages = official(packet);
    const frames = encodePacket(packet, 4);
    assertEquals(frames, [`4${messages[0]}`, ...messages.slice(1)]);
    assertEquals(read(...messages), packet);
    const decoder = new Decoder();
    let decoded: Packet | undefined;
    decoder.on("decoded", (whole) => decoded = whole);
    for (const [index, frame] of frames.entries()) decoder.add(index === 0 ? (frame as string).slice(1) : frame);
    assertEquals(decoded, packet);
  }
});

Deno.test("PacketReader refuses every text that is no packet", () => {
  const texts = [
    "",
    " ",
    "abc",
    "7",
    "9[]",
    "-1",
    "2",
    "2{}",
    "2[]",
    "2[{}]",
    "2[null]",
    '2"a"',
    '2["a"',
    '2["a"]]',
    '2["a"]x',
    '2 ["a"]',
    '2abc["a"]',
    '2/a["a"]',
    '2/a, ["a"]',
    '21.5["a"]',
    '21e3["a"]',
    '2-1["a"]',
    '29007199254740992["a"]',
    '2["connect"]',
    '2["disconnect"]',
    '2["disconnecting"]',
    '2["connect_error"]',
    '2["newListener"]',
    "0[]",
    '0"a"',
    "0null",
    "01{",
    "1{}",
    "1[]",
    "3",
    "31",
    "3[]",
    "31{}",
    "4[]",
    "5",
    '5["a"]',
    "51",
    "51-",
    '50-["a"]',
    '5-1-["a"]',
    '51.5-["a"]',
    '51e0-["a"]',
    "51-{}",
    '511-["a"]',
    '5999-["a"]',
    '5 1-["a"]',
    "61-[]",
  ];
  for (const text of texts) {
    assertEquals(refusal(text), "bad_request", text);
  }
});

Deno.test("PacketReader takes as many attachments as are announced, each at its one place, and nothing between", () => {
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2, 3)];
  const place = (num: unknown) => ({ _placeholder: true, num });
  const event = (count: number, ...args: unknown[]) => `5${count}-${JSON.stringify(["e", ...args])}`;
  assertEquals(read(event(2, place(1), [place(0)]), a, b)?.data, ["e", b, [a]]);
  assertEquals(refusal(a), "bad_request");
  assertEquals(refusal(event(1, place(0)), '2["e"]'), "bad_request");
  const refused: unknown[][] = [[], [1], [place(1)], [place(-1)], [place(0.5)], [place("0")], [place(0), place(0)]];
  for (const args of refused) assertEquals(refusal(event(1, ...args), a), "bad_request", JSON.stringify(args));
  assertEquals(refusal(event(2, place(0)), a, b), "bad_request");
  assertEquals(refusal(event(2, place(0), place(0)), a, b), "bad_request");
  const many = Array.from({ length: 10 }, (_, num) => Uint8Array.of(num));
  assertEquals(read(event(10, ...many.map((_, num) => place(num))), ...many)?.data, ["e", ...many]);
  assertEquals(refusal(event(11, ...Array.from({ length: 11 }, (_, num) => place(num)))), "bad_request");
});

Deno.test("PacketReader leaves a client's own placeholders alone where there are no attachments", () => {
  assertEquals(read('2["e",{"_placeholder":true,"num":0}]')?.data, ["e", { _placeholder: true, num: 0 }]);
});

Deno.test("PacketReader bounds the bytes of a packet with its attachments", () => {
  const text = '51-["e",{"_placeholder":true,"num":0}]';
  const room = LIMITS.maxMessage - text.length;
  assertEquals((read(text, new Uint8Array(room))?.data[1] as Uint8Array).length, room);
  assertEquals(refusal(text, new Uint8Array(room + 1)), "too_large");
  const two = '52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';
  const half = (LIMITS.maxMessage - two.length) / 2;
  assert(read(two, new Uint8Array(Math.floor(half)), new Uint8Array(Math.floor(half))));
  assertEquals(refusal(two, new Uint8Array(Math.ceil(half)), new Uint8Array(Math.ceil(half) + 1)), "too_large");
  const filled = (length: number) => `2["${"a".repeat(length - 5)}"]`;
  assertEquals(read(filled(LIMITS.maxMessage))?.type, PacketType.EVENT);
  assertEquals(refusal(filled(LIMITS.maxMessage + 1)), "too_large");
  // Bytes, not characters.
  assertEquals(refusal(`2["${"é".repeat(LIMITS.maxMessage / 2)}"]`), "too_large");
  const reader = new PacketReader(LIMITS);
  for (let round = 0; round < 3; round++) {
    reader.read(text);
    assert(reader.read(new Uint8Array(room)), "what a packet had is no part of the next");
  }
});

Deno.test("PacketReader bounds the depth before anything is parsed, in namespaces too that look like JSON", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assertEquals(read(`2["e",${nested(63)}]`)?.type, PacketType.EVENT);
  assertEquals(refusal(`2["e",${nested(64)}]`), "bad_request");
  assertEquals(refusal(`2/a","b,["e",${nested(64)}]`), "bad_request");
  assertEquals(refusal(`51-["e",${nested(64)},{"_placeholder":true,"num":0}]`), "bad_request");
  assertEquals(read(`2/${nested(100)},["e"]`)?.nsp, `/${nested(100)}`);
  const start = performance.now();
  const reader = new PacketReader({ maxMessage: 20_000_000 });
  for (const open of ["[", '{"a":', '["\\\\",{"[":']) {
    assertThrows(() => reader.read(`2${open.repeat(1_000_000)}`), GongError, "deeper than 64");
  }
  assert(performance.now() - start < 4000);
});

Deno.test("PacketReader keeps `__proto__` as the name of a member, and touches no prototype", () => {
  const packet = read('2["e",{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}]');
  assertEquals(Object.keys(packet?.data[1]), ["__proto__", "constructor"]);
  assertEquals(packet?.data[1].isAdmin, undefined);
  const binary = read('51-["e",{"__proto__":{"a":{"_placeholder":true,"num":0}}}]', Uint8Array.of(1));
  assertEquals(Object.keys(binary?.data[1]), ["__proto__"]);
  const auth = read('0{"__proto__":{"token":"a"}}');
  assertEquals(auth?.data.token, undefined);
  assertEquals(({} as Record<string, unknown>).isAdmin, undefined);
});

Deno.test("PacketReader keeps every digit of a number that a double cannot hold, where there are no attachments", () => {
  const packet = read('2["e",12345678901234567890]');
  assertEquals(encodePacket(packet!, 4), ['42["e",12345678901234567890]']);
  const bytes = Uint8Array.of(1);
  const binary = read('51-["e",12345678901234567890,{"_placeholder":true,"num":0}]', bytes);
  assertEquals(binary?.data, ["e", 12345678901234567000, bytes]);
});

Deno.test("PacketReader holds nothing between packets, and what has begun goes on in another reader", () => {
  const messages = official({
    type: PacketType.EVENT,
    nsp: "/a",
    id: 3,
    data: ["e", Uint8Array.of(1), Uint8Array.of(2)],
  });
  const [first, second] = [new PacketReader(LIMITS), new PacketReader(LIMITS)];
  assertEquals(first.begun, []);
  assertEquals(first.read(messages[0]!), undefined);
  assertEquals(first.read(messages[1]!), undefined);
  assertEquals(first.begun, messages.slice(0, 2));
  for (const data of structuredClone(first.begun)) assertEquals(second.read(data), undefined);
  assertEquals(second.read(messages[2]!)?.data, ["e", Uint8Array.of(1), Uint8Array.of(2)]);
  assertEquals(second.begun, []);
  assert(first.read(messages[2]!));
  assertEquals(first.begun, []);
  first.read(messages[0]!);
  assertThrows(() => first.read("2[]"), GongError);
  assertEquals(first.begun, []);
});

Deno.test("PacketReader throws nothing but a GongError, in bounded time, whatever comes", () => {
  const random = seeded(2);
  const pieces = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "-",
    "/",
    ",",
    "[",
    "]",
    "{",
    "}",
    '"',
    ":",
    "a",
    " ",
    "\n",
    "1-",
    "2-",
    '["e"]',
    '{"_placeholder":true,"num":0}',
    "__proto__",
    "null",
    "1e999",
    "\\",
    "\ud800",
    "é",
    "12345678901234567890",
  ] as const;
  const start = performance.now();
  let packets = 0;
  for (let round = 0; round < 30_000; round++) {
    const reader = new PacketReader(LIMITS);
    const messages: Data[] = random.int(2) ? [random.text(pieces, 12)] : mutated(official(somePacket(random)), random);
    try {
      for (const data of messages) if (reader.read(data)) packets++;
    } catch (error) {
      assert(error instanceof GongError, `${error} of ${JSON.stringify(messages)}`);
      assert(["bad_request", "too_large"].includes(error.code));
    }
  }
  assert(packets > 1000, `${packets}`);
  assert(performance.now() - start < 30_000);
});

Deno.test("PacketReader takes linear time", () => {
  const reader = new PacketReader({ maxMessage: 5_000_000 });
  const start = performance.now();
  for (const text of ["2" + "1".repeat(2_000_000), "2/" + "a".repeat(2_000_000), "5" + "1".repeat(2_000_000)]) {
    assertThrows(() => reader.read(text), GongError);
    assertThrows(() => reader.read(`${text}-`), GongError);
  }
  assert(performance.now() - start < 4000);
});

/** A message is cut, doubled or left out, or a character of it is another. */
function mutated(messages: Data[], random: Random): Data[] {
  const index = random.int(messages.length);
  const data = messages[index]!;
  const at = random.int(data.length + 1);
  switch (random.int(4)) {
    case 0:
      return messages.filter((_, each) => each !== index);
    case 1:
      return [...messages.slice(0, index), data, ...messages.slice(index)];
    case 2:
      return messages.with(index, data.slice(0, at));
    default:
      if (typeof data !== "string") return messages;
      return messages.with(
        index,
        data.slice(0, at) + random.pick(["[", "]", "{", '"', ",", "0", "/"]) + data.slice(at + 1),
      );
  }
}
