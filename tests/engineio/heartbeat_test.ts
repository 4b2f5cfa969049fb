import { assert, assertEquals } from "@std/assert";
import { type Beating, Heartbeat, LOOK } from "../../lib/engineio/heartbeat.ts";
import { openStage, SETTINGS } from "../support/engine.ts";
import { Poller, Wire } from "../support/engine_client.ts";
import { until } from "../support/until.ts";

const { pingInterval, pingTimeout } = SETTINGS;

/** Somebody who notes when he is called. */
class Item implements Beating {
  due = Infinity;
  listed = Infinity;
  readonly beats: [now: number, due: number][] = [];

  beat(now: number, due: number): void {
    this.beats.push([now, due]);
  }
}

/** A clock that only a test moves, with looks as often as they come. */
class Clock {
  now = 1000;
  readonly heartbeat = new Heartbeat({ now: () => this.now, timer: () => () => {} });

  /** Time goes by, and is looked at. */
  pass(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end;) {
      this.now = Math.min(end, this.now + LOOK);
      this.heartbeat.look();
    }
  }

  /** Time goes by while nobody looks. */
  standStill(milliseconds: number): void {
    this.now += milliseconds;
  }
}

Deno.test("Heartbeat.plan() calls at the latest time that was planned, whichever was first", () => {
  const clock = new Clock();
  const item = new Item();
  clock.heartbeat.plan(item, 2000);
  clock.heartbeat.plan(item, 3000);
  clock.pass(1500);
  assertEquals(item.beats, []);
  clock.pass(500);
  assertEquals(item.beats, [[3000, 3000]]);
  clock.heartbeat.plan(item, 9000);
  clock.heartbeat.plan(item, 4000);
  clock.pass(1000);
  assertEquals(item.beats.length, 2);
  clock.pass(9000);
  assertEquals(item.beats.length, 2);
});

Deno.test("Heartbeat.cancel() has it called no more, and plan() again", () => {
  const clock = new Clock();
  const item = new Item();
  clock.heartbeat.plan(item, 2000);
  clock.heartbeat.cancel(item);
  clock.pass(5000);
  assertEquals(item.beats, []);
  clock.heartbeat.plan(item, 7000);
  clock.heartbeat.cancel(item);
  clock.heartbeat.plan(item, 7500);
  clock.pass(5000);
  assertEquals(item.beats.length, 1);
  clock.heartbeat.close();
});

Deno.test("Heartbeat.plan() survives what the list throws away of thousands that are not wanted", () => {
  const clock = new Clock();
  const kept = new Item();
  clock.heartbeat.plan(kept, 5000);
  clock.heartbeat.cancel(kept);
  for (let i = 0; i < 3000; i++) {
    const item = new Item();
    clock.heartbeat.plan(item, 4000);
    clock.heartbeat.cancel(item);
  }
  clock.heartbeat.plan(kept, 6000);
  clock.pass(6000);
  assertEquals(kept.beats.length, 1);
});

Deno.test("Heartbeat.look() judges nobody after a standstill, and does the next time", () => {
  const clock = new Clock();
  const item = new Item();
  clock.heartbeat.plan(item, 1500);
  clock.standStill(2000);
  clock.heartbeat.look();
  assertEquals(item.beats, []);
  clock.pass(LOOK);
  assertEquals(item.beats.length, 1);
});

Deno.test("Heartbeat.check() does at once what is due, but not after a standstill", () => {
  const clock = new Clock();
  const [one, other] = [new Item(), new Item()];
  clock.heartbeat.plan(one, 1100);
  clock.heartbeat.plan(other, 1500);
  clock.standStill(99);
  clock.heartbeat.check(one);
  assertEquals(one.beats, []);
  clock.standStill(2);
  clock.heartbeat.check(one);
  assertEquals(one.beats, [[1101, 1100]]);
  clock.standStill(2000);
  clock.heartbeat.check(other);
  assertEquals(other.beats, []);
  clock.heartbeat.close();
});

Deno.test("Heartbeat calls by itself, a few milliseconds late", async () => {
  const heartbeat = new Heartbeat();
  const items = Array.from({ length: 100 }, () => new Item());
  const start = performance.now();
  items.forEach((item, i) => heartbeat.plan(item, start + 20 + i));
  await until(() => items.every(({ beats }) => beats.length === 1));
  const late = items.map(({ beats }) => beats[0]![0] - beats[0]![1]).sort((one, other) => one - other);
  assert(late[0]! >= 0 && late[20]! < 100, `late by ${late}`);
  heartbeat.close();
});

