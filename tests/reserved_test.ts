import { assertEquals } from "@std/assert";
import { isChannelName } from "../lib/globs.ts";
import { isUser, presenceChannel, presenceOf, userChannel, userOf } from "../lib/reserved.ts";
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

Deno.test("isUser() refuses what has no name, no end or no characters", () => {
  for (const text of ["", "a\n", "\0", "\u007f", "\ud800", "x".repeat(123), "ü".repeat(21)]) {
    assertEquals(isUser(text), false, text);
  }
  assertEquals([isUser("x".repeat(122)), isUser("ü".repeat(20))], [true, true]);
});

Deno.test("presenceChannel() is there for every channel whose name has room for it", () => {
  assertEquals(presenceChannel("room:1"), "$presence/room:1");
  assertEquals(presenceOf("$presence/room:1"), "room:1");
  assertEquals(presenceChannel("x".repeat(118)), `$presence/${"x".repeat(118)}`);
  assertEquals(presenceChannel("x".repeat(121)), undefined);
  assertEquals(presenceOf("room:1"), undefined);
});
