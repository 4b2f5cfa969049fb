import { assert, assertEquals } from "@std/assert";
import { createRights, type RightsSettings } from "../../lib/auth/rights.ts";
import type { Grant } from "../../lib/auth.ts";
import { compileGlobs } from "../../lib/globs.ts";
import { userChannel } from "../../lib/reserved.ts";
import { seeded } from "../support/random.ts";

const SETTINGS: RightsSettings = {
  dev: false,
  publicChannels: ["broadcast"],
  allowPublish: ["wall", "both"],
  rule: [
    "all subscribe=everyone publish=everyone",
    "members subscribe=users publish=users presence=on",
    "room:* subscribe=token publish=token presence=joins",
    "vault subscribe=keys publish=keys presence=joins",
    "both publish=keys",
    "kept count=5",
    "$session/* publish=users",
    "$user/open:* publish=users",
    "$user/sealed publish=keys",
    "$queue/tasks subscribe=users publish=users",
    "$queue/sealed subscribe=keys publish=keys",
  ],
  historyCount: 10,
  historyBytes: 1000,
  historyAge: 60,
};

function user(id: string, channels: readonly string[], publish: readonly string[]): Grant {
  return {
    name: `user:${id}`,
    scopes: [],
    user: { id, subscribe: compileGlobs(channels), publish: compileGlobs(publish) },
  };
}

const GRANTS = {
  nobody: undefined,
  stats: { name: "eye", scopes: ["stats"] },
  publish: { name: "shop", scopes: ["publish"] },
  admin: { name: "boss", scopes: ["admin"] },
  login: { name: "boss", scopes: ["admin"], login: "l", until: 1 },
  // Users: one whose token names nothing, one with some, one with everything that a pattern can name.
  bare: user("1", [], []),
  some: user("2", ["room:*", "$user/*", "$admin"], ["room:1", "$user/*", "$session/3-a"]),
  greedy: user("3", ["*", "$*"], ["*", "$*"]),
  worker: user("4", ["*", "$queue/jobs", "$queue/sealed"], ["*", "$queue/mail:*"]),
} as const satisfies Record<string, Grant | undefined>;
type Who = keyof typeof GRANTS;
const NAMES = Object.keys(GRANTS) as Who[];
const KEYS: readonly Who[] = ["admin", "login"];
const USERS: readonly Who[] = ["bare", "some", "greedy", "worker"];
/** Those whose token names every ordinary channel. */
const WIDE: readonly Who[] = ["greedy", "worker"];

/** What is asked, and who may; everybody else may not. */
const TABLE: readonly [action: "subscribe" | "publish", channel: string, allowed: readonly Who[]][] = [
  ["subscribe", "broadcast", NAMES],
  ["publish", "broadcast", [...KEYS, "publish", ...WIDE]],
  ["subscribe", "wall", [...KEYS, ...WIDE]],
  ["publish", "wall", NAMES],
  ["subscribe", "all", NAMES],
  ["publish", "all", NAMES],
  ["subscribe", "members", [...KEYS, ...USERS]],
  ["publish", "members", [...KEYS, "publish", ...USERS]],
  ["subscribe", "room:1", [...KEYS, "some", ...WIDE]],
  ["publish", "room:1", [...KEYS, "publish", "some", ...WIDE]],
  ["publish", "room:2", [...KEYS, "publish", ...WIDE]],
  ["subscribe", "vault", KEYS],
  ["publish", "vault", [...KEYS, "publish"]],
  // The rule wins over the open pattern.
  ["publish", "both", [...KEYS, "publish"]],
  ["subscribe", "both", [...KEYS, ...WIDE]],
  ["subscribe", "kept", [...KEYS, ...WIDE]],
  ["subscribe", "other", [...KEYS, ...WIDE]],
  ["publish", "other", [...KEYS, "publish", ...WIDE]],
  // Whatever a token names.
  ["subscribe", "$user/2", [...KEYS, "some"]],
  ["subscribe", "$user/3", [...KEYS, "greedy"]],
  ["subscribe", "$user/9", KEYS],
  ["publish", "$user/9", [...KEYS, "publish", "some", "greedy"]],
  ["publish", "$user/open:9", [...KEYS, "publish", ...USERS]],
  ["publish", "$user/sealed", [...KEYS, "publish"]],
  ["subscribe", "$session/3-a", []],
  ["publish", "$session/3-a", [...KEYS, "publish", ...USERS]],
  ["subscribe", "$presence/room:1", [...KEYS, "some", ...WIDE]],
  ["subscribe", "$presence/members", []],
  ["subscribe", "$presence/vault", KEYS],
  ["subscribe", "$presence/broadcast", []],
  ["subscribe", "$presence/$admin", []],
  ["subscribe", "$presence/", []],
  ["publish", "$presence/room:1", []],
  ["subscribe", "$admin", KEYS],
  ["publish", "$admin", []],
  // A queue is no channel, whatever may be done with it.
  ["subscribe", "$presence/$queue/jobs", []],
  ["subscribe", "$other", []],
  ["publish", "$other", []],
  // No names of users: an escape that is none, one of what needs none, an empty one.
  ["subscribe", "$user/%zz", []],
  ["subscribe", "$user/%32", []],
  ["subscribe", "$user/", []],
  ["publish", "$user/", []],
];

