import { assertEquals } from "@std/assert";
import { Tally } from "../lib/tally.ts";

Deno.test("Tally.of() is how often a key was added and not deleted, and keys() has those of which there is one", () => {
  const tally = new Tally<string>();
  for (const key of ["a", "b", "a"]) tally.add(key);
  assertEquals([tally.of("a"), tally.of("b"), tally.of("c")], [2, 1, 0]);
  tally.delete("a");
  tally.delete("b");
  assertEquals([tally.of("a"), tally.of("b"), [...tally.keys()]], [1, 0, ["a"]]);
});

Deno.test("Tally.delete() of a key of which there is none changes nothing", () => {
  const tally = new Tally<string>();
  tally.delete("a");
  tally.add("a");
  assertEquals(tally.of("a"), 1);
});
