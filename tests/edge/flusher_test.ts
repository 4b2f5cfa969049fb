import { assertEquals } from "@std/assert";
import { Flusher } from "../../lib/edge/flusher.ts";

Deno.test("Flusher ends a session alone that cannot be flushed, and the others have theirs", () => {
  const flushed: string[] = [];
  const faults: string[] = [];
  const session = (name: string, flush: () => boolean) => ({
    name,
    isAwaited: false,
    flush() {
      flushed.push(name);
      return flush();
    },
  });
  const flusher = new Flusher<ReturnType<typeof session>>(({ name }, error) => faults.push(`${name}: ${error}`));
  flusher.add(session("a", () => true));
  flusher.add(session("b", () => {
    throw new TypeError("torn");
  }));
  flusher.add(session("c", () => true));
  flusher.flush();
  assertEquals([flushed, faults], [["a", "b", "c"], ["b: TypeError: torn"]]);
  flusher.flush();
  assertEquals(flushed.length, 3, "nobody is left");
  flusher.close();
});
