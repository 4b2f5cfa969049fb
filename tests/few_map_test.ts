import { assertEquals } from "@std/assert";
import { FewMap } from "../lib/few_map.ts";
import { seeded } from "./support/random.ts";

Deno.test("FewMap agrees with a Map, step by step", () => {
  const keys = ["a", "b", "c"] as const;
  for (let seed = 1; seed <= 50; seed++) {
    const random = seeded(seed);
    const [few, map] = [new FewMap<string, number | undefined>(), new Map<string, number | undefined>()];
    for (let step = 0; step < 40; step++) {
      const [key, value] = [random.pick(keys), random.pick([step, undefined])];
      if (random.int(2) === 0) {
        few.set(key, value);
        map.set(key, value);
      } else assertEquals(few.delete(key), map.delete(key));
      assertEquals([...few], [...map], `seed ${seed}, step ${step}`);
      assertEquals([[...few.keys()], [...few.values()], few.size], [[...map.keys()], [...map.values()], map.size]);
      for (const key of keys) assertEquals([few.has(key), few.get(key)], [map.has(key), map.get(key)]);
    }
  }
});

Deno.test("FewMap is made of entries, and may lose them while they are gone through", () => {
  for (const entries of [[], [["a", 1]], [["a", 1], ["b", 2]]] as const) {
    const map = new FewMap<string, number>(entries);
    assertEquals([...map], entries.map(([key, value]) => [key, value]));
    const seen: string[] = [];
    for (const key of map.keys()) {
      seen.push(key);
      map.delete(key);
    }
    assertEquals([seen, map.size], [entries.map(([key]) => key), 0]);
  }
});
