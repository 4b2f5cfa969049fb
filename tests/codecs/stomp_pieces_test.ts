import { assert, assertEquals } from "@std/assert";
import { Pieces } from "../../lib/codecs/stomp/pieces.ts";

function unread({ bytes, start }: Pieces): string {
  return new TextDecoder().decode(bytes.subarray(start));
}

Deno.test("Pieces puts each piece behind what is not read", () => {
  const pieces = new Pieces();
  for (const piece of ["ab", new TextEncoder().encode("cd"), "", "é"]) pieces.push(piece);
  const seen = [];
  while (pieces.pull()) {
    seen.push([unread(pieces), pieces.isText]);
    pieces.start++;
  }
  assertEquals(seen, [["ab", true], ["bcd", false], ["cd", true], ["dé", true]]);
  assertEquals(unread(pieces), "é");
});

Deno.test("Pieces holds little more than what is not read, once there are no more", () => {
  const pieces = new Pieces();
  for (const unreadBytes of [0, 1, 1000]) {
    pieces.push(new Uint8Array(1_000_000));
    while (pieces.pull());
    pieces.start = pieces.bytes.length - unreadBytes;
    assert(!pieces.pull());
    assertEquals(pieces.bytes.length - pieces.start, unreadBytes);
    assert(pieces.bytes.buffer.byteLength <= 4 * unreadBytes, `${pieces.bytes.buffer.byteLength}`);
  }
  for (let n = 0; n < 5000; n++) {
    pieces.push("x");
    while (pieces.pull());
    assert(pieces.bytes.buffer.byteLength <= 4 * (pieces.bytes.length - pieces.start));
  }
});

Deno.test("Pieces never changes what it gave to hand", () => {
  const pieces = new Pieces();
  const given: [Uint8Array, string][] = [];
  for (let n = 0; n < 200; n++) {
    pieces.push(String.fromCharCode(97 + n % 26).repeat(n % 7));
    while (pieces.pull());
    given.push([pieces.bytes.subarray(pieces.start), unread(pieces)]);
    if (n % 3 === 0) pieces.start = Math.min(pieces.bytes.length, pieces.start + n % 20);
  }
  for (const [bytes, text] of given) assertEquals(new TextDecoder().decode(bytes), text);
});

Deno.test("Pieces.takeText() takes a text that nothing is held before, if it is wanted", () => {
  const pieces = new Pieces();
  for (const piece of ["a", "b", Uint8Array.of(99)]) pieces.push(piece);
  assertEquals(pieces.takeText(() => undefined), undefined);
  assertEquals(pieces.takeText((text) => `${text}!`), "a!");
  assert(pieces.pull());
  assertEquals(unread(pieces), "b");
  assertEquals(pieces.takeText(() => "held"), undefined);
  pieces.start = 1;
  assertEquals(pieces.takeText(() => "bytes"), undefined);
});

Deno.test("Pieces.clear() drops what is at hand and what is to come", () => {
  const pieces = new Pieces();
  pieces.push("a");
  pieces.push("b");
  pieces.pull();
  pieces.clear();
  assertEquals([pieces.pull(), unread(pieces)], [false, ""]);
});
