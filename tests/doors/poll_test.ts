import { assert, assertEquals } from "@std/assert";
import { Stage } from "../support/stage.ts";
import { visit } from "../support/visit.ts";

Deno.test("nothing of a poll is left when it is answered", async () => {
  await using stage = new Stage();
  const { edge } = stage.edge;
  await stage.publish("a", "1");
  for (const target of ["/poll?channel=a&timeout=0", "/poll?channel=a&history=1"]) {
    assertEquals((await visit(stage, target)).status, 200);
  }
  assertEquals(edge.registry.size, 0);
  await edge.registry.empty(0.05);
  const start = performance.now();
  await edge.registry.empty(5);
  assert(performance.now() - start < 1000, "no socket is waited for");
});

Deno.test("a poll of several channels has an ETag that its client can give back", async () => {
  await using stage = new Stage();
  await stage.publish("a", "1");
  await stage.publish("b", "1");
  const first = await visit(stage, "/poll?channel=a&channel=b&history=1&timeout=0");
  const { cursor } = await first.json();
  const etag = first.headers.get("etag")!;
  const target = `/poll?channel=a&since=${encodeURIComponent(cursor)}&timeout=0`;
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, `${etag},"y@e:1,z@e:2"`]) {
    const { status, headers } = await visit(stage, target, { headers: { "if-none-match": tag } });
    assertEquals([status, headers.get("etag")], [304, etag], tag);
  }
  await stage.publish("b", "2");
  const second = await visit(stage, target, { headers: { "if-none-match": etag } });
  assertEquals([second.status, (await second.json()).publications.length], [200, 1]);
});
