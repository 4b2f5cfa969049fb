import { assert, assertEquals } from "@std/assert";
import { openBroker } from "../../lib/brokers/mod.ts";
import { Stage } from "../support/stage.ts";
import { visit } from "../support/visit.ts";

const ALL = "all";

function signal(stage: Stage, data: string): Promise<number> {
  return stage.edge.hub.signal(ALL, { data, contentType: "text/plain" });
}

/** Who waits already is reached; of others nobody knows. */
async function reach(stage: Stage, data: string): Promise<void> {
  while (await signal(stage, data) === 0);
}

Deno.test("a signal is an answer by itself, at once, with where the poll stands", async () => {
  await using stage = new Stage();
  await stage.publish("a", "1");
  const poll = visit(stage, "/poll?channel=a&timeout=60");
  await reach(stage, "hello");
  const { cursor, ...rest } = await (await poll).json();
  assertEquals(rest, { publications: [], signals: [{ type: "signal", data: "hello" }], recovered: true });
  // Nothing of the channel is lost by that.
  await stage.publish("a", "2");
  const next = await (await visit(stage, `/poll?channel=a&since=${cursor}&timeout=60`)).json();
  assertEquals(next.publications.map(({ data }: { data: string }) => data), ["2"]);
  assert(!("signals" in next));
});

Deno.test("a signal is new to a poll that only wants to know, and comes with that: it is not kept", async () => {
  await using stage = new Stage();
  const poll = visit(stage, "/poll?channel=a&notify=1&timeout=60");
  await reach(stage, "hello");
  const answer = await (await poll).json();
  assertEquals([answer.new, answer.signals], [true, [{ type: "signal", data: "hello" }]]);
});

Deno.test("a signal is never answered by a 304", async () => {
  await using stage = new Stage();
  const first = await visit(stage, "/poll?channel=a&timeout=0");
  const headers = { "if-none-match": first.headers.get("etag")! };
  const { cursor } = await first.json();
  const target = `/poll?channel=a&since=${cursor}`;
  assertEquals((await visit(stage, `${target}&timeout=0`, { headers })).status, 304);
  const poll = visit(stage, `${target}&timeout=60`, { headers });
  await reach(stage, "hello");
  const { status, body } = await poll;
  assertEquals(status, 200);
  await body!.cancel();
});

/** A stage that subscribes to nothing before it is let. */
function heldStage(): { stage: Stage; release: () => void } {
  const { promise, resolve: release } = Promise.withResolvers<void>();
  const stage = new Stage({
    config: { outbox: 20_000 },
    openBroker(...parts) {
      const broker = openBroker(...parts);
      const subscribe = broker.subscribe.bind(broker);
      return Object.assign(broker, { subscribe: (channel: string) => promise.then(() => subscribe(channel)) });
    },
  });
  return { stage, release };
}

Deno.test("signals to a poll that is not subscribed yet come with its answer", async () => {
  const { stage, release } = heldStage();
  await using _ = stage;
  const poll = visit(stage, "/poll?channel=a&timeout=60");
  await reach(stage, "1");
  await signal(stage, "2");
  release();
  const { signals } = await (await poll).json();
  assertEquals(signals.map(({ data }: { data: string }) => data), ["1", "2"]);
});

Deno.test("signals to a poll that is not subscribed yet are no more than an outbox", async () => {
  const { stage, release } = heldStage();
  await using _ = stage;
  const poll = visit(stage, "/poll?channel=a&timeout=60");
  await reach(stage, "1");
  while (await signal(stage, "x".repeat(6000)) > 0);
  const { status, body } = await poll;
  assertEquals(status, 503);
  await body!.cancel();
  assertEquals(stage.edge.edge.registry.size, 0);
  release();
});
