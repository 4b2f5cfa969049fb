import { assert, assertEquals, assertRejects } from "@std/assert";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { GongError } from "../../lib/errors.ts";
import { Recoveries } from "../../lib/hub/recoveries.ts";
import { Turn } from "../../lib/turn.ts";
import type { Keepsake, RecordChange } from "../../lib/types.ts";
import { NotedLog } from "../support/stage.ts";

const SECONDS = 120;

/** A clock that stands until it is moved, and a broker that stays when they are opened again. */
class World implements AsyncDisposable {
  now = 1_000_000;
  readonly there = new Set<string>();
  readonly broker = createMemoryBroker(() => {}, { now: () => this.now });
  readonly log = new NotedLog();
  /** The changes of each call. */
  readonly calls: (readonly RecordChange[])[] = [];
  /** What was left to others. */
  readonly left = new Map<string, Keepsake>();
  /** Whether the broker can store nothing. */
  isFull = false;
  recoveries: Recoveries;
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  constructor(readonly most = 100, readonly mostOfAddress = most) {
    this.recoveries = this.open();
  }

  open(seconds = SECONDS): Recoveries {
    this.#timers = [];
    return this.recoveries = new Recoveries({
      broker: {
        records: (prefix) => this.broker.records(prefix),
        record: (changes) => {
          this.calls.push(changes);
          return this.isFull ? Promise.reject(new GongError("overloaded")) : this.broker.record(changes);
        },
      },
      keepsakes: {
        keep: (keepsakes) => Promise.resolve(keepsakes.forEach((one) => this.left.set(one.key, one))),
        take: (key) => {
          const value = this.left.get(key)?.value;
          this.left.delete(key);
          return Promise.resolve(value);
        },
      },
      ...{ log: this.log, turn: new Turn(), seconds, most: this.most, mostOfAddress: this.mostOfAddress },
      isThere: (session) => this.there.has(session),
      now: () => this.now,
      timer: (wait, action) => {
        const timer = { at: this.now + wait, action };
        this.#timers.push(timer);
        return () => this.#timers = this.#timers.filter((other) => other !== timer);
      },
    });
  }

  async remember(pid: string, session: string, state = "{}", user?: string, address?: string): Promise<void> {
    await this.recoveries.remember(pid, { session, state, ...(user === undefined ? {} : { user }) }, address);
  }

  /** Lets the time pass, timer by timer. */
  async pass(seconds: number): Promise<void> {
    const end = this.now + seconds * 1000;
    for (;;) {
      // What is under way may plan another.
      await this.recoveries.find("nobody");
      const [next] = this.#timers.sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.#timers.shift();
      this.now = Math.max(this.now, next.at);
      next.action();
    }
    this.now = end;
  }

  async stored(): Promise<number> {
    return (await this.broker.records("recovery/")).size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.recoveries.close();
    await this.broker.close();
  }
}

Deno.test("Recoveries.find() has what is remembered as long as its session is there, and for a while after it", async () => {
  await using world = new World();
  world.there.add("1-a");
  await world.remember("secret", "1-a", "one");
  await world.remember("secret", "1-a", "two", "42");
  await world.pass(10 * SECONDS);
  assertEquals(await world.recoveries.find("secret"), { session: "1-a", user: "42", state: "two" });
  world.there.delete("1-a");
  world.recoveries.left("1-a");
  await world.pass(SECONDS - 1);
  assert(await world.recoveries.find("secret"));
  await world.pass(1);
  assertEquals(await world.recoveries.find("secret"), undefined);
  await world.pass(1);
  assertEquals([world.recoveries.size, world.recoveries.bytes, await world.stored()], [0, 0, 0]);
});

Deno.test("Recoveries.returned() keeps them again, and one that has left while it was stored goes all the same", async () => {
  await using world = new World();
  world.there.add("1-a");
  await Promise.all([world.remember("one", "1-a"), world.remember("two", "1-a"), world.remember("three", "1-b")]);
  world.recoveries.left("1-a");
  await world.pass(SECONDS / 2);
  world.recoveries.returned("1-a");
  await world.pass(SECONDS);
  assertEquals([world.recoveries.size, await world.stored()], [2, 2]);
  assertEquals(await world.recoveries.find("three"), undefined);
});

