import { assertEquals, assertThrows } from "@std/assert";
import { type FlagSpec, parseFlags, UsageError } from "../lib/flags.ts";

const SPEC: FlagSpec = {
  text: ["channel", "max-message"],
  list: ["header"],
  boolean: ["insecure", "echo"],
  short: { k: "insecure" },
  most: 1,
};

function parse(...args: string[]) {
  const { text, list, boolean, rest } = parseFlags(args, SPEC);
  return { ...Object.fromEntries([...text, ...list, ...boolean]), rest };
}

Deno.test("parseFlags() leaves out what was not given", () => {
  assertEquals(parse(), { rest: [] });
});

Deno.test("parseFlags() reads values after a space and after =, short names, and what follows --", () => {
  assertEquals(parse("--channel", "news", "--header=a", "--header", "b", "-k", "word"), {
    channel: "news",
    header: ["a", "b"],
    insecure: true,
    rest: ["word"],
  });
  assertEquals(parse("--", "--channel"), { rest: ["--channel"] });
});

Deno.test("parseFlags() keeps values as text: numbers, dots and prototypes included", () => {
  assertEquals(parse("--channel", "007", "--header=a.b=c", "12"), { channel: "007", header: ["a.b=c"], rest: ["12"] });
  assertEquals(parse("--channel=__proto__"), { channel: "__proto__", rest: [] });
});

Deno.test("parseFlags() takes --no-NAME, =true and =false for a boolean, and refuses any other value", () => {
  assertEquals(parse("--no-echo", "--insecure=false"), { echo: false, insecure: false, rest: [] });
  assertEquals(parse("--echo=true"), { echo: true, rest: [] });
  assertThrows(() => parse("--echo=flase"), UsageError, "--echo=flase: the value is either true or false");
});

Deno.test("parseFlags() names an unknown flag and the nearest, but not its value", () => {
  const error = assertThrows(() => parse("--chanel=hunter2"), UsageError);
  assertEquals(error.message, "--chanel: there is no such flag; the nearest is --channel");
  for (const flag of ["--maxMessage", "--max_message", "--MAX-MESSAGE", "--max-msg"]) {
    assertThrows(() => parse(flag, "1"), UsageError, "the nearest is --max-message");
  }
  for (const flag of ["--__proto__", "--constructor", "--no-channel", "-x", "--5"]) {
    assertThrows(() => parse(flag), UsageError, "there is no such flag");
  }
});

Deno.test("parseFlags() tells a missing value from an empty one", () => {
  assertEquals(parse("--channel="), { channel: "", rest: [] });
  assertThrows(() => parse("--channel"), UsageError, "--channel: a value is missing");
  assertThrows(() => parse("--channel", "--echo"), UsageError, "--channel: a value is missing");
  assertThrows(() => parse("--header"), UsageError, "--header: a value is missing");
});

Deno.test("parseFlags() refuses more arguments than expected, those after -- included", () => {
  assertThrows(() => parse("one", "two"), UsageError, '"two": an argument too many; 1 may be expected');
  assertThrows(() => parse("one", "--", "two"), UsageError, '"two"');
});

Deno.test("parseFlags() takes a lone dash for a value, and leaves it alone where no flag wants one", () => {
  const flags = parseFlags(["--file", "-", "--echo", "-", "--", "--file", "-"], {
    text: ["file"],
    boolean: ["echo"],
    most: 3,
  });
  assertEquals([flags.text.get("file"), flags.rest], ["-", ["-", "--file", "-"]]);
});
