import { assert, assertEquals } from "@std/assert";
import { Decoder, Encoder, type Packet, PacketType } from "socket.io-parser";
import {
  appendArgument,
  argsOf,
  attachmentsOf,
  channelOf,
  encodePublication,
  type EventOf,
  placeOf,
  toMessage,
} from "../../lib/codecs/socketio.ts";
import type { Data } from "../../lib/types.ts";
import { type Random, seeded } from "../support/random.ts";

const JSON_TYPE = "application/json";

/** What a client makes of a publication. */
function heard(publication: EventOf, namespace = "/"): Packet {
  return decode([encodePublication(publication, namespace), ...attachmentsOf(publication, 4)]);
}

function decode([text, ...attachments]: readonly Data[]): Packet {
  const decoder = new Decoder();
  let packet: Packet | undefined;
  decoder.on("decoded", (whole) => packet = whole);
  assertEquals((text as string)[0], "4");
  for (const data of [(text as string).slice(1), ...attachments]) decoder.add(data);
  assert(packet, `${text} lacks attachments`);
  return packet;
}

function someArguments(random: Random, most = 3): unknown[] {
  const bytes = () => Uint8Array.from({ length: random.int(5) }, () => random.int(256));
  const value = (depth: number): unknown => {
    const kind = random.int(depth === 0 ? 6 : 9);
    if (kind === 0 && most-- > 0) return bytes();
    if (kind < 6) return random.pick([0, -1.5, "", 'é😀\n"\\', true, null, "__proto__", "]", "[", "\u2028"]);
    const items = Array.from({ length: random.int(4) }, () => value(depth - 1));
    return kind < 7 ? items : Object.fromEntries(items.map((item) => [random.pick(["a", "base64", "]"]), item]));
  };
  return Array.from({ length: random.int(4) }, () => value(3));
}

Deno.test("channelOf() and placeOf() have the names of PROTOCOL.md", () => {
  const cases: [namespace: string, room: string | undefined, channel: string][] = [
    ["/", undefined, "broadcast"],
    ["/chat1", undefined, "chat1"],
    ["/a/b", undefined, "a%2Fb"],
    ["/a%b", undefined, "a%25b"],
    ["/é b", undefined, "%C3%A9%20b"],
    ["/😀", undefined, "%F0%9F%98%80"],
    ["/$admin", undefined, "%24admin"],
    ["/room:1_2.3~=+!-", undefined, "room:1_2.3~=+!-"],
    ["//", undefined, "%2F"],
    ["/chat1", "r", "chat1/r"],
    ["/", "r", "broadcast/r"],
    ["/a", "b/c", "a/b/c"],
    ["/a", "/b/", "a//b/"],
    ["/a/b", "é%", "a%2Fb/%C3%A9%25"],
    ["/a", "broadcast", "a/broadcast"],
  ];
  for (const [namespace, room, channel] of cases) {
    assertEquals(channelOf(namespace, room), channel);
    assertEquals(placeOf(channel), room === undefined ? { namespace } : { namespace, room });
  }
});

Deno.test("channelOf() has nothing for what has no channel", () => {
  const places: [namespace: string, room?: string][] = [
    [""],
    ["chat1"],
    ["/broadcast"],
    ["/broadcast", "r"],
    ["/a", ""],
    ["/", ""],
    ["/\ud800"],
    ["/a", "\ud800"],
    ["/" + "a".repeat(129)],
    ["/" + "é".repeat(22)],
    ["/a", "b".repeat(127)],
    ["/" + "a".repeat(1_000_000)],
    ["/a", "é".repeat(1_000_000)],
  ];
  for (const [namespace, room] of places) assertEquals(channelOf(namespace, room), undefined, namespace.slice(0, 40));
  assertEquals(channelOf("/" + "a".repeat(128)), "a".repeat(128));
});

Deno.test("placeOf() has nothing for channels that no place has", () => {
  const channels = [
    "",
    "/",
    "/a",
    "a/",
    "broadcast/",
    "a%2fb",
    "%61",
    "%",
    "a%",
    "%C3",
    "%FF",
    "a/%61",
    "a/%2F",
    "$admin",
    "$user/a",
    "$presence/a",
    "%62roadcast",
    "a b",
    "a".repeat(129),
  ];
  for (const channel of channels) assertEquals(placeOf(channel), undefined, channel);
});

