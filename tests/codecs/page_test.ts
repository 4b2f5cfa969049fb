import { assert, assertEquals } from "@std/assert";
import { packHistory, unpackHistory } from "../../lib/codecs/page.ts";
import type { History, Publication } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";

const TOP = { epoch: "e", offset: 99 };

function publication(offset: number, more: Partial<Publication> = {}): Publication {
  return {
    channel: "a",
    epoch: "e",
    offset,
    time: 1000.5 + offset,
    data: `${offset}`,
    contentType: "text/plain",
    ...more,
  };
}

/** As it comes over a worker's port. */
function sent(history: History): History {
  return unpackHistory(structuredClone(packHistory(history)));
}

Deno.test("unpackHistory() gives back what packHistory() was given, field for field, absent ones too", () => {
  const random = seeded(17);
  const some: [Partial<Publication>, ...Partial<Publication>[]] = [
    {},
    { id: "x" },
    { event: "e", from: "1-a" },
    { from: "1-b", user: "u", tags: { a: "b" } },
    { data: Uint8Array.of(0, 255), contentType: "image/png" },
    { data: "", expired: true },
    { trace: true, id: "y" },
  ];
  for (let n = 0; n < 500; n++) {
    const first = 1 + random.int(50);
    // Alike, or each another.
    const pick = random.int(2) === 0 ? () => random.pick(some) : () => some[n % some.length]!;
    const publications = Array.from({ length: random.int(8) }, (_, index) => publication(first + index, pick()));
    const from = random.int(2) === 0 ? {} : { from: { epoch: "e", offset: first - 1 } };
    const history = { top: TOP, publications, recovered: random.int(2) === 0, ...from };
    assertEquals(sent(history), history);
    for (const [index, own] of sent(history).publications.entries()) {
      assertEquals(Object.keys(own).sort(), Object.keys(publications[index]!).sort());
    }
  }
});

Deno.test("packHistory() says once what all have alike", () => {
  const publications = Array.from({ length: 100 }, (_, index) => publication(index + 1, { from: "1-a" }));
  const { page } = packHistory({ top: TOP, publications, recovered: true });
  assertEquals(page?.columns, { contentType: { all: "text/plain" }, from: { all: "1-a" } });
  assert(publications.length === 100);
});

Deno.test("packHistory() says nothing of publications where there are none", () => {
  const history = { top: TOP, publications: [], recovered: true };
  assertEquals(packHistory(history), { top: TOP, recovered: true });
  assertEquals(sent(history), history);
});
