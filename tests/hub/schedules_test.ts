import { assertEquals, assertRejects } from "@std/assert";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { GongError } from "../../lib/errors.ts";
import { Schedules, type SchedulesOptions } from "../../lib/hub/schedules.ts";
import { Metrics } from "../../lib/metrics.ts";
import type { Draft, Publication, PublishResult, ScheduleOrder, When } from "../../lib/types.ts";
import { NotedLog } from "../support/stage.ts";

const START = Date.parse("2026-05-01T12:00:00Z");
const BUSY: PublishResult = { error: { code: "overloaded", message: "later" } };

/** A clock whose timers are called when it is moved, and a broker that stays when schedules are opened again. */
class World implements AsyncDisposable {
  now = START;
  readonly announced: Publication[] = [];
  readonly broker = createMemoryBroker((publications) => this.announced.push(...publications), { now: () => this.now });
  readonly metrics = new Metrics({ isolate: "hub" });
  readonly log = new NotedLog();
  /** What the next publications are answered instead. */
  refusals: PublishResult[] = [];
  denied = new Set<string>();
  schedules: Schedules;
  readonly #timers = new Set<{ at: number; action: () => void }>();

  constructor(readonly options: Partial<SchedulesOptions> = {}) {
    this.schedules = this.open();
  }

  open(): Schedules {
    return this.schedules = new Schedules({
      log: this.log,
      metrics: this.metrics,
      broker: this.broker,
      publish: (drafts, records) => {
        const refusal = this.refusals.shift();
        return refusal ? Promise.resolve(drafts.map(() => refusal)) : this.broker.publish(drafts, { records });
      },
      may: (creator, channel) => !this.denied.has(`${creator} ${channel}`),
      max: 100,
      now: () => this.now,
      timer: (wait, action) => {
        const timer = { at: this.now + wait, action };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
      },
      ...this.options,
    });
  }

  /** As the end of a process: nothing of it is called any more. */
  async stop(): Promise<void> {
    await this.schedules.close();
    this.#timers.clear();
  }

  /** Lets the time pass, timer by timer. */
  async pass(seconds: number): Promise<void> {
    const end = this.now + seconds * 1000;
    for (;;) {
      // What is under way plans the next timer.
      await this.schedules.cancel("nothing");
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.action();
      await this.schedules.cancel("nothing");
    }
    this.now = end;
  }

  put(id: string, when: When, more: Partial<ScheduleOrder> = {}, options = { replace: false }) {
    const message = { data: id, contentType: "text/plain" };
    return this.schedules.put({ id, creator: "shop", when, channels: ["a"], message, ...more }, options);
  }

  /** What was published, as seconds from the start and id. */
  get published(): [number, string | undefined][] {
    return this.announced.map(({ time, id }) => [(time - START) / 1000, id]);
  }

