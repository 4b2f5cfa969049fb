import { assertEquals, assertRejects } from "@std/assert";
import { OK } from "../../lib/engineio/answers.ts";
import type { EngineAnswer, EngineOrder } from "../../lib/engineio/orders.ts";
import { GongError } from "../../lib/errors.ts";
import { Relays } from "../../lib/hub/relays.ts";
import { beforeEdgesOf } from "../../lib/methods.ts";
import { Metrics } from "../../lib/metrics.ts";

Deno.test("Relays: what is on its way to other nodes is bounded, as it is sent; polls are none of it", async () => {
  const sent: ((answer: EngineAnswer) => void)[] = [];
  const relays = new Relays({
    directory: { has: () => false, request: () => Promise.reject(new GongError("internal")), tell: () => {} },
    // deno-lint-ignore no-explicit-any
    peers: { node: 1, request: () => new Promise<any>((resolve) => sent.push(resolve)) },
    metrics: new Metrics({ isolate: "hub" }),
    silence: 1,
    move: () => false,
    release: () => {},
    budget: 1000,
  });
  const edge = beforeEdgesOf(2) + 1;
  const post = (body: string): EngineOrder => ({ kind: "post", sid: "sid", id: "1", body });
  const first = relays.engine({ edge, order: post("\0".repeat(150)) });
  await assertRejects(() => relays.engine({ edge, order: post("x".repeat(101)) }), GongError, "on their way");
  const others = [
    relays.engine({ edge, order: post("x".repeat(100)) }),
    relays.engine({ edge, order: { kind: "poll", sid: "sid", asText: false } }),
  ];
  assertEquals(sent.length, 3);
  sent[0]!(OK);
  assertEquals(await first, OK);
  others.push(relays.engine({ edge, order: post("x".repeat(900)) }));
  for (const answer of sent.slice(1)) answer(OK);
  assertEquals(await Promise.all(others), [OK, OK, OK]);
});
