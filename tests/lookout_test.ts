import { assertEquals } from "@std/assert";
import { Lookout } from "../lib/lookout.ts";

Deno.test("Lookout spares one look after a standstill, and only one", () => {
  const looks = (...times: number[]) => {
    const lookout = new Lookout(100, 0);
    return times.map((time) => lookout.mayJudge(time));
  };
  assertEquals(looks(100, 200, 400, 500), [true, true, true, true], "late by less than a period");
  assertEquals(looks(201), [false]);
  assertEquals(looks(100, 5000, 5100, 5200), [true, false, true, true]);
  // Where every look is late, there is one nevertheless.
  assertEquals(looks(1000, 2000, 3000, 4000), [false, true, false, true]);
});