Deno.test("the records of Recoveries do not tell the secret, and those of a turn are written at once", async () => {
  await using world = new World();
  await Promise.all(["a", "b", "c"].map((pid) => world.remember(`secret-${pid}`, "1-a", `state of ${pid}`)));
  assertEquals(world.calls.map(({ length }) => length), [3]);
  for (const [key, value] of await world.broker.records("")) assert(!`${key} ${value}`.includes("secret"));
  world.recoveries.forget("secret-a");
  world.recoveries.forget("secret-b");
  assertEquals(await world.recoveries.find("secret-a"), undefined);
  assertEquals(world.calls.map(({ length }) => length), [3, 2]);
  assertEquals(await world.stored(), 1);
});

Deno.test("Recoveries keep everything for the whole time after a restart, and what is no record goes", async () => {
  await using world = new World();
  world.there.add("1-a");
  await world.remember("secret", "1-a", "state");
  await world.broker.record([{ key: "recovery/x", value: "{" }, { key: "recovery/y", value: "[]" }]);
  await world.recoveries.close();
  world.there.clear();
  world.open();
  await world.pass(SECONDS - 1);
  assertEquals(await world.recoveries.find("secret"), { session: "1-a", state: "state" });
  assertEquals(await world.stored(), 1);
  await world.pass(2);
  assertEquals([world.recoveries.size, await world.stored()], [0, 0]);
});

Deno.test("Recoveries without a time keep nothing, and sweep out what there was", async () => {
  await using world = new World();
  await world.remember("secret", "1-a");
  await world.recoveries.close();
  world.open(0);
  await world.pass(5);
  assertEquals([await world.recoveries.find("secret"), await world.stored()], [undefined, 0]);
  assertEquals((await assertRejects(() => world.remember("secret", "1-a"), GongError)).code, "overloaded");
});

Deno.test("Recoveries.remember() is refused for what is too large, too many, or cannot be stored", async () => {
  await using world = new World(2);
  for (const session of ["1-a", "1-b"]) world.there.add(session);
  const refused = async (pid: string, state = "{}") => {
    return (await assertRejects(() => world.remember(pid, "1-a", state), GongError)).code;
  };
  assertEquals(await refused("large", "x".repeat(16 * 1024)), "overloaded");
  const [first, second, third] = await Promise.allSettled(["1", "2", "3"].map((pid) => world.remember(pid, "1-a")));
  assertEquals([first!.status, second!.status, third!.status], ["fulfilled", "fulfilled", "rejected"]);
  assertEquals(await refused("4"), "overloaded");
  await world.remember("1", "1-b", "newer");
  world.recoveries.forget("2");
  await world.remember("4", "1-a");
  assertEquals(await refused("5"), "overloaded");
  world.isFull = true;
  assertEquals(await refused("1", "newest"), "overloaded");
  assertEquals((await world.recoveries.find("1"))?.state, "newer");
  world.recoveries.forget("1");
  await world.pass(1);
  world.isFull = false;
  await world.pass(2);
  assertEquals([await world.recoveries.find("1"), await world.stored()], [undefined, 1]);
});

Deno.test("Recoveries take at most 64 MiB", async () => {
  await using world = new World(10_000);
  const state = "x".repeat(16_000);
  const results = await Promise.allSettled(
    Array.from({ length: 4500 }, (_, n) => world.remember(String(n), "1-a", state)),
  );
  const taken = results.filter(({ status }) => status === "fulfilled").length;
  assert(taken > 4000 && taken < 4300, `${taken}`);
  assert(world.recoveries.bytes <= 64 * 2 ** 20);
});

