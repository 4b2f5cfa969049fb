import { setImmediate } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { GongError } from "../../lib/errors.ts";
import { Schedules } from "../../lib/hub/schedules.ts";
import { Metrics } from "../../lib/metrics.ts";
import type { Publication, RecordChange, ScheduleOrder, When } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { NotedLog } from "../support/stage.ts";

const START = Date.parse("2026-05-01T12:00:00Z");

/** A node's schedules, on the broker that all have. */
interface Node {
  readonly schedules: Schedules;
  readonly timers: Set<{ at: number; action: () => void }>;
}

/** Nodes on one broker and one clock. */
class Cluster {
  now = START;
  readonly announced: Publication[] = [];
  readonly broker = createMemoryBroker((publications) => this.announced.push(...publications), { now: () => this.now });
  /** Whether records can be changed. */
  records = true;
  readonly nodes: Node[] = [];
  /** Whether a node hears what the others have changed. */
  hears = true;
  /** Whether what is published waits until the next turn. */
  delay = false;

  /** @param atomic whether what is published and records can be changed in one step */
  constructor(atomic = true) {
    const { broker } = this;
    const record = broker.record.bind(broker);
    Object.assign(broker, {
      capabilities: { ...broker.capabilities, atomic },
      record: (changes: readonly RecordChange[]) => {
        return this.records ? record(changes) : Promise.reject(new GongError("overloaded"));
      },
    });
  }

  add(): Node {
    const timers: Node["timers"] = new Set();
    const schedules: Schedules = new Schedules({
      ...{ log: new NotedLog(), metrics: new Metrics({ isolate: "hub" }), broker: this.broker, max: 100 },
      publish: async (drafts, records) => {
        if (this.delay) await setImmediate();
        return await this.broker.publish(drafts, { records });
      },
      may: () => true,
      now: () => this.now,
      timer: (wait, action) => {
        const timer = { at: this.now + wait, action };
        timers.add(timer);
        return () => timers.delete(timer);
      },
      shared: {
        rank: () => this.nodes.findIndex((node) => node.schedules === schedules),
        changed: (id) => {
          if (!this.hears) return;
          for (const node of this.nodes) if (node.schedules !== schedules) node.schedules.refresh(id).catch(() => {});
        },
      },
    });
    const node = { schedules, timers };
    this.nodes.push(node);
    return node;
  }

  /** The node is no more: nothing of it happens, not even what it has begun. */
  kill(node: Node): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    node.timers.clear();
  }

  async pass(seconds: number): Promise<void> {
    const end = this.now + seconds * 1000;
    for (;;) {
      for (let turn = 0; turn < 10; turn++) await setImmediate();
      const due = this.nodes.flatMap(({ timers }) => [...timers].map((timer) => ({ timers, timer })));
      const [next] = due.sort((one, other) => one.timer.at - other.timer.at);
      if (!next || next.timer.at > end) break;
      next.timers.delete(next.timer);
      this.now = Math.max(this.now, next.timer.at);
      next.timer.action();
    }
    this.now = end;
  }

  get published(): [number, string | undefined][] {
    return this.announced.map(({ time, id }) => [(time - START) / 1000, id?.split(":")[1]]);
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ schedules }) => schedules.close()));
  }
}

function order(id: string, when: When): ScheduleOrder {
  return { id, creator: "shop", when, channels: ["a"], message: { data: id, contentType: "text/plain" } };
}

