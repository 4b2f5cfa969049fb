import { assertEquals, assertThrows } from "@std/assert";
import { encodeCursor, MAX_CURSOR, parseCursor, parsePosition } from "../../lib/codecs/cursor.ts";
import { seeded } from "../support/random.ts";

Deno.test("parseCursor() reads what encodeCursor() writes, in its order", () => {
  const positions = Array.from(
    { length: MAX_CURSOR },
    (_, n) => [`${"c".repeat(100)}/${n}`, { epoch: `e-_${n}`, offset: 10 ** 15 - 1 - n }] as const,
  );
  assertEquals([...parseCursor(encodeCursor(positions))], positions.map(([name, position]) => [name, { ...position }]));
  assertEquals(
    encodeCursor(positions.slice(0, 2).map(([_, position], n) => [`n${n}`, position])),
    [
      "n0@e-_0:999999999999999",
      "n1@e-_1:999999999999998",
    ].join(),
  );
  assertEquals([...parseCursor("")], []);
});

Deno.test("parseCursor() takes a bare position only where there is one channel to have it", () => {
  assertEquals([...parseCursor("e:7", "a")], [["a", { epoch: "e", offset: 7 }]]);
  assertEquals([...parseCursor("b@e:7", "a")], [["b", { epoch: "e", offset: 7 }]]);
  assertThrows(() => parseCursor("e:7"), SyntaxError);
  assertThrows(() => parseCursor("e:7,a@e:7", "a"), SyntaxError);
});

Deno.test("parseCursor() refuses what is none, naming nothing of it but a channel", () => {
  const many = Array.from({ length: MAX_CURSOR + 1 }, (_, n) => `c${n}@e:1`).join();
  const wrong = [
    ",",
    "@",
    "a",
    "a@",
    "a@e",
    "a@e:",
    "a@:1",
    "a@e:x",
    "a@e:-1",
    "a@e:1.5",
    "a@e:1,",
    ",a@e:1",
    "a@e:1@e:2",
  ];
  wrong.push("a@e:1,a@e:2", "a b@e:1", "ä@e:1", "a@e e:1", `a@${"e".repeat(65)}:1`, "a@e:1234567890123456", many);
  for (const text of wrong) assertThrows(() => parseCursor(text), SyntaxError);
});

Deno.test("parseCursor() reads or refuses whatever it is given, and what it reads it writes alike", () => {
  const random = seeded(11);
  for (let n = 0; n < 20_000; n++) {
    const text = random.text(["a", "bc", "@", ":", ",", "e", "1", "23", "$", "é", " ", "@e:1"], 12);
    let read;
    try {
      read = parseCursor(text);
    } catch (error) {
      assertEquals((error as Error).name, "SyntaxError");
      continue;
    }
    assertEquals([...parseCursor(encodeCursor(read))], [...read]);
  }
});

Deno.test("parsePosition() reads an epoch and an offset", () => {
  assertEquals(parsePosition("k3f9:41"), { epoch: "k3f9", offset: 41 });
});
