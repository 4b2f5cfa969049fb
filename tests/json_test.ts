import { assert, assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../lib/errors.ts";
import { Fields, parseJson, parseJsonBytes } from "../lib/json.ts";
import { seeded } from "./support/random.ts";

function refusal(call: () => unknown): { code: string; message: string; field?: string } {
  const { code, message, field } = assertThrows(call, GongError);
  return field === undefined ? { code, message } : { code, message, field };
}

Deno.test("parseJson() refuses what is not JSON", () => {
  for (const text of ["", "{", "{'a':1}", "[1,]", '"', "nul", "1 2", '{"a":1}}', "\u0000", "NaN"]) {
    assertEquals(refusal(() => parseJson(text)), { code: "bad_request", message: "This is not JSON." }, text);
  }
});

Deno.test("parseJson() bounds the depth exactly, and counts no brackets inside strings", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assertEquals(JSON.stringify(parseJson(nested(64))), nested(64));
  assertThrows(() => parseJson(nested(65)), GongError, "deeper than 64");
  assertThrows(() => parseJson('{"a":'.repeat(3) + "1" + "}}}", { depth: 2 }), GongError, "deeper than 2");
  assertEquals(parseJson('{"a":[1],"b":[2],"c":{"d":3}}', { depth: 2 }), { a: [1], b: [2], c: { d: 3 } });
  for (const string of ["[".repeat(100), '\\"' + "{".repeat(100), "\\\\\\\\", '\\\\\\"' + "[".repeat(100)]) {
    const text = `[${" ".repeat(100)}"${string}",[1]]`;
    assertEquals(parseJson(text, { depth: 2 }), JSON.parse(text));
  }
  assertThrows(() => parseJson(`["\\\\",${nested(70)}]`), GongError, "deeper");
});

Deno.test("parseJson() is done with a nested bomb before the parser sees it", () => {
  const start = performance.now();
  for (const open of ["[", '{"a":', '["\\\\",{"[":']) {
    assertThrows(() => parseJson(open.repeat(2_000_000)), GongError, "deeper than 64");
  }
  assert(performance.now() - start < 1000);
});

Deno.test("parseJson() agrees with JSON.parse() on random values, and keeps them", () => {
  const random = seeded(7);
  const scalars = [0, -1, 1.5, 1e21, 5e-324, 0.1, "a", '"\\[', "é😀", true, false, null];
  const value = (depth: number): unknown => {
    const kind = depth === 0 ? 0 : random.int(4);
    if (kind < 2) return scalars[random.int(scalars.length)];
    const inner = Array.from({ length: random.int(4) }, () => value(depth - 1));
    return kind === 2 ? inner : Object.fromEntries(inner.map((each, index) => [`k"${index}`, each]));
  };
  for (let round = 0; round < 2000; round++) {
    const text = JSON.stringify(value(5));
    assertEquals(JSON.stringify(parseJson(text)), text);
  }
});

Deno.test("parseJson() keeps every digit of numbers that a double cannot hold", () => {
  const kept = [
    "12345678901234567890",
    "[9007199254740993,-9007199254740993]",
    '{"a":{"b":1e999}}',
    "0.12345678901234567890123",
    "1e-400",
    "100000000000000000000000000000000000001",
  ];
  for (const text of kept) assertEquals(JSON.stringify(parseJson(text)), text);
  const same = ["1.0000000000000000", "1000000000000000000", "123456789012345680000", "1E100", "0.30000000000000004"];
  for (const text of same) assertEquals(parseJson(text), JSON.parse(text));
});

Deno.test("parseJson() takes linear time on long runs of zeros and backslashes", () => {
  const start = performance.now();
  parseJson(`1${"0".repeat(500_000)}1`);
  parseJson(`["${"\\\\".repeat(500_000)}"]`);
  parseJson(`["${'\\"'.repeat(500_000)}"]`);
  assert(performance.now() - start < 2000);
});

Deno.test("parseJsonBytes() refuses bytes that are not UTF-8", () => {
  assertEquals(parseJsonBytes(new TextEncoder().encode('{"a":"é"}')), { a: "é" });
  const bytes = Uint8Array.of(0x22, 0xc3, 0x28, 0x22);
  assertEquals(refusal(() => parseJsonBytes(bytes)), { code: "bad_request", message: "The text is not UTF-8." });
});

Deno.test("Fields refuses a field that there is not, naming it and the nearest", () => {
  const fields = new Fields(parseJson('{"chanel":1}'), "/publications/3");
  assertEquals(refusal(() => fields.only(["data", "channel"])), {
    code: "bad_request",
    message: 'There is no field "chanel"; did you mean `channel`?',
    field: "/publications/3/chanel",
  });
  new Fields({ channel: 1 }).only(["data", "channel"]);
});

Deno.test("Fields points into the whole as RFC 6901 has it", () => {
  assertEquals(new Fields({}).pointer("a/b~c"), "/a~1b~0c");
  assertEquals(refusal(() => new Fields([], "/x")).field, "/x");
  assertEquals(new Fields({ a: {} }).object("a")?.pointer("b"), "/a/b");
});

Deno.test("Fields sees own fields only", () => {
  const fields = new Fields(parseJson('{"__proto__":{"polluted":true}}'));
  assertEquals(fields.get("polluted"), undefined);
  assertEquals(fields.get("toString"), undefined);
  assertEquals(fields.has("__proto__"), true);
  assertThrows(() => fields.only(["data"]), GongError, '"__proto__"');
  assertEquals(({} as { polluted?: boolean }).polluted, undefined);
});

Deno.test("Fields checks the types of fields", () => {
  const fields = new Fields({ text: "a", list: [1], half: "\ud800", number: 1, nothing: null });
  assertEquals([fields.string("text"), fields.string("missing")], ["a", undefined]);
  assertEquals([fields.array("list"), fields.array("missing")], [[1], undefined]);
  assertEquals(refusal(() => fields.string("number")).field, "/number");
  assertEquals(refusal(() => fields.string("nothing")).field, "/nothing");
  assertEquals(refusal(() => fields.string("half")).message, "`half` is not well-formed Unicode.");
  assertEquals(refusal(() => fields.array("text")).message, "`text` has to be an array.");
  assertEquals(refusal(() => fields.object("list")).field, "/list");
  for (const value of [null, [], "a", 1, undefined]) assertThrows(() => new Fields(value), GongError, "object");
});

Deno.test("Fields repeats an unknown field of any length in part, and quickly", () => {
  const start = performance.now();
  const { message } = refusal(() => new Fields({ ["x".repeat(1_000_000)]: 1 }).only(["data"]));
  assert(message.length < 200, message.slice(0, 300));
  assert(performance.now() - start < 500);
});