Deno.test("createRights() says what the table says, and the same with its reason", () => {
  const { may, judge } = createRights(SETTINGS);
  for (const [action, channel, allowed] of TABLE) {
    for (const who of NAMES) {
      const expected = allowed.includes(who);
      const verdict = judge(GRANTS[who], action, channel);
      assertEquals(verdict.allowed, expected, `${who} ${action} ${channel}: ${verdict.reason}`);
      assertEquals(may(GRANTS[who], action, channel), expected);
      assert(verdict.reason.length > 10 && !verdict.reason.includes("undefined"), verdict.reason);
    }
  }
});

Deno.test("createRights() opens to everybody with dev all but what only the server may", () => {
  const { may, has } = createRights({ ...SETTINGS, dev: true });
  const refused = TABLE.filter(([action, channel]) => !may(undefined, action, channel));
  assertEquals(refused.map(([action, channel]) => `${action} ${channel}`), [
    "subscribe $session/3-a",
    "subscribe $presence/members",
    "subscribe $presence/broadcast",
    "subscribe $presence/$admin",
    "subscribe $presence/",
    "publish $presence/room:1",
    "publish $admin",
    "subscribe $presence/$queue/jobs",
    "subscribe $other",
    "publish $other",
    "subscribe $user/%zz",
    "subscribe $user/%32",
    "subscribe $user/",
    "publish $user/",
  ]);
  assert(has(undefined, "admin"));
});

/** What is asked of queues, and who may; everybody else may not. */
const QUEUES: readonly [action: "subscribe" | "publish", queue: string, allowed: readonly Who[]][] = [
  ["subscribe", "jobs", [...KEYS, ...WIDE]],
  ["publish", "jobs", [...KEYS, "publish", "greedy"]],
  ["subscribe", "mail:1", [...KEYS, "greedy"]],
  ["publish", "mail:1", [...KEYS, "publish", ...WIDE]],
  ["subscribe", "tasks", [...KEYS, ...USERS]],
  ["publish", "tasks", [...KEYS, "publish", ...USERS]],
  ["subscribe", "sealed", KEYS],
  ["publish", "sealed", [...KEYS, "publish"]],
  // Open channels are no open queues.
  ["subscribe", "broadcast", [...KEYS, "greedy"]],
  ["publish", "wall", [...KEYS, "publish", "greedy"]],
];

Deno.test("createRights().mayUse() says of queues what the table says, and may() that nobody hears them", () => {
  const { may, mayUse, judge } = createRights(SETTINGS);
  const open = createRights({ ...SETTINGS, dev: true });
  for (const [action, queue, allowed] of QUEUES) {
    const channel = `$queue/${queue}`;
    for (const who of NAMES) {
      const expected = allowed.includes(who);
      const verdict = judge(GRANTS[who], action, channel);
      assertEquals(verdict.allowed, expected, `${who} ${action} ${channel}: ${verdict.reason}`);
      assertEquals(mayUse(GRANTS[who], action, queue), expected);
      assertEquals(open.mayUse(GRANTS[who], action, queue), true);
      assertEquals([may(GRANTS[who], action, channel), open.may(GRANTS[who], action, channel)], [false, false]);
    }
  }
});

