import { assertEquals } from "@std/assert";
import { byteLength } from "../../lib/bytes.ts";
import { encodeWire, wireLength } from "../../lib/cluster/wire.ts";

Deno.test("wireLength: what a body takes between nodes, and hardly more", () => {
  for (const text of ["", "abc", '"\\', "\0\x01\x1f", "é", "€", "\x7f\u07ff\u0800"]) {
    assertEquals(wireLength(text), byteLength(encodeWire(text)) - 2, text);
  }
  // What has a shorter form, or is a pair, counts as the longest.
  assertEquals([wireLength("🎉"), wireLength("\n")], [6, 6]);
  const around = encodeWire(new Uint8Array()).length;
  for (const size of [0, 1, 2, 3, 1000]) {
    assertEquals(wireLength(new Uint8Array(size)), encodeWire(new Uint8Array(size)).length - around, String(size));
  }
});
