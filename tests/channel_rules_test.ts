import { assertEquals, assertThrows } from "@std/assert";
import { compileHistory, compilePresence } from "../lib/channel_rules.ts";

const plain = { historyCount: 10, historyBytes: 1000, historyAge: 60 };

Deno.test("compileHistory() takes the first rule that matches, and what it does not say from the plain settings", () => {
  const rule = ["room:lobby", "room:* count=2 age=1h", "room:big bytes=1MiB", "* bytes=2KiB", "$user/* count=5"];
  const limitsOf = compileHistory({ ...plain, rule });
  assertEquals(limitsOf("room:lobby"), { count: 10, bytes: 1000, age: 60 });
  assertEquals(limitsOf("room:big"), { count: 2, bytes: 1000, age: 3600 });
  assertEquals(limitsOf("news"), { count: 10, bytes: 2048, age: 60 });
  assertEquals(limitsOf("$user/7"), { count: 5, bytes: 1000, age: 60 });
  assertEquals(limitsOf("$other"), { count: 10, bytes: 1000, age: 60 }, "* matches nothing that is reserved");
});

Deno.test("compileHistory() refuses what --rule would", () => {
  assertThrows(() => compileHistory({ ...plain, rule: ["a", "b count=x"] }), SyntaxError, "whole number");
});

Deno.test("compilePresence() takes the first rule that matches, and is off where that says nothing", () => {
  const rule = ["room:lobby", "room:* presence=joins", "quiet presence=on", "* count=1"];
  const presenceOf = compilePresence({ rule });
  const channels = ["room:lobby", "room:1", "quiet", "news", "$user/7", "$presence/room:1"];
  assertEquals(channels.map(presenceOf), ["off", "joins", "on", "off", "off", "off"]);
  assertEquals(compilePresence({ rule: ["* count=1", "a presence=off"] })("a"), "off");
  assertThrows(() => compilePresence({ rule: ["a presence=maybe"] }), SyntaxError);
});
