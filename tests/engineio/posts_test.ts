import { assertEquals } from "@std/assert";
import { EngineFault, OK } from "../../lib/engineio/answers.ts";
import type { EngineOrder } from "../../lib/engineio/orders.ts";
import { Posts } from "../../lib/engineio/posts.ts";
import { GongError } from "../../lib/errors.ts";
import { openStage } from "../support/engine.ts";
import { Poller } from "../support/engine_client.ts";

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
  const headers = { "content-length": "6" };
  const request = new Request("http://localhost/", { method: "POST", headers, body: body.readable });
  assertEquals(await posts.answer(request, "sid", 2), OK);
  assertEquals(orders, [
    { kind: "posting", sid: "sid", id: "1" },
    { kind: "post", sid: "sid", id: "1", body: "4hello" },
  ]);
});

Deno.test("nothing is read of a large POST for a session that its edge does not know", async () => {
  for (const [headers, code] of [[{ "content-length": "40000" }, "not_found"], [{}, "overloaded"]] as const) {
    const orders: EngineOrder["kind"][] = [];
    const posts = new Posts({
      bodies: { limit: 100_000, timeout: 60, budget: undefined },
      newId: () => "1",
      ask(_edge, order) {
        orders.push(order.kind);
        return Promise.reject(code === "not_found" ? new EngineFault("sid") : new GongError(code));
      },
    });
    const request = new Request("http://localhost/", { method: "POST", headers, body: "4".repeat(40_000) });
    const error = await posts.answer(request, "sid", 2).then(() => undefined, (error) => error);
    assertEquals([error.code, request.bodyUsed], [code, false]);
    // One that may hear of it yet is told that it comes to nothing.
    assertEquals(orders, code === "not_found" ? ["posting"] : ["posting", "fail"]);
  }
});

Deno.test("a POST that its session's edge hears of when it has taken it does not end the session with the next one", async () => {
  await using stage = openStage({ edges: 1 });
  const client = await Poller.open(stage.url);
  const { sid } = client.query as { sid: string };
  const [server] = stage.servers;
  assertEquals((await server!.serve({ kind: "post", sid, id: "a", body: "4a" })).status, 200);
  assertEquals(await server!.serve({ kind: "posting", sid, id: "a" }), OK);
  assertEquals((await client.post("4b")).text, "ok");
  assertEquals(await server!.serve({ kind: "posting", sid, id: "b" }), OK);
  assertEquals((await client.post("4c")).status, 400);
  assertEquals(stage.host.last.said, ["a", "b"]);
});