Deno.test("Recoveries.remember() leaves room for the clients of other addresses", async () => {
  await using world = new World(10, 3);
  const remember = (pid: string, address: string) => world.remember(pid, "1-a", "{}", undefined, address);
  const isTaken = (pid: string, address: string) => remember(pid, address).then(() => true, () => false);
  world.there.add("1-a");
  const results = await Promise.all(["1", "2", "3", "4", "5"].map((pid) => isTaken(pid, "::a")));
  assertEquals(results, [true, true, true, false, false]);
  assertEquals([await isTaken("6", "::a"), await isTaken("1", "::a"), await isTaken("7", "::b")], [false, true, true]);
  // Who comes back from elsewhere counts there from then on, and is not refused for that.
  assertEquals([await isTaken("1", "::b"), await isTaken("6", "::a"), await isTaken("8", "::b")], [true, true, true]);
  assertEquals([await isTaken("2", "::b"), await isTaken("9", "::a")], [true, true]);
  world.recoveries.forget("9");
  await world.recoveries.find("9");
  assertEquals([await isTaken("9", "::a"), world.recoveries.size], [true, 7]);
});

Deno.test("Recoveries.remember() bounds the bytes of an address too, and gives them back", async () => {
  await using world = new World(10_000, 1000);
  const state = "x".repeat(16_000);
  const remember = (n: number) => world.remember(String(n), "1-a", state, undefined, "::a").then(() => 1, () => 0);
  const taken = async () =>
    (await Promise.all(Array.from({ length: 500 }, (_, n) => remember(n)))).reduce((a, b) => a + b, 0);
  const count = await taken();
  assert(count > 400 && count < 420, `${count}`);
  for (let n = 0; n < count; n++) world.recoveries.forget(String(n));
  await world.recoveries.find("0");
  assertEquals([world.recoveries.size, await taken()], [0, count]);
});

Deno.test("Recoveries.take() gives it once, to its user, and not while its session is there", async () => {
  await using world = new World();
  world.there.add("1-a");
  await world.remember("secret", "1-a", "state", "42");
  assertEquals(await world.recoveries.take("secret", "42"), undefined);
  world.there.delete("1-a");
  world.recoveries.left("1-a");
  assertEquals(await world.recoveries.take("secret", undefined), undefined);
  assertEquals(await world.recoveries.take("secret", "43"), undefined);
  const taken = await Promise.all([1, 2, 3].map(() => world.recoveries.take("secret", "42")));
  assertEquals(taken, [{ session: "1-a", user: "42", state: "state" }, undefined, undefined]);
  await world.recoveries.find("secret");
  assertEquals([world.recoveries.size, world.recoveries.bytes, await world.stored()], [0, 0, 0]);
});

Deno.test("Recoveries.close() leaves what is kept to others, for the rest of its time, and then gives nothing", async () => {
  await using world = new World();
  world.there.add("1-a");
  await world.remember("one", "1-a", "state of one", "42");
  await world.remember("two", "1-b", "state of two");
  await world.remember("three", "1-c");
  await world.pass(SECONDS / 2);
  assert(await world.recoveries.take("three", undefined));
  const before = world.recoveries;
  const closing = before.close();
  // Who asks now is told nothing before others can find it.
  assertEquals(await before.take("one", "42"), undefined);
  assertEquals(world.left.size, 2);
  await closing;
  assertEquals([...world.left.values()].map(({ seconds }) => seconds), [SECONDS, SECONDS / 2]);
  assert(![...world.left.keys()].some((key) => key.includes("one")), "the secrets are not told");
  const heir = world.open();
  assertEquals(await heir.inherit("one", "43"), undefined);
  assertEquals(await heir.inherit("one", "42"), { session: "1-a", user: "42", state: "state of one" });
  assertEquals(await heir.inherit("one", "42"), undefined);
  assertEquals(await heir.inherit("two", undefined), { session: "1-b", state: "state of two" });
});

Deno.test("Recoveries.take() gives nothing of what is left to others meanwhile", async () => {
  await using world = new World();
  await world.remember("one", "1-a", "state");
  const taken = world.recoveries.take("one", undefined);
  await world.recoveries.close();
  assertEquals(await taken, undefined);
  assertEquals(world.left.size, 1);
});
