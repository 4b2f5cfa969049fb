import { assertEquals, assertRejects } from "@std/assert";
import { Slots } from "../../lib/auth/slots.ts";

Deno.test("Slots lets so many actions run at once, and the others in the order of their coming", async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = ends.map(({ promise }, index) =>
    slots.run(async () => {
      begun.push(index);
      await promise;
      return index;
    })
  );
  await Promise.resolve();
  assertEquals(begun, [0, 1]);
  ends[1]!.resolve();
  assertEquals(await all[1], 1);
  assertEquals(begun, [0, 1, 2]);
  for (const { resolve } of ends) resolve();
  assertEquals(await Promise.all(all), [0, 1, 2, 3, 4]);
  assertEquals(begun, [0, 1, 2, 3, 4]);
});

Deno.test("Slots goes on behind an action that fails", async () => {
  const slots = new Slots(1);
  const failed = slots.run(() => Promise.reject(new Error("no")));
  const next = slots.run(() => Promise.resolve("yes"));
  await assertRejects(() => failed, Error, "no");
  assertEquals([await next, await slots.run(() => Promise.resolve("again"))], ["yes", "again"]);
});
