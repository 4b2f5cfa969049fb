import { assertEquals } from "@std/assert";
import { OK } from "../../lib/engineio/answers.ts";
import type { EngineOrder } from "../../lib/engineio/orders.ts";
import { Posts } from "../../lib/engineio/posts.ts";
import { GongError } from "../../lib/errors.ts";

Deno.test("a POST that takes its time is taken, though its session's edge could not be told of it beforehand", async () => {
  const orders: EngineOrder[] = [];
  const body = new TransformStream<Uint8Array<ArrayBuffer>>();
  const writer = body.writable.getWriter();
  const posts = new Posts({
    bodies: { limit: 100, timeout: 60, budget: undefined },
    newId: () => "1",
    async ask(_edge, order) {
      orders.push(order);
      if (order.kind !== "posting") return OK;
      // The edge stands still for a while, and what follows finds it as it was.
      void writer.write(new TextEncoder().encode("4hello")).then(() => writer.close());
      throw await Promise.resolve(new GongError("overloaded"));
    },
  });
  const request = new Request("http://localhost/", { method: "POST", body: body.readable });
  assertEquals(await posts.answer(request, "sid", 2), OK);
  assertEquals(orders, [
    { kind: "posting", sid: "sid", id: "1" },
    { kind: "post", sid: "sid", id: "1", body: "4hello" },
  ]);
});