  runs(): Record<string, number> {
    const samples = this.metrics.samples().filter(({ name }) => name === "gong_schedule_runs_total");
    return Object.fromEntries(samples.map(({ labels, value }) => [labels.outcome, value]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.broker.close();
  }
}

const dueId = (id: string, seconds: number) => `schedule:${id}:${START + seconds * 1000}`;

Deno.test("a schedule fires at its time, once, to all its channels, as its creator", async () => {
  await using world = new World();
  const { schedule, created } = await world.put("x", { at: START + 90_000 }, {
    channels: ["a", "$user/42"],
    message: { data: Uint8Array.of(1, 0), contentType: "image/png", event: "e", tags: { t: "1" }, ttl: 5 },
  });
  assertEquals([created, schedule.next], [true, START + 90_000]);
  await world.pass(89);
  assertEquals(world.announced.length, 0);
  await world.pass(1);
  assertEquals(
    world.announced.map(({ channel, data, contentType, event, tags, id }) => {
      return { channel, data, contentType, event, tags, id };
    }),
    ["a", "$user/42"].map((channel) => {
      return {
        channel,
        data: Uint8Array.of(1, 0),
        contentType: "image/png",
        event: "e",
        tags: { t: "1" },
        id: dueId("x", 90),
      };
    }),
  );
  await world.pass(3600);
  assertEquals(world.announced.length, 2);
  const { next, last } = (await world.schedules.get("x"))!;
  assertEquals([next, last], [undefined, { due: START + 90_000, time: START + 90_000 }]);
  assertEquals(world.runs(), { published: 1 });
});

Deno.test("what fired once is kept a day", async () => {
  await using world = new World();
  await world.put("x", { at: START + 1000 });
  await world.pass(86_400);
  assertEquals(world.schedules.size, 1);
  await world.pass(2);
  assertEquals(world.schedules.size, 0);
  assertEquals((await world.broker.records("schedule:")).size, 0);
});

Deno.test("a periodic schedule fires without drift, also when it was late by itself", async () => {
  await using world = new World();
  await world.put("x", { every: 10 });
  await world.pass(25);
  // The machine slept.
  world.now += 33_000;
  await world.pass(22);
  assertEquals(world.published, [
    [10, dueId("x", 10)],
    [20, dueId("x", 20)],
    [58, dueId("x", 30)],
    [60, dueId("x", 60)],
    [70, dueId("x", 70)],
    [80, dueId("x", 80)],
  ]);
  assertEquals(world.runs(), { published: 6, skipped: 1 });
});

Deno.test("a cron schedule fires by its zone's clock", async () => {
  await using world = new World();
  await world.put("x", { cron: "30 14 * * *", zone: "Europe/Berlin" });
  await world.pass(86_400);
  assertEquals(world.published.map(([seconds]) => seconds), [1800]);
});

Deno.test("schedules are there again, and fire, late ones once and periodic ones from now on", async () => {
  await using world = new World();
  await world.put("once", { at: START + 60_000 });
  await world.put("later", { at: START + 7200_000 });
  await world.put("often", { every: 50 });
  await world.stop();
  world.now += 3_605_000;
  world.open();
  await world.pass(60);
  assertEquals(world.published, [[3605, dueId("once", 60)], [3650, dueId("often", 3650)]]);
  assertEquals((await world.schedules.get("once"))!.last, { due: START + 60_000, time: START + 3_605_000, late: true });
  assertEquals(world.runs(), { late: 1, published: 1, skipped: 1 });
  const late = world.log.events.find(({ event }) => event === "schedule.late");
  assertEquals(late?.fields, { id: "once", seconds: 3545 });
  assertEquals(world.log.events.filter(({ event }) => event === "schedule.skipped").length, 1);
  await world.stop();
  world.open();
  await world.pass(60);
  assertEquals(world.published.length, 3, "nothing twice");
});

Deno.test("a schedule that is over when it is made fires at once, and is not late for want of a server", async () => {
  await using world = new World();
  await world.put("before", { at: START - 30_000 });
  await world.pass(1);
  assertEquals(world.published, [[0, `schedule:before:${START - 30_000}`]]);
  assertEquals((await world.schedules.get("before"))?.last, { due: START - 30_000, time: START });
});

Deno.test("a schedule fires with the rights that its creator has then", async () => {
  await using world = new World();
  await world.put("once", { at: START + 10_000 }, { channels: ["a", "b"] });
  await world.put("often", { every: 10 });
  world.denied = new Set(["shop b", "shop a"]);
  await world.pass(10);
  assertEquals(world.announced.length, 0, "not even in part");
  assertEquals((await world.schedules.get("once"))!.last?.refused, "forbidden");
  assertEquals((await world.schedules.get("once"))!.next, undefined);
  await world.pass(10);
  const told = world.log.events.filter(({ event }) => event === "schedule.refused");
  assertEquals(told.map(({ fields }) => fields.id).sort(), ["often", "once"], "once each, however often it is refused");
  world.denied.clear();
  await world.pass(10);
  assertEquals(world.published, [[30, dueId("often", 30)]]);
  assertEquals(world.runs(), { published: 1, refused: 3 });
});

Deno.test("what could not be published is tried again, and given up where it never can be", async () => {
  await using world = new World();
  await world.put("x", { at: START + 10_000 });
  world.refusals = [BUSY, BUSY, BUSY];
  await world.pass(20);
  assertEquals(world.published, [[13, dueId("x", 10)]]);
  assertEquals((await world.schedules.get("x"))!.last, { due: START + 10_000, time: START + 13_000 });
  await world.put("y", { at: world.now + 1000 });
  world.refusals = [{ error: { code: "conflict", message: "no" } }];
  await world.pass(5);
  assertEquals((await world.schedules.get("y"))!.last?.refused, "conflict");
  await world.put("z", { every: 2 });
  world.refusals = Array.from({ length: 3 }, () => BUSY);
  await world.pass(5);
  assertEquals(world.published.slice(1), [[29, dueId("z", 29)]], "the next time comes before the last is made up for");
  assertEquals(world.runs(), { published: 2, refused: 2 });
});

Deno.test("a schedule that is replaced fires as the new one says, and never as the old", async () => {
  await using world = new World();
  await world.put("x", { at: START + 10_000 });
  const error = await assertRejects(() => world.put("x", { at: START + 20_000 }), GongError);
  assertEquals(error.code, "conflict");
  const { created } = await world.put("x", { at: START + 30_000 }, {}, { replace: true });
  assertEquals(created, false);
  await world.pass(60);
  assertEquals(world.published, [[30, dueId("x", 30)]]);
});

Deno.test("put() and cancel() leave alone what is another's", async () => {
  await using world = new World();
  await world.put("x", { at: START + 10_000 });
  const foreign = { replace: true, owner: "other" };
  assertEquals((await assertRejects(() => world.put("x", { every: 1 }, {}, foreign), GongError)).code, "forbidden");
  assertEquals(await world.schedules.cancel("x", "other"), false);
  assertEquals(await world.schedules.cancel("nothing"), false);
  assertEquals(await world.schedules.cancel("x", "shop"), true);
  await world.pass(60);
  assertEquals([world.announced.length, world.schedules.size], [0, 0]);
});

Deno.test("list() has pages in the order of the ids, of all or of a creator", async () => {
  await using world = new World();
  for (let n = 9; n >= 0; n--) {
    await world.put(`s${n}`, { every: 60 }, { creator: n % 2 ? "odd" : "even" });
    assertEquals((await world.schedules.list({ limit: 1 })).schedules[0]!.id, `s${n}`);
  }
  const first = await world.schedules.list({ limit: 4 });
  assertEquals([first.schedules.map(({ id }) => id), first.total, first.next], [["s0", "s1", "s2", "s3"], 10, "s3"]);
  const odd = await world.schedules.list({ limit: 4, creator: "odd", after: "s1" });
  assertEquals([odd.schedules.map(({ id }) => id), odd.total, odd.next], [["s3", "s5", "s7", "s9"], 5, undefined]);
});

Deno.test("put() bounds how many there are; what has fired makes room", async () => {
  await using world = new World({ max: 3 });
  await world.put("a", { at: START + 1000 });
  await world.put("b", { every: 3600 });
  await world.put("c", { every: 3600 });
  assertEquals((await assertRejects(() => world.put("d", { every: 1 }), GongError)).code, "too_many");
  await world.put("c", { every: 1800 }, {}, { replace: true });
  await world.pass(2);
  await world.put("d", { every: 3600 });
  assertEquals((await world.schedules.list({ limit: 9 })).schedules.map(({ id }) => id), ["b", "c", "d"]);
  assertEquals([...(await world.broker.records("schedule:")).keys()].sort(), [
    "schedule:b",
    "schedule:c",
    "schedule:d",
  ]);
});

Deno.test("put() bounds the bytes of all of them", async () => {
  await using world = new World();
  const message = { data: "x".repeat(16 * 2 ** 20), contentType: "text/plain" };
  for (const id of ["a", "b", "c"]) await world.put(id, { every: 3600 }, { message });
  assertEquals((await assertRejects(() => world.put("d", { every: 1 }, { message }), GongError)).code, "too_many");
  await world.schedules.cancel("a");
  await world.put("d", { every: 3600 }, { message });
});

Deno.test("a record that is damaged is told of, and left", async () => {
  await using world = new World();
  await world.put("whole", { at: START + 5000 });
  await world.stop();
  const whole = (await world.broker.records("schedule:")).get("schedule:whole")!;
  await world.broker.record([
    { key: "schedule:torn", value: "{" },
    { key: "schedule:other", value: "[1]" },
    { key: "schedule:copy", value: whole },
    {
      key: "schedule:cron",
      value: whole.replace('"whole"', '"cron"').replace(/"when":\{[^}]*\}/, '"when":{"cron":"x","zone":"UTC"}'),
    },
  ]);
  world.open();
  await world.pass(10);
  assertEquals(world.announced.length, 1);
  assertEquals(world.log.events.filter(({ event }) => event === "schedule.damaged").map(({ fields }) => fields.key), [
    "schedule:torn",
    "schedule:other",
    "schedule:copy",
    "schedule:cron",
  ]);
  assertEquals((await world.broker.records("schedule:")).size, 5);
});

Deno.test("what a firing and a change do at the same moment is done one after the other", async () => {
  const gate = Promise.withResolvers<void>();
  const holding: { drafts: readonly Draft[] }[] = [];
  await using world = new World();
  await world.stop();
  world.open = () => {
    throw new Error("not again");
  };
  const schedules = world.schedules = new Schedules({
    ...{ log: world.log, metrics: world.metrics, broker: world.broker, may: () => true, max: 9, now: () => world.now },
    async publish(drafts, records) {
      holding.push({ drafts });
      await gate.promise;
      return await world.broker.publish(drafts, { records });
    },
    timer: (_wait, action) => {
      queueMicrotask(action);
      return () => {};
    },
  });
  const order = { creator: "shop", channels: ["a"], message: { data: "old", contentType: "text/plain" } };
  await schedules.put({ ...order, id: "x", when: { at: START } }, { replace: false });
  while (holding.length === 0) await Promise.resolve();
  const replaced = schedules.put({ ...order, id: "x", when: { every: 3600 } }, { replace: true });
  const cancelled = schedules.cancel("y");
  gate.resolve();
  assertEquals([(await replaced).schedule.when, await cancelled], [{ every: 3600 }, false]);
  const [record] = (await world.broker.records("schedule:")).values();
  assertEquals(JSON.parse(record!).when, { every: 3600 }, "what has fired does not undo what was put behind it");
});

Deno.test("list() bounds a page in bytes, and answers one schedule whatever its size", async () => {
  await using world = new World();
  const sizes = [3, 1, 5, 1, 1];
  for (const [index, size] of sizes.entries()) {
    const message = { data: "x".repeat(size << 20), contentType: "text/plain" };
    await world.put(`${index}`, { every: 60 }, { message });
  }
  const pages: string[][] = [];
  for (let after: string | undefined = ""; after !== undefined;) {
    const { schedules, next, total } = await world.schedules.list({ limit: 10, after });
    assertEquals(total, sizes.length);
    pages.push(schedules.map(({ id }) => id));
    after = next;
  }
  // What is kept beside the data makes two of 3 and 1 MiB more than one page.
  assertEquals(pages, [["0"], ["1"], ["2"], ["3", "4"]]);
});

Deno.test("put() and list() do not wait for everything that is due, only for what is being published", async () => {
  const started: (() => void)[] = [];
  await using world = new World({
    publish: (drafts) =>
      new Promise((resolve) => {
        started.push(() => {
          world.now += 5000;
          resolve(drafts.map(() => BUSY));
        });
      }),
  });
  for (const id of ["a", "b", "c"]) await world.put(id, { at: START + 1000 });
  const passing = world.pass(1);
  while (started.length === 0) await Promise.resolve();
  assertEquals((await world.schedules.list({ limit: 10 })).total, 3);
  const put = world.put("d", { at: START + 3_600_000 });
  started[0]!();
  assertEquals((await put).created, true);
  assertEquals(started.length, 1, "the others come after it");
  await passing;
});
