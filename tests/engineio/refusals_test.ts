import { assertEquals } from "@std/assert";
import { Heartbeat } from "../../lib/engineio/heartbeat.ts";
import { ByteBudget } from "../../lib/http/body.ts";
import { GongError } from "../../lib/errors.ts";
import { openStage, type StageOptions } from "../support/engine.ts";
import { Poller, Wire } from "../support/engine_client.ts";
import { until } from "../support/until.ts";

/** Every request reaches the session's own edge, or one that does not have it. */
const WHERE: readonly [string, StageOptions][] = [
  ["its own edge", {}],
  ["another edge", { edges: 2, choose: ({ url }) => url.includes("sid=") ? 1 : 0 }],
];

for (const [where, options] of WHERE) {
  Deno.test(`what ${where} refuses is counted once, with what HTTP wants to be told`, async () => {
    await using stage = openStage({ ...options, settings: { maxPayload: 1000 } });
    const bad = await Poller.open(stage.url);
    assertEquals((await bad.post("abc")).status, 400);
    assertEquals(stage.refusals.splice(0), ["bad_request"]);
    assertEquals((await bad.poll()).status, 400);
    assertEquals(stage.refusals.splice(0), ["not_found"]);

    const fast = await Poller.open(stage.url);
    stage.host.last.received = () => {
      throw new GongError("rate_limited", undefined, { retryAfter: 7 });
    };
    const { status, headers } = await fast.post("4a");
    assertEquals([status, headers.get("retry-after")], [429, "7"]);
    assertEquals(stage.refusals.splice(0), ["rate_limited"]);

    const doubled = await Poller.open(stage.url);
    await Promise.all([doubled.poll(), doubled.poll()]);
    assertEquals(stage.refusals.splice(0), ["bad_request"]);
  });

  Deno.test(`a body that ${where} does not read to its end ends the session`, async () => {
    await using stage = openStage({ ...options, settings: { maxPayload: 1000 } });
    const client = await Poller.open(stage.url);
    const { begun: poll } = await stage.asked(() => client.poll());
    assertEquals((await client.post("4".repeat(1001))).status, 413);
    assertEquals((await poll).text, "1");
    assertEquals(stage.host.last.ended?.code, 1009);
    assertEquals(stage.refusals, ["too_large"]);
  });

  Deno.test(`a ping of 3 that ${where} gets is small, since it is said back`, async () => {
    await using stage = openStage(options);
    const client = await Poller.open(stage.url, 3);
    assertEquals((await client.post("130:2" + "a".repeat(129))).status, 413);
    assertEquals(stage.host.last.ended?.code, 1009);
    const other = await Poller.open(stage.url, 3);
    assertEquals((await other.post("6:2probe")).text, "ok");
    assertEquals((await other.poll()).text, "6:3probe");
  });
}

Deno.test("a frame that is refused is counted once", async () => {
  await using stage = openStage();
  const { wire } = await Wire.begin(stage.url);
  wire.send("abc");
  assertEquals((await wire.end()).code, 4400);
  assertEquals(stage.refusals, ["bad_request"]);
});

Deno.test("a GET that its session's upgrade leaves behind is counted as refused", async () => {
  // Nobody lets it go before.
  const heartbeat = new Heartbeat({ now: () => 0, timer: () => () => {} });
  await using stage = openStage({ heartbeat });
  const client = await Poller.open(stage.url);
  const { begun: poll } = await stage.asked(() => client.poll());
  const wire = await client.upgrade();
  wire.send("2probe");
  wire.send("5");
  assertEquals((await poll).status, 400);
  assertEquals(stage.refusals, ["bad_request"]);
  await wire.close();
});

Deno.test("a body on its way to another edge takes its room until it is answered", async () => {
  const bodyBudget = new ByteBudget(5000);
  await using stage = openStage({ ...WHERE[1]![1], bodyBudget });
  const client = await Poller.open(stage.url);
  let left = -1;
  stage.host.last.received = () => {
    for (left = 0; bodyBudget.take(1);) left++;
    bodyBudget.give(left);
  };
  assertEquals((await client.post("4".repeat(3000))).text, "ok");
  assertEquals(left, 2000);
  await until(() => bodyBudget.take(5000));
  const { status, headers } = await client.post("4");
  assertEquals([status, headers.get("retry-after")], [503, "1"]);
});
