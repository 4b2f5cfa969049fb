import { assertEquals, assertMatch } from "@std/assert";
import { Offsets } from "../../../lib/doors/socketio/offset.ts";

const SEAL = new Uint8Array(32).fill(1);

Deno.test("Offsets.read() knows what was signed under the same seal, and nothing else", () => {
  const offsets = new Offsets(SEAL);
  const cursors = ["", "a@e:1", "a~b@e:1,c/d~@f-_:999999999999999"];
  for (const cursor of cursors) {
    const signed = offsets.sign(cursor);
    assertMatch(signed, /~[\w-]{22}$/);
    assertEquals(signed.slice(0, -23), cursor);
    const read = new Offsets(SEAL.slice()).read(signed);
    assertEquals(read && [...read].map(([name, { epoch, offset }]) => `${name}@${epoch}:${offset}`).join(), cursor);
    assertEquals(new Offsets(new Uint8Array(32)).read(signed), undefined);
    for (let at = 0; at < signed.length; at++) {
      const other = signed[at] === "1" ? "2" : "1";
      assertEquals(offsets.read(signed.slice(0, at) + other + signed.slice(at + 1)), undefined, `${signed} at ${at}`);
    }
    for (const text of [signed.slice(1), signed.slice(0, -1), `${signed}A`, `${signed}é`, signed.slice(-23, -1)]) {
      assertEquals(offsets.read(text), undefined, text);
    }
  }
  for (const text of ["", "~", "a@e:1", "x".repeat(10_000), "é".repeat(22)]) {
    assertEquals(offsets.read(text), undefined);
  }
});

Deno.test("Offsets.sign() gives an empty text for a cursor that names more channels than one may", () => {
  const offsets = new Offsets(SEAL);
  const names = Array.from({ length: 33 }, (_, n) => `${n}@e:1`);
  assertEquals(offsets.read(offsets.sign(names.slice(1).join()))?.size, 32);
  assertEquals(offsets.sign(names.join()), "");
});
