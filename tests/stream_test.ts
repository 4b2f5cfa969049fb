import { assertEquals } from "@std/assert";
import { ResponseStream } from "../lib/stream.ts";

Deno.test("ResponseStream tells that its reader has gone when whoever was sending has done so", async () => {
  const stream = new ResponseStream();
  const ended = Promise.withResolvers<readonly unknown[]>();
  const seen: string[] = [];
  stream.listen({
    opened: () => seen.push("opened"),
    received() {},
    closed(...how) {
      seen.push("closed");
      ended.resolve(how);
    },
  });
  stream.open("", new Promise(() => {}));
  // So does Deno within `send`, when it finds that the peer has gone.
  void stream.body.cancel();
  stream.send("to nobody");
  assertEquals([seen, stream.isOpen, stream.pending], [["opened"], false, 0]);
  assertEquals(await ended.promise, [1006, "", false]);
  assertEquals(seen, ["opened", "closed"]);
});
