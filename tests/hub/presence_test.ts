import { assert, assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import type { Admitted } from "../../lib/hub/admitted.ts";
import { Presence } from "../../lib/hub/presence.ts";
import { Roster } from "../../lib/hub/roster.ts";
import type { Present } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";

function admitted(id: string, user?: string): Admitted {
  return { id, address: "::1", user, info: undefined, place: undefined };
}

function idsOf(present: readonly Present[]): string[] {
  return present.map(({ session }) => session);
}

Deno.test("Presence.page() pages in the order of joining, whoever leaves and comes meanwhile", () => {
  const presence = new Presence();
  const sessions = Array.from({ length: 200 }, (_, n) => admitted(`1-${n}`));
  for (const session of sessions) presence.join(session, "a");
  const first = presence.page("a", { limit: 60 });
  assertEquals([first.count, first.present.length, first.present.at(-1)!.session], [200, 60, "1-59"]);
  // The last of the page goes too, and so many that empty places are cleared away.
  for (const session of sessions.slice(0, 150)) presence.leave(session, "a");
  presence.join(admitted("1-new"), "a");
  const second = presence.page("a", { limit: 60, after: first.next! });
  const expected = [...Array.from({ length: 50 }, (_, n) => `1-${150 + n}`), "1-new"];
  assertEquals([second.count, idsOf(second.present), second.next], [51, expected, undefined]);
});

Deno.test("Presence.page() has whoever joined elsewhere where they belong, whenever they are told of and asked for", () => {
  const { int } = seeded(1);
  const presence = new Presence();
  /** Sessions, and when they joined. */
  const there = new Map<Admitted, number>();
  const join = (id: string, at: number) => {
    const session = admitted(id, `u${int(50)}`);
    presence.join(session, "a", { since: at, at });
    there.set(session, at);
  };
  const inOrder = () => {
    return [...there].sort(([one, first], [other, second]) => first - second || (one.id > other.id ? 1 : -1));
  };
  for (let step = 0; step < 5000; step++) {
    // There are times when more go than come, until nobody is left.
    const leaving = step % 1000 < 600 ? 20 : 90;
    const dice = int(100);
    const session = [...there.keys()][int(there.size)];
    if (dice >= leaving && dice < 98) join(`${int(9)}-${step}`, 1 + int(400));
    if (dice < leaving && session) {
      presence.leave(session, "a");
      there.delete(session);
    }
    if (dice < 98) continue;
    const expected = inOrder();
    const limit = 1 + int(40);
    const { count, users, present, next } = presence.page("a", { limit });
    assertEquals([count, users], [there.size, new Set(expected.map(([{ user }]) => user)).size]);
    assertEquals(idsOf(present), expected.slice(0, limit).map(([{ id }]) => id));
    assertEquals(next !== undefined, there.size > limit);
    if (next === undefined) continue;
    // Of two who are told of before the next page is asked for, it has the one who is behind the first page.
    const [last, at] = expected[limit - 1]!;
    join(`${last.id}-before-${step}`, at - 1);
    join(`${last.id}-behind-${step}`, at);
    const rest = inOrder().slice(limit + 1).map(([{ id }]) => id);
    assertEquals(idsOf(presence.page("a", { limit: 10_000, after: next }).present), rest);
  }
});

Deno.test("Presence.page() has no next where nobody follows, and only counts with limit 0", () => {
  const presence = new Presence({ now: () => 7 });
  const last = admitted("1-c", "43");
  for (const session of [admitted("1-a", "42"), admitted("1-b", "42"), last]) presence.join(session, "a");
  assertEquals(presence.page("a", { limit: 0 }), { count: 3, users: 2, present: [] });
  assertEquals(presence.page("a", { limit: 3 }).next, undefined);
  const { next } = presence.page("a", { limit: 2 });
  assertEquals(idsOf(presence.page("a", { limit: 2, after: next! }).present), ["1-c"]);
  presence.leave(last, "a");
  assertEquals(presence.page("a", { limit: 2 }), {
    ...{ count: 2, users: 1 },
    present: [{ session: "1-a", user: "42", since: 7 }, { session: "1-b", user: "42", since: 7 }],
  });
  assertEquals(presence.page("elsewhere", { limit: 2 }), { count: 0, users: 0, present: [] });
});

Deno.test("Presence.page() refuses an `after` that is no token", () => {
  for (const after of ["", "-1", "1.5", "zzzzzzzzzzz", "1 "]) {
    const error = assertThrows(() => new Presence().page("a", { limit: 1, after }), GongError);
    assertEquals([error.code, error.field], ["bad_request", "after"]);
  }
});

/** What is expected of a {@linkcode Roster}, by the plainest means. */
class Naive {
  /** In the order of admission. */
  readonly sessions = new Map<string, { edge: number; user?: string; info?: string }>();
  /** Channel and session, in the order of joining. */
  readonly present: { channel: string; session: string }[] = [];

  forget(gone: (id: string) => boolean): void {
    for (const id of [...this.sessions.keys()]) if (gone(id)) this.sessions.delete(id);
    const left = this.present.filter(({ session }) => !gone(session));
    this.present.splice(0, Infinity, ...left);
  }
}

for (const seed of [1, 2, 3, 4, 5]) {
  Deno.test(`Roster knows who is there whatever edges say and whichever die (seed ${seed})`, () => {
    const { int } = seeded(seed);
    const random = () => int(10_000) / 10_000;
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    const options = { maxConnections: 60, maxPerAddress: 1000, authFailures: 3, bytes: 1000 };
    const roster = new Roster({ ...options, nameOf: () => undefined, publish: () => Promise.reject() });
    const naive = new Naive();
    const channels = ["a", "b", "c"];
    const users = ["u1", "u2", "u3", "u4"];
    let made = 0;
    for (let step = 0; step < 4000; step++) {
      const edge = 1 + Math.floor(random() * 3);
      const ids = [...naive.sessions].filter(([_, { edge: own }]) => own === edge).map(([id]) => id);
      const id = ids.length > 0 && random() < 0.95 ? pick(ids) : `${edge}-unknown`;
      const known = naive.sessions.get(id);
      const dice = random();
      if (dice < 0.3) {
        const session = `${edge}-${++made}`;
        const who = random() < 0.5 ? { user: pick(users) } : {};
        try {
          roster.admit(edge, { id: session, address: "::1", ...who });
          assert(naive.sessions.size < 60);
          naive.sessions.set(session, { edge, ...who });
        } catch (error) {
          assertEquals([(error as GongError).code, naive.sessions.size], ["overloaded", 60]);
        }
      } else if (dice < 0.65) {
        const channel = pick(channels);
        const index = naive.present.findIndex((place) => place.channel === channel && place.session === id);
        const isThere = random() < 0.6;
        roster.present(edge, { session: id, channel, isThere });
        if (known && isThere && index < 0) naive.present.push({ channel, session: id });
        if (!isThere && index >= 0) naive.present.splice(index, 1);
      } else if (dice < 0.8) {
        const who = { user: pick(users), info: `${Math.floor(random() * 3)}` };
        roster.identify(edge, { id, ...who });
        if (known) Object.assign(known, who);
      } else if (dice < 0.99) {
        roster.release(edge, id);
        naive.forget((gone) => gone === id);
      } else {
        assertEquals(roster.releaseEdge(edge).length, ids.length);
        naive.forget((gone) => ids.includes(gone));
      }
      check(roster, naive, pick(channels), pick(users), 1 + Math.floor(random() * 5));
    }
    roster.close();
  });
}

/** Looks at one channel, page by page, and one user. */
function check(roster: Roster, naive: Naive, channel: string, user: string, limit: number): void {
  const there = naive.present.filter((place) => place.channel === channel).map(({ session }) => session);
  const entries: Present[] = [];
  let after: string | undefined;
  do {
    const page = roster.presence.page(channel, { limit, ...(after === undefined ? {} : { after }) });
    const distinct = new Set(there.flatMap((id) => naive.sessions.get(id)!.user ?? []));
    assertEquals([page.count, page.users], [there.length, distinct.size]);
    entries.push(...page.present);
    after = page.next;
  } while (after !== undefined);
  assertEquals(idsOf(entries), there);
  for (const { session, user: id, info } of entries) {
    const { edge: _, ...who } = naive.sessions.get(session)!;
    assertEquals({ user: id, info }, { user: undefined, info: undefined, ...who });
  }
  const own = [...naive.sessions].filter(([_, { user: id }]) => id === user).map(([id]) => id).sort();
  assertEquals([...roster.users.sessionsOf(user)].sort(), own);
  const users = new Set([...naive.sessions.values()].flatMap(({ user: id }) => id ?? []));
  assertEquals(roster.users.page({ limit: 10 }).users.map(({ user: id }) => id), [...users].sort());
  assertEquals([roster.guard.total, roster.presence.size], [naive.sessions.size, naive.present.length]);
}