const WAYS = [
  { hears: true, atomic: true, also: "" },
  { hears: false, atomic: true, also: ", also when nobody hears of changes" },
  { hears: true, atomic: false, also: ", also where that is not one step with its record" },
];
for (const { hears, atomic, also } of WAYS) {
  Deno.test(`Schedules of several nodes: each time is published once${also}`, async () => {
    const cluster = new Cluster(atomic);
    cluster.hears = hears;
    const [one, two] = [cluster.add(), cluster.add(), cluster.add()];
    await one!.schedules.put(order("every", { every: 5 }), { replace: false });
    await two!.schedules.put(order("once", { at: START + 7000 }), { replace: false });
    await cluster.pass(60);
    const times = (id: string) => cluster.published.filter(([, own]) => own === id).map(([time]) => Math.floor(time));
    // Who has to hear of it by reading all again may be late by that.
    if (hears) assertEquals(times("every"), [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
    else assert(times("every").length >= 9, `${times("every")}`);
    assertEquals(times("once").length, 1);
    assertEquals(new Set(cluster.announced.map(({ id }) => id)).size, cluster.announced.length);
    await cluster.close();
  });
}

Deno.test("Schedules of several nodes: one that was made, replaced or cancelled on a node is so on all", async () => {
  const cluster = new Cluster();
  const [one, two] = [cluster.add(), cluster.add()];
  await one!.schedules.put(order("x", { at: START + 9000 }), { replace: false });
  assertEquals((await two!.schedules.get("x"))?.when, { at: START + 9000 });
  const taken = await two!.schedules.put(order("x", { at: START }), { replace: false }).catch((error) => error);
  assertEquals((taken as GongError).code, "conflict");
  await two!.schedules.put(order("x", { at: START + 5000 }), { replace: true });
  await cluster.pass(2);
  assertEquals((await one!.schedules.list({ limit: 9 })).schedules.map(({ when }) => when), [{ at: START + 5000 }]);
  assertEquals(await one!.schedules.cancel("x"), true);
  assertEquals(await two!.schedules.cancel("x"), false);
  await cluster.pass(20);
  assertEquals(cluster.published, []);
  await cluster.close();
});

Deno.test("Schedules of several nodes: the first one dies, and no time is missed or doubled", async () => {
  const cluster = new Cluster();
  cluster.delay = true;
  const nodes = [cluster.add(), cluster.add(), cluster.add()];
  await nodes[2]!.schedules.put(order("every", { every: 5 }), { replace: false });
  await cluster.pass(12);
  cluster.kill(nodes[0]!);
  await cluster.pass(10);
  // In the middle of firing.
  cluster.now += 3000;
  for (const { at, action } of [...nodes[1]!.timers]) if (at <= cluster.now) action();
  cluster.kill(nodes[1]!);
  await cluster.pass(20);
  const ids = cluster.announced.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
  assertEquals(
    cluster.published.map(([time]) => Math.floor(time / 5) * 5),
    [5, 10, 15, 20, 25, 30, 35, 40, 45].slice(0, ids.length),
  );
  assert(ids.length >= 8, `${cluster.published}`);
  await cluster.close();
});

Deno.test("Schedules of several nodes: whatever is changed and whoever dies, each time is published at most once", async () => {
  for (const [seed, atomic] of [[1, true], [2, true], [3, true], [4, false], [5, false], [6, false]] as const) {
    const { int } = seeded(seed);
    const cluster = new Cluster(atomic);
    cluster.delay = true;
    for (let n = 0; n < 3; n++) cluster.add();
    for (let step = 0; step < 150; step++) {
      cluster.hears = int(2) === 0;
      const { schedules } = cluster.nodes[int(cluster.nodes.length)]!;
      const id = `s${int(4)}`;
      const dice = int(10);
      if (dice < 4) {
        const when = int(2) === 0 ? { every: 2 + int(5) } : { at: cluster.now + int(9000) };
        schedules.put(order(id, when), { replace: int(4) > 0 }).catch((error) => assert(error instanceof GongError));
      } else if (dice < 5) schedules.cancel(id).catch((error) => assert(error instanceof GongError));
      else if (dice === 5 && cluster.nodes.length > 2) cluster.kill(cluster.nodes[int(cluster.nodes.length)]!);
      else if (dice === 6 && cluster.nodes.length < 4) cluster.add();
      // Where it is one step with what is published, that is what is refused then.
      else if (dice > 6 && !atomic) cluster.records = int(4) > 0;
      await cluster.pass(int(3000) / 1000);
    }
    cluster.records = true;
    cluster.hears = true;
    await cluster.pass(30);
    const ids = cluster.announced.map(({ id }) => id);
    assertEquals(new Set(ids).size, ids.length);
    assert(ids.length > 30, `${ids.length}`);
    const [first, ...others] = await Promise.all(cluster.nodes.map(({ schedules }) => schedules.list({ limit: 9 })));
    for (const other of others) assertEquals(other, first);
    await cluster.close();
  }
});

Deno.test("Schedules of several nodes: what could not be noted is not published again, and nothing before it can be", async () => {
  const cluster = new Cluster(false);
  const [one] = [cluster.add(), cluster.add()];
  const publish = cluster.broker.publish.bind(cluster.broker);
  let isGone = true;
  cluster.broker.publish = async (...args) => {
    const results = await publish(...args);
    if (isGone) cluster.records = false;
    return results;
  };
  await one!.schedules.put(order("x", { at: START + 5000 }), { replace: false });
  await cluster.pass(20);
  assertEquals(cluster.published, [[5, "x"]], "it was published, and is not noted");
  isGone = false;
  cluster.records = true;
  await cluster.pass(20);
  assertEquals(cluster.published, [[5, "x"]]);
  for (const { schedules } of cluster.nodes) {
    assertEquals((await schedules.get("x"))?.last?.due, START + 5000);
    assertEquals((await schedules.get("x"))?.last?.refused, undefined);
  }
  await one!.schedules.put({ ...order("y", { at: START + 50_000 }), channels: ["$queue/q"] }, { replace: false });
  cluster.records = false;
  await cluster.pass(20);
  assertEquals(cluster.broker.stats().queues.messages, 0);
  cluster.records = true;
  await cluster.pass(20);
  assertEquals(cluster.broker.stats().queues.messages, 1);
  await cluster.close();
});

Deno.test("Schedules of one node put nothing into a queue twice, whenever that cannot be noted", async () => {
  const cluster = new Cluster(false);
  const { schedules } = cluster.add();
  const publish = cluster.broker.publish.bind(cluster.broker);
  cluster.broker.publish = async (...args) => {
    const results = await publish(...args);
    cluster.records = false;
    return results;
  };
  await schedules.put({ ...order("x", { at: START + 5000 }), channels: ["$queue/q"] }, { replace: false });
  for (let tries = 1; tries <= 3; tries++) {
    await cluster.pass(10);
    assertEquals(cluster.broker.stats().queues.messages, 1);
    cluster.records = true;
  }
  assertEquals((await schedules.get("x"))?.last?.due, START + 5000);
  await cluster.close();
});

Deno.test("Schedules.put() refuses several channels where they cannot be published to in one step", async () => {
  const cluster = new Cluster(false);
  const { schedules } = cluster.add();
  const two = { ...order("x", { at: START + 5000 }), channels: ["a", "b"] };
  const error = await schedules.put(two, { replace: false }).catch((error) => error);
  assertEquals([(error as GongError).code, await schedules.get("x")], ["bad_request", undefined]);
  await cluster.close();
});