/** For each reason who hears it. */
const REASONS: readonly [who: Who, action: "subscribe" | "publish", channel: string, reason: string][] = [
  ["nobody", "subscribe", "all", "all has subscribe=everyone"],
  ["bare", "publish", "members", "members has publish=users"],
  ["nobody", "subscribe", "members", "members has subscribe=users, and this is no user"],
  ["some", "publish", "room:1", "the token names room:1"],
  ["bare", "publish", "room:1", "room:1 has publish=token, and the token does not name it"],
  ["stats", "subscribe", "room:1", "room:1 has subscribe=token, and there is no token"],
  ["stats", "publish", "vault", "vault has publish=keys, and this is no key with publish"],
  ["publish", "publish", "x", "shop has the scope publish"],
  ["login", "subscribe", "$user/2", "boss has the scope admin"],
  ["some", "subscribe", "$user/2", "it is the user's own"],
  ["greedy", "subscribe", "$user/2", "only that user may, or a key with the scope admin"],
  ["bare", "publish", "$user/sealed", "$user/sealed has publish=keys, and this is no key with publish"],
  ["bare", "subscribe", "$presence/room:1", "room:1 has subscribe=token, and the token does not name it"],
  ["admin", "subscribe", "$presence/broadcast", "broadcast does not have presence=joins"],
  ["greedy", "subscribe", "$admin", "it is for keys with the scope admin"],
  ["admin", "publish", "$admin", "only the server publishes there"],
  ["admin", "subscribe", "$session/3-a", "the name is reserved"],
  ["worker", "subscribe", "$queue/jobs", "the token names $queue/jobs"],
  ["worker", "publish", "$queue/jobs", "$queue/jobs has publish=token, and the token does not name it"],
  ["nobody", "subscribe", "$queue/sealed", "$queue/sealed has subscribe=keys, and this is no key with admin"],
];

Deno.test("createRights() gives its reasons in the words of the rules", () => {
  const { judge } = createRights(SETTINGS);
  for (const [who, action, channel, reason] of REASONS) {
    assertEquals(judge(GRANTS[who], action, channel).reason, reason, `${who} ${action} ${channel}`);
  }
  const open = createRights({ ...SETTINGS, dev: true });
  assertEquals(open.judge(undefined, "publish", "vault"), { allowed: true, reason: "with --dev everybody may" });
});

Deno.test("createRights() knows whether anything is open to everybody's publications", () => {
  const closed = { ...SETTINGS, allowPublish: [], rule: [] };
  assertEquals(createRights(closed).isOpen, false);
  assertEquals(createRights({ ...closed, allowPublish: ["a"] }).isOpen, true);
  assertEquals(createRights({ ...closed, rule: ["a publish=users", "b publish=everyone"] }).isOpen, true);
});

Deno.test("createRights() never lets nobody do what a user may not, nor a user what an admin key may not", () => {
  const { int, pick } = seeded(5);
  const patterns = ["*", "a*", "a", "b:*", "b:1", "c"] as const;
  const who = ["everyone", "users", "token", "keys"] as const;
  for (let round = 0; round < 2000; round++) {
    const rule = Array.from({ length: int(4) }, () => {
      return `${pick(patterns)} subscribe=${pick(who)} publish=${pick(who)} presence=${pick(["off", "on", "joins"])}`;
    });
    const open = () => patterns.filter(() => int(5) === 0);
    const { may } = createRights({ ...SETTINGS, rule, publicChannels: open(), allowPublish: open() });
    const bare = user("1", [], []);
    const named = user("1", [...patterns, "$*"], [...patterns, "$*"]);
    for (
      const channel of ["a", "ab", "b:1", "c", "$presence/a", "$user/1", "$user/2", "$session/1-a", "$admin", "$x"]
    ) {
      for (const action of ["subscribe", "publish"] as const) {
        const verdicts = [undefined, bare, named, GRANTS.admin].map((grant) => may(grant, action, channel));
        const [nobody, user, namedUser, admin] = verdicts;
        const text = `${rule.join("; ")}: ${action} ${channel}: ${verdicts}`;
        assert(!nobody || user, text);
        assert(!user || namedUser, text);
        // The user's own is the only thing that is another's.
        assert(!namedUser || admin, text);
      }
    }
  }
});

Deno.test("createRights() takes no user for another", () => {
  const ids = ["1", "01", "%31", "a/b", "a%2Fb", "A", "ü", "%C3%BC", "*", "a b", "a+b", "$admin", "../2", "1 "];
  const { may } = createRights(SETTINGS);
  const channels = ids.map(userChannel);
  assertEquals(new Set(channels).size, ids.length);
  for (const [index, id] of ids.entries()) {
    const heard = channels.filter((channel) => may(user(id, ["*", "$*"], []), "subscribe", channel));
    assertEquals(heard, [channels[index]!], id);
  }
});
