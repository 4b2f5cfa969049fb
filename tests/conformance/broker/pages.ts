/**
 * How much a read answers, and from where.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { sizeOf } from "../../../lib/bytes.ts";
import type { Publication } from "../../../lib/types.ts";
import { BEFORE_ALL, range, type Test, text } from "./support.ts";

/** Registers the tests of a broker's reads. */
export function testPages(test: Test): void {
  test("read() bounds a page in bytes, and answers one publication whatever its size", async (open) => {
    const { broker, all } = await open();
    const sizes = [10, 3000, 1, 0, 5000, 20, 20, 20, 900];
    await broker.publish(sizes.map((size) => text("a", "x".repeat(size))));
    const { epoch } = (await broker.read("a")).top;
    for (const bytes of [1, 300, 600, 1000, 4000, 100_000]) {
      for (const count of [1, 2, 100, undefined]) {
        const seen: Publication[] = [];
        while (seen.length < sizes.length) {
          const limit = count === undefined ? { bytes } : { bytes, count };
          const page = await broker.read("a", { epoch, offset: seen.length }, limit);
          const size = page.publications.reduce((sum, publication) => sum + sizeOf(publication), 0);
          assertEquals([page.top, page.recovered], [{ epoch, offset: sizes.length }, true]);
          assert(page.publications.length === 1 || size <= bytes, `${size} bytes of ${bytes}`);
          assert(page.publications.length <= (count ?? Infinity));
          const next = all()[seen.length + page.publications.length];
          assert(page.publications.length === count || !next || size + sizeOf(next) > bytes, "no less than fits");
          seen.push(...page.publications);
        }
        assertEquals(seen, all(), `${bytes} bytes, ${count} at a time`);
      }
    }
  });

  test("read() of { last } starts so many before the top, or at the oldest there is", async (open) => {
    const { broker } = await open({ historyCount: 5 });
    const { top: { epoch } } = await broker.read("a", { last: 3 });
    assertEquals(await broker.read("a", { last: 3 }), {
      top: { epoch, offset: BEFORE_ALL },
      publications: [],
      recovered: true,
      from: { epoch, offset: BEFORE_ALL },
    });
    for (let top = 1; top <= 8; top++) {
      await broker.publish([text("a", `${top}`)]);
      for (const last of [0, 1, 2, 5, 6, 10_000]) {
        const from = top - Math.min(last, top, 5);
        const { publications, ...rest } = await broker.read("a", { last });
        assertEquals(rest, { top: { epoch, offset: top }, recovered: true, from: { epoch, offset: from } });
        assertEquals(publications.map(({ data }) => data), range(from + 1, top).map(String), `the last ${last}`);
        const page = await broker.read("a", { last }, { count: 2 });
        assertEquals(page, { ...rest, publications: publications.slice(0, 2) }, "a page begins there too");
      }
    }
  });

  test("read() of a channel that nobody knows answers its beginning, whatever the start", async (open) => {
    const { broker } = await open();
    for (const start of [undefined, { last: 10 }, { epoch: "never-was", offset: 0 }, { epoch: "x", offset: 7 }]) {
      const { top, publications, recovered } = await broker.read(`new${JSON.stringify(start)?.length}`, start);
      assertEquals([top.offset, publications, recovered], [BEFORE_ALL, [], !start || "last" in start]);
    }
  });
}
