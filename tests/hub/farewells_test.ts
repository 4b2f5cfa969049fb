import { setImmediate } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { Farewells, type FarewellsOptions } from "../../lib/hub/farewells.ts";
import type { Draft, Present, PublishResult } from "../../lib/types.ts";

const TAKEN: PublishResult = { epoch: "e", offset: 1 };

function refusal(code: "overloaded" | "conflict" | "too_large"): PublishResult {
  return { error: new GongError(code).toRefusal() };
}

/** Farewells, what they publish, and a clock that stands still until the next try. */
function open(answer: FarewellsOptions["publish"] = () => Promise.resolve(TAKEN)) {
  const drafts: Draft[] = [];
  let now = 0;
  let due: (() => void) | undefined;
  const farewells = new Farewells({
    nameOf: (channel) => channel === "secret" ? undefined : `$presence/${channel}`,
    page: () => ({ count: 3, users: 2, present: [] }),
    publish(draft) {
      drafts.push(draft);
      return answer(draft);
    },
    bytes: 65_536,
    now: () => now,
    timer: (wait, callback) => {
      due = () => {
        due = undefined;
        now += wait;
        callback();
      };
      return () => due = undefined;
    },
  });
  /** The next try, if there is to be one, and all that comes of it. */
  const retry = async () => {
    const isDue = due !== undefined;
    due?.();
    await setImmediate();
    return isDue;
  };
  return { farewells, drafts, retry };
}

function people(count: number): Present[] {
  return Array.from({ length: count }, (_, n) => ({ session: `1-${n}`, since: n }));
}

function leftIn(drafts: readonly Draft[]): string[] {
  return drafts.flatMap(({ data }) => JSON.parse(String(data)).left.map(({ session }: Present) => session));
}

Deno.test("Farewells say who has left, by publications that are the same wherever they are made", async () => {
  const [one, other] = [open(), open()];
  one.farewells.say(1, "run", new Map([["a", people(2)], ["secret", people(2)]]));
  other.farewells.say(1, "run", new Map([["a", people(2).reverse()]]));
  await setImmediate();
  assertEquals(one.drafts, other.drafts);
  const [{ channel, publisher, id, data }] = one.drafts as [Draft];
  assertEquals([channel, publisher, id?.length], ["$presence/a", "$gone", 43]);
  assertEquals(JSON.parse(String(data)), { count: 3, users: 2, joined: [], left: people(2) });
  other.farewells.say(1, "another run", new Map([["a", people(2)]]));
  assert(other.drafts[1]!.id !== id);
});

Deno.test("Farewells of many are some publications, and two nodes that know not quite the same leave nobody out", async () => {
  const all = people(1000);
  // To the one this session had gone before, to the other those had not come yet.
  const known = [all.slice(1), all.slice(0, -2)];
  const taken = new Map<string, Draft>();
  for (const [node, present] of known.entries()) {
    const { farewells, drafts } = open();
    farewells.say(1, "run", new Map([["a", present]]));
    await setImmediate();
    // Now the one and now the other is the first.
    for (const [index, draft] of drafts.entries()) {
      assert(leftIn([draft]).length <= 100);
      if (!taken.has(draft.id!) || index % 2 === node) taken.set(draft.id!, draft);
    }
  }
  const left = leftIn([...taken.values()]);
  assertEquals(all.slice(1, -2).filter(({ session }) => !left.includes(session)), []);
  assert(taken.size < 25, `${taken.size}`);
});

Deno.test("Farewells are tried again until they are taken, another node has said them, or they never will be", async () => {
  const answers = ["overloaded", "overloaded", undefined] as const;
  let asked = 0;
  const { farewells, drafts, retry } = open(({ channel }) => {
    if (channel === "$presence/b") return Promise.resolve(refusal("conflict"));
    if (channel === "$presence/c") return Promise.resolve(refusal("too_large"));
    const code = answers[asked++];
    return Promise.resolve(code ? refusal(code) : TAKEN);
  });
  farewells.say(1, "run", new Map(["a", "b", "c"].map((channel) => [channel, people(1)])));
  await setImmediate();
  assertEquals([await retry(), await retry(), await retry()], [true, true, false]);
  assertEquals(drafts.map(({ channel }) => channel.at(-1)), ["a", "b", "c", "a", "a"]);
  assertEquals(new Set(drafts.filter(({ channel }) => channel.endsWith("a")).map(({ id }) => id)).size, 1);
});

Deno.test("Farewells of a node that is back are not said any more, and none for longer than ids are known", async () => {
  const { farewells, drafts, retry } = open(() => Promise.resolve(refusal("overloaded")));
  farewells.say(1, "run", new Map([["a", people(1)]]));
  farewells.say(2, "other run", new Map([["b", people(1)]]));
  await setImmediate();
  farewells.returned(1);
  let tries = 0;
  while (await retry()) tries++;
  assert(tries >= 200 && tries < 300, `${tries}`);
  assertEquals(drafts.filter(({ channel }) => channel.endsWith("a")).length, 1);
});

Deno.test("Farewells do not come all at once", async () => {
  let [under, most] = [0, 0];
  const { farewells, drafts } = open(async () => {
    most = Math.max(most, ++under);
    await setImmediate();
    under--;
    return TAKEN;
  });
  farewells.say(1, "run", new Map(people(1000).map(({ session }) => [session, people(1)])));
  while (drafts.length < 1000) await setImmediate();
  assertEquals(most, 100);
});