Deno.test("channelOf() and placeOf() are each other's inverse", () => {
  const random = seeded(3);
  const pieces = ["a", "/", "%", "%2F", "%41", "broadcast", "é", "😀", " ", "$", ".", "~", "\ud800", ",", "Z"] as const;
  let [there, back] = [0, 0];
  for (let round = 0; round < 30_000; round++) {
    const namespace = `/${random.text(pieces, 4)}`;
    const room = random.int(2) ? random.text(pieces, 4) : undefined;
    const channel = channelOf(namespace, room);
    if (channel !== undefined) {
      there++;
      assertEquals(placeOf(channel), room === undefined ? { namespace } : { namespace, room });
    }
    const other = random.text(["a", "/", "%2F", "%25", "%C3%A9", "%", "broadcast", "$user/", "%2f", "-"], 5);
    const place = placeOf(other);
    if (place !== undefined) {
      back++;
      assertEquals(channelOf(place.namespace, place.room), other);
    }
  }
  assert(there > 5000 && back > 5000, `${there}, ${back}`);
});

Deno.test("toMessage() writes the arguments as JSON on one line, and bytes as PROTOCOL.md has them", () => {
  assertEquals(toMessage("e", ["a\nb", 1]), { event: "e", data: '["a\\nb",1]', contentType: JSON_TYPE });
  assertEquals(toMessage("e", []), { event: "e", data: "[]", contentType: JSON_TYPE });
  assertEquals(toMessage("e", [{ a: [Uint8Array.of(255)] }, 2]), {
    event: "e",
    data: '[{"a":[{"_placeholder":true,"base64":"/w=="}]},2]',
    contentType: JSON_TYPE,
    tags: { binary: "base64" },
  });
  const bytes = Uint8Array.of(1, 2);
  assertEquals(toMessage("e", [bytes]), { event: "e", data: bytes, contentType: "application/octet-stream" });
  // Of a subclass with a `toJSON` of its own.
  class Block extends Uint8Array {
    toJSON() {
      return "no bytes";
    }
  }
  assertEquals(toMessage("e", [new Block(1), 0]).data, '[{"_placeholder":true,"base64":"AA=="},0]');
});

Deno.test("argsOf() is the way back of toMessage(), and what a client hears of it is the same", () => {
  const random = seeded(4);
  for (let round = 0; round < 3000; round++) {
    const args = someArguments(random);
    const message = toMessage("event", args);
    assertEquals(argsOf(message), { event: "event", args });
    assertEquals(heard(message, "/chat1"), { type: PacketType.EVENT, nsp: "/chat1", data: ["event", ...args] });
    assert(typeof message.data !== "string" || !/[\r\n]/.test(message.data));
  }
});

Deno.test("a client's own object with `_placeholder` stays what it is, where there are no bytes beside it", () => {
  const own = [{ _placeholder: true, base64: "AA==" }, { _placeholder: true, num: 0 }, { _placeholder: 1 }];
  const message = toMessage("e", own);
  assertEquals(message.tags, undefined);
  assertEquals(argsOf(message).args, own);
  assertEquals(attachmentsOf(message, 4), []);
  assertEquals(heard(message).data, ["e", ...own]);
});

Deno.test("argsOf() reads what other doors publish, and a client hears the same", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const cases: [EventOf, unknown[]][] = [
    [{ data: "hello", contentType: "text/plain" }, ["message", "hello"]],
    [{ data: "hello", contentType: "text/plain", event: "greeting" }, ["greeting", "hello"]],
    [{ data: "[1,2]", contentType: "text/plain", event: "e" }, ["e", "[1,2]"]],
    [{ data: bytes, contentType: "image/png" }, ["message", bytes]],
    [{ data: bytes, contentType: JSON_TYPE, event: "e" }, ["e", bytes]],
    [{ data: new Uint8Array(), contentType: "image/png" }, ["message", new Uint8Array()]],
    [{ data: '{"a":1}', contentType: JSON_TYPE }, ["message", { a: 1 }]],
    [{ data: '{"a":1}', contentType: JSON_TYPE, event: "e" }, ["e", { a: 1 }]],
    [{ data: "[1,2]", contentType: JSON_TYPE }, ["message", [1, 2]]],
    [{ data: "[1,2]", contentType: JSON_TYPE, event: "e" }, ["e", 1, 2]],
    [{ data: " [ 1 , [2] ] ", contentType: JSON_TYPE, event: "e" }, ["e", 1, [2]]],
    [{ data: " [ ] ", contentType: JSON_TYPE, event: "e" }, ["e"]],
    [{ data: "[]", contentType: JSON_TYPE }, ["message", []]],
    [{ data: "null", contentType: JSON_TYPE, event: "e" }, ["e", null]],
    [{ data: '"text"', contentType: "application/json; charset=utf-8" }, ["message", "text"]],
    [{ data: '{"a":[]}', contentType: "application/problem+json" }, ["message", { a: [] }]],
    [{ data: "1", contentType: JSON_TYPE, tags: { binary: "hex" } }, ["message", 1]],
    [
      { data: '{"a":{"_placeholder":true,"base64":"AQID"}}', contentType: JSON_TYPE, tags: { binary: "base64" } },
      ["message", { a: bytes }],
    ],
  ];
  for (const [publication, data] of cases) {
    const { event, args } = argsOf(publication);
    assertEquals([event, ...args], data);
    assertEquals(heard(publication).data, data);
  }
});

