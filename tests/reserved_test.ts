import { assertEquals } from "@std/assert";
import { isChannelName } from "../lib/globs.ts";
import {
  isForMessages,
  isForQueues,
  isUser,
  presenceChannel,
  presenceOf,
  queueChannel,
  queueOf,
  userChannel,
  userOf,
} from "../lib/reserved.ts";
import { seeded } from "./support/random.ts";

Deno.test("userChannel() names every user's channel, and userOf() finds the user again", () => {
  for (const user of ["42", "a b", "ü", "日本", "😀", "a/b:c", "%41", "*", "$x", "@,", "'\"<>"]) {
    const channel = userChannel(user);
    assertEquals([isUser(user), isChannelName(channel), userOf(channel)], [true, true, user], channel);
  }
  assertEquals(userChannel("a b/ü"), "$user/a%20b/%C3%BC");
});

Deno.test("userOf() takes no name that userChannel() does not make", () => {
  for (
    const name of [
      "$user/",
      "$user/%",
      "$user/%4",
      "$user/%41",
      "$user/%c3%bc",
      "$user/%C3",
      "user/1",
      "$users/1",
      "$user",
    ]
  ) {
    assertEquals(userOf(name), undefined, name);
  }
});

Deno.test("userOf() is the inverse of userChannel() for whatever text", () => {
  const { int } = seeded(11);
  let users = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = String.fromCodePoint(...Array.from({ length: 1 + int(4) }, () => {
      return int(10) < 7 ? int(0x80) : int(0x2fff);
    }));
    if (!isUser(text)) continue;
    users++;
    assertEquals(userOf(userChannel(text)), text);
  }
  assertEquals(users > 5000, true);
});

Deno.test("userOf() finds a user in no two names of channels", () => {
  const { pick, int } = seeded(12);
  const pieces = ["a", "A", "/", "~", "%41", "%2F", "%20", "%c3", "%C3%BC", "%", "*", " ", "\n", "ü", "$"] as const;
  const kinds = { users: 0, others: 0 };
  for (let round = 0; round < 20_000; round++) {
    const name = `$user/${Array.from({ length: int(4) }, () => pick(pieces)).join("")}`;
    const user = userOf(name);
    kinds[user === undefined ? "others" : "users"]++;
    if (user !== undefined) assertEquals([userChannel(user), isUser(user), isChannelName(name)], [name, true, true]);
  }
  assertEquals([kinds.users > 2000, kinds.others > 2000], [true, true], JSON.stringify(kinds));
  assertEquals([userOf(`$user/${"x".repeat(122)}`)?.length, userOf(`$user/${"x".repeat(123)}`)], [122, undefined]);
});

Deno.test("isUser() refuses what has no name, no end or no characters", () => {
  for (const text of ["", "a\n", "\0", "\u007f", "\ud800", "x".repeat(123), "ü".repeat(21)]) {
    assertEquals(isUser(text), false, text);
  }
  assertEquals([isUser("x".repeat(122)), isUser("ü".repeat(20))], [true, true]);
});

Deno.test("isForMessages() is true of the patterns that have a user, a session or a queue in them", () => {
  const table: readonly [pattern: string, expected: boolean][] = [
    ["$user/*", true],
    ["$user/7", true],
    ["$session/*", true],
    ["$*", true],
    ["$s*", true],
    ["$*r/7", true],
    ["$user", false],
    ["$users/*", false],
    ["$admin", false],
    ["$presence/*", false],
    ["$p*", false],
    ["$queue/*", true],
    ["$queue/jobs", true],
    ["$q*", true],
    ["$queue", false],
  ];
  for (const [pattern, expected] of table) assertEquals(isForMessages(pattern), expected, pattern);
});

Deno.test("isForQueues() is true of the patterns that have nothing but queues in them", () => {
  for (const pattern of ["$queue/*", "$queue/jobs", "$queue/a*b"]) assertEquals(isForQueues(pattern), true, pattern);
  for (const pattern of ["$*", "$queue*", "$queue", "$queue/", "queue/x", "$queues/x"]) {
    assertEquals(isForQueues(pattern), false, pattern);
  }
});

Deno.test("queueOf() is the inverse of queueChannel(), and undefined of everything else", () => {
  assertEquals(queueOf(queueChannel("jobs/1")), "jobs/1");
  for (const name of ["$queue/", "$queue", "queue/x", "$user/x"]) assertEquals(queueOf(name), undefined, name);
});

Deno.test("presenceChannel() is there for every channel whose name has room for it", () => {
  assertEquals(presenceChannel("room:1"), "$presence/room:1");
  assertEquals(presenceOf("$presence/room:1"), "room:1");
  assertEquals(presenceChannel("x".repeat(118)), `$presence/${"x".repeat(118)}`);
  assertEquals(presenceChannel("x".repeat(121)), undefined);
  assertEquals(presenceOf("room:1"), undefined);
});
