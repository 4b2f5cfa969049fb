import { assert, assertEquals } from "@std/assert";
import { openBroker } from "../../lib/brokers/mod.ts";
import { parseCursor } from "../../lib/codecs/cursor.ts";
import type { Position } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { Stage, type StageEdge } from "../support/stage.ts";
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

/** A stage whose channel `slow` is read only when it is let. */
function stageWithSlow(config: { outbox: number }): { stage: Stage; release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stage = new Stage({
    config,
    openBroker(...parts) {
      const broker = openBroker(...parts);
      const read = broker.read.bind(broker);
      return Object.assign(broker, {
        async read(...args: Parameters<typeof read>) {
          if (args[0] === "slow") await promise;
          return await read(...args);
        },
      });
    },
  });
  return { stage, release: resolve };
}

Deno.test("a poll holds an outbox at most, however much there is, and the next one goes on from there", async () => {
  const outbox = 20_000;
  const { stage, release } = stageWithSlow({ outbox });
  await using _ = stage;
  const channels = ["a", "b", "slow"];
  let cursor = "";
  for (const channel of channels) {
    const [first] = await stage.publish(channel, ...Array.from({ length: 60 }, (_, n) => `${n}`.padEnd(2000)));
    cursor += `${cursor && ","}${channel}@${(first as Position).epoch}:0`;
  }
  setTimeout(release, 100);
  const seen = new Map<string, number[]>(channels.map((channel) => [channel, []]));
  for (let polls = 0; [...seen.values()].some(({ length }) => length < 60); polls++) {
    assert(polls < 60);
    const answer = await visit(stage, `/poll?since=${cursor}&channel=a`);
    const text = await answer.text();
    assertEquals(answer.status, 200, text);
    assert(text.length < outbox + 2000, `${text.length}`);
    const { publications, recovered, ...rest } = JSON.parse(text);
    cursor = rest.cursor;
    assert(recovered && publications.length > 0);
    for (const { channel, offset } of publications) seen.get(channel)!.push(offset);
  }
  const all = Array.from({ length: 60 }, (_, n) => n + 1);
  for (const channel of channels) assertEquals(seen.get(channel), all, channel);
});

Deno.test("what a poll's client does not take counts as stuck", async () => {
  await using stage = new Stage({ config: { ping: 0.1, outbox: 1 << 20 } });
  await stage.publish("a", ...Array.from({ length: 200 }, () => "x".repeat(1000)));
  const { promise, resolve } = Promise.withResolvers<void>();
  const answer = await visit(stage, "/poll?channel=a&history=200", { completed: promise });
  const { length } = await answer.text();
  await new Promise((resolve) => setTimeout(resolve, 150));
  const { registry } = stage.edge.edge;
  const { sockets, bytes } = registry.stuck();
  assert(sockets === 1 && bytes > length, `${sockets} ${bytes}`);
  resolve();
  await registry.empty(5);
  assertEquals(registry.stuck(), { sockets: 0, bytes: 0 });
});

Deno.test("a poll of a channel without history is refused, the feed of the admin page too", async () => {
  await using stage = new Stage({ config: { rule: ["now:* count=0"] } });
  for (const target of ["now:a", "a&channel=now:a", "a&since=now:a@e:1", "$admin"]) {
    for (const method of ["GET", "HEAD"]) {
      const { status, headers } = await visit(stage, `/poll?timeout=0&channel=${target}`, { method });
      assertEquals([status, headers.get("content-type")], [409, "application/problem+json"], target);
    }
  }
});

Deno.test("polls that follow each other miss nothing and get nothing twice, whatever becomes of some of them", async () => {
  const told = { polls: 0, got: 0, aborted: 0, refused: 0 };
  const channels = ["a", "b", "c"];
  for (let seed = 1; seed <= 6; seed++) {
    const random = seeded(seed);
    await using stage = new Stage({
      edges: 2,
      config: {
        ...{ outbox: 20_000, maxMessage: 1000, historyCount: 10_000, historyBytes: 1 << 24 },
        ...{ busDrop: random.pick([0, 30]), busRing: random.pick([1, 1 << 20]), resumeRate: random.pick([50, 5000]) },
      },
    });
    const edges = [...stage.edges] as [StageEdge, StageEdge];
    const published = new Map<string, number>();
    const publish = async (channel: string, count: number) => {
      published.set(channel, (published.get(channel) ?? 0) + count);
      await stage.publish(channel, ...Array.from({ length: count }, () => "x".repeat(random.int(900))));
    };
    for (const channel of channels) await publish(channel, random.int(40));
    let isOver = false;
    const follow = async () => {
      let cursor = "";
      const stands = new Map<string, number>();
      const isThere = () => channels.every((channel) => stands.get(channel) === published.get(channel));
      while (!isOver || !isThere()) {
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(), random.int(4) === 0 ? random.int(10) : 60_000);
        const since = cursor === "" ? "" : `&since=${cursor}`;
        const target = `/poll?timeout=${random.pick([0, 0.02])}&channel=${channels.join("&channel=")}${since}`;
        const answer = await visit(stage, target, { edge: random.pick(edges), signal: abort.signal });
        clearTimeout(timer);
        told.polls++;
        if (answer.status === 499) told.aborted++;
        else if (answer.status === 503) told.refused++;
        else {
          const { publications, recovered, cursor: next } = await answer.json();
          assertEquals([answer.status, recovered], [200, true]);
          for (const { channel, offset } of publications) {
            if (stands.has(channel)) assertEquals(offset, stands.get(channel)! + 1, `${channel} since ${cursor}`);
            stands.set(channel, offset);
            told.got++;
          }
          for (const [channel, { offset }] of parseCursor(next)) {
            assertEquals(stands.get(channel) ?? offset, offset, `${channel} of ${next}`);
            stands.set(channel, offset);
          }
          cursor = next;
        }
      }
    };
    const followers = Array.from({ length: 8 }, follow);
    for (let n = 0; n < 40; n++) {
      await publish(random.pick(["a", "b", "c"]), 1 + random.int(10));
      await new Promise((resolve) => setTimeout(resolve, random.int(5)));
    }
    isOver = true;
    await Promise.all(followers);
    for (const { edge } of edges) {
      await edge.registry.empty(5);
      assertEquals([edge.registry.size, edge.registry.stuck().sockets], [0, 0]);
    }
    for (const { hub } of edges) await hub.readiness();
    assertEquals(channels.filter((channel) => stage.hub.isHosted(channel)), []);
  }
  assert(told.got > 5000 && told.aborted > 20, JSON.stringify(told));
});
