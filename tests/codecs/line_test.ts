import { assert, assertEquals } from "@std/assert";
import { decodeBase64 } from "@std/encoding/base64";
import { encodeLine, encodeSignal } from "../../lib/codecs/line.ts";
import type { Data, Publication } from "../../lib/types.ts";

const BASE = { channel: "a:b/c%20", epoch: "k3f-_9", offset: 41, time: 1_790_000_000_000 };

function line(data: Data, contentType: string, more: Partial<Publication> = {}): Record<string, unknown> {
  const text = encodeLine({ ...BASE, data, contentType, ...more });
  assert(!/[\r\n]/.test(text), "one line");
  return JSON.parse(text);
}

Deno.test("encodeLine() says where and when, and nothing that is not there", () => {
  assertEquals(line("x", "text/plain"), { ...BASE, data: "x" });
});

Deno.test("encodeLine() carries id, event, user, from and tags, whatever is in them", () => {
  const nasty = '"\\\n\r\u2028\0<🎉';
  const more = { id: nasty, event: nasty, user: nasty, from: "1-abc", tags: { [nasty]: nasty, ["__proto__"]: "x" } };
  const { id, ...rest } = more;
  assertEquals(line("x", "text/plain", more), { ...BASE, data: "x", ...rest, messageId: id });
});

Deno.test("encodeLine() carries text as it is", () => {
  for (const data of ["", "\ufeff", "line\r\nline", '"\\', "\0\x1f\x7f\u2028\u2029", "grüße 🎉", "x".repeat(1 << 20)]) {
    assertEquals(line(data, "text/plain").data, data);
  }
});

Deno.test("encodeLine() escapes half a surrogate pair, so that the line is UTF-8", () => {
  const text = encodeLine({ ...BASE, data: "\ud800", contentType: "text/plain" });
  assert(text.isWellFormed());
  assertEquals(JSON.parse(text).data, "\ud800");
});

Deno.test("encodeLine() carries JSON as the value itself, with every digit", () => {
  for (const json of ['{"a":[1,{"b":null}]}', "[]", "12345678901234567890", "1e400", "true", "null", " {} "]) {
    const text = encodeLine({ ...BASE, data: json, contentType: "application/json" });
    assert(text.includes(`"data":${json}`), text);
    assert(!text.includes("contentType"), text);
    JSON.parse(text);
  }
});

Deno.test("encodeLine() tells JSON that is a string from text, also after white space", () => {
  for (const json of ['"x"', ' "x"', '\t "x" ']) {
    assertEquals(line(json, "application/json"), { ...BASE, data: "x", contentType: "application/json" });
  }
});

Deno.test("encodeLine() says the content type of everything else", () => {
  assertEquals(line("{}", "application/vnd.x+json"), { ...BASE, data: "{}", contentType: "application/vnd.x+json" });
  assertEquals(line("{}", "Application/JSON").data, "{}");
  assertEquals(line("<p>", 'text/html; charset="utf-8"').contentType, 'text/html; charset="utf-8"');
  assertEquals(line("x", "text/plain;charset=utf-8").contentType, "text/plain;charset=utf-8");
});

Deno.test("encodeLine() carries bytes as base64", () => {
  for (const data of [new Uint8Array(), Uint8Array.of(0, 255, 62, 63), new Uint8Array(100_000).fill(200)]) {
    const { data: text, ...rest } = line(data, "image/png");
    assertEquals(rest, { ...BASE, encoding: "base64", contentType: "image/png" });
    assertEquals(decodeBase64(text as string), data);
  }
  assertEquals(line(Uint8Array.of(1), "text/plain").contentType, "text/plain", "bytes always say their type");
});

Deno.test("encodeLine() carries 16 MiB", () => {
  assertEquals((line("\n".repeat(16 << 20), "text/plain").data as string).length, 16 << 20);
  assertEquals((line(new Uint8Array(16 << 20), "a/b").data as string).length, Math.ceil((16 << 20) / 3) * 4);
});

Deno.test("encodeSignal() has a type, so that nobody takes it for a publication", () => {
  assertEquals(JSON.parse(encodeSignal({ data: "x", contentType: "text/plain" })), { type: "signal", data: "x" });
  assertEquals(JSON.parse(encodeSignal({ data: '{"a":1}', contentType: "application/json" })), {
    type: "signal",
    data: { a: 1 },
  });
  assertEquals(JSON.parse(encodeSignal({ data: Uint8Array.of(1), contentType: "a/b" })), {
    ...{ type: "signal", data: "AQ==", encoding: "base64", contentType: "a/b" },
  });
});
