import { assert, assertEquals } from "@std/assert";
import { setTimeout as delay } from "node:timers/promises";
import { byteLength } from "../../lib/bytes.ts";
import { GongError } from "../../lib/errors.ts";
import type { Admitted } from "../../lib/hub/admitted.ts";
import { Joins, type JoinsOptions } from "../../lib/hub/joins.ts";
import { Presence } from "../../lib/hub/presence.ts";
import type { Draft, PublishResult } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";

const TAKEN: PublishResult = { epoch: "e", offset: 1 };

function admitted(id: string): Admitted {
  return { id, address: "::1", user: undefined, info: undefined, place: undefined };
}

/** Presence whose changes are published as soon as the turn ends. */
class Told {
  readonly drafts: Draft[] = [];
  answer: (draft: Draft) => PublishResult | Promise<PublishResult> = () => TAKEN;
  readonly presence: Presence;
  readonly joins: Joins;
  #wake: () => void = () => {};

  constructor(options: Partial<JoinsOptions> = {}) {
    this.presence = new Presence({
      onChange: (place) => this.joins.changed(place),
      now: () => 7,
    });
    this.joins = new Joins({
      ...{ nameOf: (channel) => `$presence/${channel}`, bytes: 65_536, period: 0 },
      page: (channel, page) => this.presence.page(channel, page),
      publish: async (draft) => {
        this.drafts.push(draft);
        this.#wake();
        return await this.answer(draft);
      },
      ...options,
    });
  }

  /** Resolves when so many drafts were published, to what the last one says. */
  // deno-lint-ignore no-explicit-any
  async published(count: number): Promise<any> {
    while (this.drafts.length < count) await new Promise<void>((resolve) => this.#wake = resolve);
    return JSON.parse(String(this.drafts[count - 1]!.data));
  }

  [Symbol.dispose](): void {
    this.joins.close();
  }
}

Deno.test("Joins publish what one period brings at once, without those that came and went in it", async () => {
  using told = new Told();
  const { presence } = told;
  const [one, two, brief] = [admitted("1-a"), admitted("1-b"), admitted("1-c")];
  for (const session of [one, brief, two]) presence.join(session, "a");
  presence.remove(brief);
  const joined = [{ session: "1-a", since: 7 }, { session: "1-b", since: 7 }];
  assertEquals(await told.published(1), { count: 2, users: 0, joined, left: [] });
  const [{ data: _, ...rest }] = told.drafts as [Draft];
  assertEquals(rest, { channel: "$presence/a", contentType: "application/json" });
  presence.leave(one, "a");
  assertEquals(await told.published(2), { count: 1, users: 0, joined: [], left: [joined[0]] });
});

Deno.test("Joins publish nothing when nothing has changed in the end, nor where there is no channel for it", async () => {
  using told = new Told({ nameOf: (channel) => channel === "b" ? undefined : `$presence/${channel}` });
  const { presence } = told;
  presence.join(admitted("1-x"), "b");
  const brief = admitted("1-a");
  presence.join(brief, "a");
  presence.remove(brief);
  // What is due is gone through in the order in which it has changed.
  presence.join(admitted("1-c"), "c");
  await told.published(1);
  assertEquals(told.drafts.map(({ channel }) => channel), ["$presence/c"]);
});

Deno.test("Joins tell anew who has become somebody, or has left and come back", async () => {
  using told = new Told();
  const { presence } = told;
  const session = admitted("1-a");
  presence.join(session, "a");
  await told.published(1);
  session.user = "42";
  session.info = '{"name":"A"}';
  presence.identified(session);
  const entry = { session: "1-a", user: "42", info: { name: "A" }, since: 7 };
  assertEquals(await told.published(2), { count: 1, users: 1, joined: [entry], left: [] });
  presence.leave(session, "a");
  presence.join(session, "a");
  assertEquals(await told.published(3), { count: 1, users: 1, joined: [entry], left: [] });
});

Deno.test("Joins name at most 100 of each kind, and no more than a message has room for", async () => {
  using told = new Told();
  const sessions = Array.from({ length: 250 }, (_, n) => admitted(`1-${n}`));
  for (const session of sessions) told.presence.join(session, "a");
  const { joined, ...rest } = await told.published(1);
  assertEquals([joined.length, rest], [100, { count: 250, users: 0, left: [], more: true }]);
  for (const session of sessions.slice(0, 100)) told.presence.remove(session);
  const { left, more } = await told.published(2);
  assertEquals([left.length, more], [100, undefined]);

  using small = new Told({ bytes: 1024 });
  for (const session of sessions) small.presence.join(session, "a");
  const page = await small.published(1);
  assert(page.joined.length > 0 && page.joined.length < 100 && page.more);
  assert(byteLength(small.drafts[0]!.data) <= 1024);
});

for (const seed of [1, 2, 3]) {
  Deno.test(`Joins tell everything in the end, however often it is refused (seed ${seed})`, async () => {
    using told = new Told();
    const { int } = seeded(seed);
    const there = new Set<string>();
    const over = Promise.withResolvers<void>();
    let count = 0;
    told.answer = async ({ data }) => {
      await delay(int(2));
      if (int(3) === 0) return { error: new GongError("overloaded").toRefusal() };
      const movement = JSON.parse(String(data));
      for (const { session } of movement.joined) there.add(session);
      for (const { session } of movement.left) assert(there.delete(session), "nobody leaves who was not there");
      count = movement.count;
      assertEquals(there.size, count);
      if (there.has("1-last")) over.resolve();
      return TAKEN;
    };
    const sessions = Array.from({ length: 30 }, (_, n) => admitted(`1-${n}`));
    for (let round = 0; round < 60; round++) {
      for (let step = int(10); step > 0; step--) {
        const session = sessions[int(30)]!;
        if (int(2) === 0) told.presence.join(session, "a");
        else told.presence.leave(session, "a");
      }
      await delay(int(3));
    }
    const last = admitted("1-last");
    told.presence.join(last, "a");
    await over.promise;
    const { present } = told.presence.page("a", { limit: 500 });
    assertEquals([...there].sort(), present.map(({ session }) => session).sort());
  });
}

Deno.test("Joins go on when who came to one of many channels has left it before its turn", async () => {
  using told = new Told();
  const brief = admitted("1-brief");
  // More than are told of before the event loop turns.
  for (let n = 0; n < 101; n++) told.presence.join(admitted(`1-${n}`), `c${n}`);
  told.presence.join(brief, "last");
  told.answer = () => {
    told.presence.remove(brief);
    return TAKEN;
  };
  await told.published(101);
  told.presence.join(admitted("1-late"), "c0");
  const { joined } = await told.published(102);
  assertEquals(joined, [{ session: "1-late", since: 7 }]);
});

Deno.test("Joins that are flushed tell also of what has changed while others were told of", async () => {
  using told = new Told();
  const published = Promise.withResolvers<PublishResult>();
  told.answer = () => published.promise;
  told.presence.join(admitted("1-a"), "a");
  await told.published(1);
  told.presence.join(admitted("1-b"), "a");
  const flushed = told.joins.flush();
  published.resolve(TAKEN);
  await flushed;
  told.joins.close();
  assertEquals((await told.published(2)).joined, [{ session: "1-b", since: 7 }]);
});
