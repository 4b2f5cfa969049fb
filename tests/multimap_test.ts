import { assertEquals } from "@std/assert";
import { Multimap } from "../lib/multimap.ts";
import { seeded } from "./support/random.ts";

Deno.test("Multimap has the values of a key once, in the order of adding, until all are deleted", () => {
  const map = new Multimap<string, number>();
  assertEquals([[...map.get("a")], map.has("a"), map.delete("a", 1)], [[], false, false]);
  for (const value of [1, 1, 3, 2, 3]) map.add("a", value);
  map.add("b", 1);
  assertEquals([[...map.get("a")], [...map.get("b")], [...map.keys()]], [[1, 3, 2], [1], ["a", "b"]]);
  assertEquals([map.count("a"), map.count("b"), map.count("c"), map.size], [3, 1, 0, 2]);
  assertEquals([map.hasValue("a", 3), map.hasValue("b", 3), map.hasValue("c", 3)], [true, false, false]);
  assertEquals([map.delete("a", 3), map.delete("a", 3), map.delete("b", 3)], [true, false, false]);
  assertEquals([map.delete("a", 1), map.delete("a", 2), map.delete("b", 1)], [true, true, true]);
  assertEquals([[...map.keys()], map.has("a")], [[], false]);
});

Deno.test("Multimap may lose values while those of a key are gone through", () => {
  const map = new Multimap<string, number>();
  for (const value of [1, 2, 3]) map.add("a", value);
  const seen: number[] = [];
  for (const value of map.get("a")) {
    seen.push(value);
    map.delete("a", value);
    map.delete("a", 2);
  }
  assertEquals([seen, map.has("a")], [[1, 3], false]);
});

Deno.test("Multimap agrees with a map of sets", () => {
  const random = seeded(3);
  const map = new Multimap<number, number>();
  const sets = new Map(Array.from({ length: 4 }, (_, key) => [key, new Set<number>()]));
  for (let step = 0; step < 5000; step++) {
    const [key, value] = [random.int(4), random.int(3)];
    const set = sets.get(key)!;
    if (random.int(2) === 0) {
      map.add(key, value);
      set.add(value);
    } else assertEquals(map.delete(key, value), set.delete(value));
    assertEquals([...map.get(key)], [...set]);
    assertEquals([map.has(key), map.hasValue(key, value)], [set.size > 0, set.has(value)]);
  }
});