Deno.test("encodePublication() sends no event that a client's parser refuses, or that is news of its connection", () => {
  for (const event of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
    assertEquals(heard({ data: "[1]", contentType: JSON_TYPE, event }).data, ["message", 1]);
    assertEquals(argsOf({ data: "a", contentType: "text/plain", event }), { event: "message", args: ["a"] });
  }
});

Deno.test("encodePublication() leaves alone what would be a packet that no client can read", () => {
  const place = (base64: unknown, more = {}) => ({ _placeholder: true, base64, ...more });
  const tags = { binary: "base64" };
  const lists: unknown[][] = [
    [place("AA=="), { _placeholder: true, num: 9 }],
    [place("AA=="), place("not base64!")],
    [place("AA=="), place(1)],
    [place("AA==", { more: 1 })],
    Array.from({ length: 11 }, () => place("AA==")),
  ];
  for (const list of lists) {
    const publication = { data: JSON.stringify(list), contentType: JSON_TYPE, event: "e", tags };
    assertEquals(heard(publication).data, ["e", ...list]);
    assertEquals(attachmentsOf(publication, 4), []);
  }
  const most = Array.from({ length: 10 }, () => place("AA=="));
  const publication = { data: JSON.stringify(most), contentType: JSON_TYPE, event: "e", tags };
  assertEquals(heard(publication).data, ["e", ...most.map(() => new Uint8Array(1))]);
});

Deno.test("argsOf() throws nothing for data that is not what it says", () => {
  for (const data of ["", "{", "[1", "[".repeat(100_000), "nope", "\ud800"]) {
    for (const tags of [{}, { binary: "base64" }]) {
      assertEquals(argsOf({ data, contentType: JSON_TYPE, event: "e", tags }), { event: "e", args: [data] });
    }
  }
  const nested = "[".repeat(70) + "]".repeat(70);
  const tags = { binary: "base64" };
  assertEquals(argsOf({ data: nested, contentType: JSON_TYPE, tags }).args, [nested]);
  const proto = { data: '{"__proto__":{"_placeholder":true,"base64":"AA=="}}', contentType: JSON_TYPE };
  assertEquals(Object.entries(argsOf({ ...proto, tags }).args[0] as object), [["__proto__", new Uint8Array(1)]]);
  const place = { data: '{"_placeholder":true,"base64":"AA=="}', contentType: JSON_TYPE };
  assertEquals(argsOf({ ...place, tags: Object.create(tags) }).args, [JSON.parse(place.data)]);
});

Deno.test("encodePublication() keeps every digit, and is what the official encoder makes of the same arguments", () => {
  const data = '[12345678901234567890,1.50,{"a":1e999}]';
  assertEquals(encodePublication({ data, contentType: JSON_TYPE, event: "e" }, "/a"), `42/a,["e",${data.slice(1)}`);
  assertEquals(JSON.stringify(argsOf({ data, contentType: JSON_TYPE, event: "e" }).args), data.replace("1.50", "1.5"));
  const random = seeded(5);
  for (let round = 0; round < 1000; round++) {
    const args = someArguments(random, 0);
    const packet = { type: PacketType.EVENT, nsp: "/chat1", data: ["e", ...args] };
    assertEquals([encodePublication(toMessage("e", args), "/chat1")], [`4${new Encoder().encode(packet)[0]}`]);
  }
});

Deno.test("attachmentsOf() has a type before the bytes of Engine.IO 3", () => {
  const publication = toMessage("e", [Uint8Array.of(1), { a: Uint8Array.of(2, 3) }]);
  assertEquals(attachmentsOf(publication, 4), [Uint8Array.of(1), Uint8Array.of(2, 3)]);
  assertEquals(attachmentsOf(publication, 3), [Uint8Array.of(4, 1), Uint8Array.of(4, 2, 3)]);
  assertEquals(attachmentsOf(toMessage("e", [Uint8Array.of(1)]), 3), [Uint8Array.of(4, 1)]);
  assert(attachmentsOf(toMessage("e", [1]), 4) === attachmentsOf(toMessage("e", [2]), 3), "none are made anew");
});

Deno.test("appendArgument() adds one last argument to the frame of any publication", () => {
  const random = seeded(6);
  for (let round = 0; round < 1000; round++) {
    const args = someArguments(random);
    const message = toMessage("e", args);
    const cursor = random.pick(["chat1@abc:1~sig", "", 'é"\\]']);
    const frame = appendArgument(encodePublication(message, "/a"), cursor);
    assertEquals(decode([frame, ...attachmentsOf(message, 4)]).data, ["e", ...args, cursor]);
  }
});