for (const kind of ["polling", "websocket"] as const) {
  Deno.test(`a session of 4 over ${kind} is pinged, and ends without an answer`, async () => {
    const clock = new Clock();
    await using stage = openStage({ heartbeat: clock.heartbeat });
    const client = kind === "polling" ? await Poller.open(stage.url) : undefined;
    const { wire } = client ? {} : await Wire.begin(stage.url);
    const { last: heard } = stage.host;
    for (let round = 0; round < 3; round++) {
      clock.pass(pingInterval - 1);
      assertEquals(heard.socket.pending, 0);
      const { begun: asked } = client ? await stage.asked(() => client.poll()) : { begun: undefined };
      clock.pass(1);
      assertEquals((await asked)?.text ?? await wire!.next(), "2");
      clock.pass(pingTimeout - 1);
      if (client) assertEquals((await client.post("3")).text, "ok");
      else {
        wire!.send("3");
        wire!.send(`4${round}`);
        assertEquals(await wire!.next(), `4${round}`);
      }
      if (client) await Promise.resolve();
    }
    clock.pass(pingInterval + pingTimeout - 1);
    assert(heard.socket.isOpen);
    clock.pass(1);
    assertEquals(heard.socket.isOpen, false);
    if (wire) assertEquals((await wire.end()).code, 4008);
    await until(() => heard.ended !== undefined);
    assertEquals(heard.ended!.reason, "ping timeout");
    if (client) assertEquals((await client.poll()).status, 400);
  });

  Deno.test(`a session of 3 over ${kind} pings, and ends when it is silent`, async () => {
    const clock = new Clock();
    await using stage = openStage({ heartbeat: clock.heartbeat });
    const client = kind === "polling" ? await Poller.open(stage.url, 3) : undefined;
    const { wire } = client ? {} : await Wire.begin(stage.url, 3);
    const { last: heard } = stage.host;
    for (let round = 0; round < 3; round++) {
      clock.pass(pingInterval + pingTimeout - 1);
      if (client) {
        assertEquals((await client.post("1:2")).text, "ok");
        assertEquals((await client.poll()).text, "1:3");
      } else {
        wire!.send("2");
        assertEquals(await wire!.next(), "3");
      }
    }
    clock.pass(pingInterval + pingTimeout - 1);
    assert(heard.socket.isOpen);
    clock.pass(1);
    assertEquals(heard.socket.isOpen, false);
    await until(() => heard.ended !== undefined);
    assertEquals(heard.ended!.reason, "ping timeout");
    assertEquals(heard.ended!.clean, kind === "websocket");
  });
}

Deno.test("a GET that waits is answered `1` when its session's ping is not answered", async () => {
  const clock = new Clock();
  await using stage = openStage({ heartbeat: clock.heartbeat });
  const client = await Poller.open(stage.url);
  clock.pass(pingInterval);
  assertEquals((await client.poll()).text, "2");
  const { begun: poll } = await stage.asked(() => client.poll());
  clock.pass(pingTimeout);
  assertEquals((await poll).text, "1");
});

Deno.test("a request that comes a moment too late finds its session ended, whether anybody has looked or not", async () => {
  const clock = new Clock();
  await using stage = openStage({ heartbeat: clock.heartbeat });
  const client = await Poller.open(stage.url);
  clock.pass(pingInterval);
  clock.pass(pingTimeout - LOOK);
  clock.standStill(LOOK);
  const { status, text } = await client.poll();
  assertEquals([status, JSON.parse(text).code], [400, 1]);
  assertEquals(stage.host.last.ended?.reason, "ping timeout");
});

Deno.test("an answer that came while the machine stood still counts", async () => {
  const clock = new Clock();
  await using stage = openStage({ heartbeat: clock.heartbeat });
  const client = await Poller.open(stage.url);
  clock.pass(pingInterval);
  assertEquals((await client.poll()).text, "2");
  clock.standStill(pingTimeout + 1);
  clock.heartbeat.look();
  assertEquals((await client.post("3")).text, "ok");
  clock.pass(pingInterval - 1);
  assert(stage.host.last.socket.isOpen);
});

Deno.test("whoever says anything meanwhile is there, even when its pong is behind that", async () => {
  const clock = new Clock();
  await using stage = openStage({ heartbeat: clock.heartbeat });
  const client = await Poller.open(stage.url);
  clock.pass(pingInterval + pingTimeout - 1);
  assertEquals((await client.post("4a")).text, "ok");
  clock.pass(pingTimeout - 1);
  assert(stage.host.last.socket.isOpen);
  clock.pass(1);
  assertEquals(stage.host.last.socket.isOpen, false);
});

Deno.test("a standing session's `2` is gathered once, however long nobody polls", async () => {
  const clock = new Clock();
  await using stage = openStage({ heartbeat: clock.heartbeat });
  await Poller.open(stage.url);
  clock.pass(pingInterval + pingTimeout - 1);
  assertEquals(stage.host.last.socket.pending, 1);
  clock.pass(1);
  assertEquals(stage.servers[0]!.size, 0);
});
