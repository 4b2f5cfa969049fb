import { assert, assertEquals, assertThrows } from "@std/assert";
import { compileGlobs, isChannelName, isGlob, isReserved } from "../lib/globs.ts";
import { seeded } from "./support/random.ts";

Deno.test("isChannelName() accepts what the grammar has and nothing else", () => {
  for (const name of ["a", "broadcast", "room:42", "a/b.c_d%20~=+!-", "$admin", "$user/7", "x".repeat(128)]) {
    assert(isChannelName(name), name);
  }
  const wrong = [
    "",
    "$",
    "a b",
    "a,b",
    "a@b",
    "a*",
    "a$b",
    "$$a",
    "ü",
    "a\n",
    "\na",
    "a\0",
    "x".repeat(129),
    "$" + "x".repeat(128),
  ];
  for (const name of wrong) assert(!isChannelName(name), JSON.stringify(name));
});

Deno.test("isReserved() is true for names that begin with a dollar sign", () => {
  assert(isReserved("$admin"));
  assert(!isReserved("admin$"));
});

Deno.test("compileGlobs() matches whole names, `*` being any run of characters", () => {
  const table: [pattern: string, name: string, matches: boolean][] = [
    ["news", "news", true],
    ["news", "news2", false],
    ["news", "new", false],
    ["News", "news", false],
    ["*", "anything/at:all", true],
    ["news:*", "news:", true],
    ["news:*", "news:sport/1", true],
    ["news:*", "news", false],
    ["*:x", "a:b:x", true],
    ["a*b*c", "abc", true],
    ["a*b*c", "aXbYbZc", true],
    ["a*b*c", "acb", false],
    ["**", "a", true],
    ["a.b", "aXb", false],
    ["*aab", "aaaaab", true],
    ["a+", "aa", false],
  ];
  for (const [pattern, name, expected] of table) {
    assertEquals(compileGlobs([pattern])(name), expected, `${pattern} on ${name}`);
  }
});

Deno.test("compileGlobs() matches when one of several patterns does, and never when there is none", () => {
  const match = compileGlobs(["broadcast", "news:*", "*:open"]);
  assertEquals(["broadcast", "news:1", "a:open", "other"].map(match), [true, true, true, false]);
  assertEquals(compileGlobs([])("broadcast"), false);
});

Deno.test("compileGlobs() opens reserved names only to patterns that begin with a dollar sign", () => {
  for (const pattern of ["*", "*admin", "**"]) assertEquals(compileGlobs([pattern])("$admin"), false, pattern);
  assertEquals(compileGlobs(["$*"])("$admin"), true);
  assertEquals(compileGlobs(["$user/*"])("$user/7"), true);
  assertEquals(compileGlobs(["$*"])("admin"), false);
});

Deno.test("compileGlobs() refuses a pattern that no channel could match", () => {
  for (const pattern of ["", "a b", "a?b,", "[a-z]", "a\\*", "a$*", "x".repeat(129)]) {
    assert(!isGlob(pattern), pattern);
    assertThrows(() => compileGlobs(["fine", pattern]), SyntaxError, JSON.stringify(pattern));
  }
});

Deno.test("compileGlobs() agrees with a plain recursive definition on random patterns and names", () => {
  const random = seeded(1);
  function defined(glob: string, name: string): boolean {
    if (glob === "") return name === "";
    if (glob[0] !== "*") return name !== "" && glob[0] === name[0] && defined(glob.slice(1), name.slice(1));
    return defined(glob.slice(1), name) || (name !== "" && defined(glob, name.slice(1)));
  }
  let matched = 0;
  for (let round = 0; round < 5_000; round++) {
    const glob = random.text(["a", "b", "*"], 6);
    const name = random.text(["a", "b"], 8);
    if (glob === "" || name === "") continue;
    const expected = defined(glob, name);
    matched += Number(expected);
    assertEquals(compileGlobs([glob])(name), expected, `${glob} on ${name}`);
  }
  assert(matched > 500, `only ${matched} matched`);
});

Deno.test("compileGlobs() takes time bounded by name times pattern on the pattern that makes backtracking explode", () => {
  const match = compileGlobs(["a*".repeat(63) + "b"]);
  const started = performance.now();
  for (let round = 0; round < 100; round++) assertEquals(match("a".repeat(128)), false);
  assert(performance.now() - started < 1_000);
});
