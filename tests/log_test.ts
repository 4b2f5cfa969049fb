import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { configureLog, createLogger, type LogOptions } from "../lib/log.ts";
import { formatJson, formatPretty, type LogEvent, MAX_VALUE } from "../lib/log/format.ts";

const HOSTILE = "a\nb\r\u001b[31m\u0007\u009b\u2028\u202e\u007f";

function event(fields: Record<string, unknown>, rest: Partial<LogEvent> = {}): LogEvent {
  return { time: 1_790_000_000_000, level: "info", part: "edge", event: "session.open", fields, ...rest };
}

function parsed(fields: Record<string, unknown>, rest: Partial<LogEvent> = {}): Record<string, unknown> {
  return JSON.parse(formatJson(event(fields, rest)));
}

async function capture(options: Partial<LogOptions> = {}): Promise<string[]> {
  const lines: string[] = [];
  await configureLog({ level: "info", format: "json", terminal: false, write: (line) => lines.push(line), ...options });
  return lines;
}

/** Everything outside printable ASCII, but for the line end that ends the line. */
function active(line: string): string[] {
  assert(line.endsWith("\n"));
  return line.slice(0, -1).match(/[^\x20-\x7e]/g) ?? [];
}

Deno.test("formatJson() gives one line of JSON with time, level, part, name and fields in this order", () => {
  assertEquals(
    formatJson(event({ session: "s1", code: 1001, ok: true, none: null })),
    '{"time":"2026-09-21T14:13:20.000Z","level":"info","part":"edge","event":"session.open",' +
      '"session":"s1","code":1001,"ok":true,"none":null}\n',
  );
});

Deno.test("formatJson() and formatPretty() let no control character through, in values, names or events", () => {
  const hostile = event({ value: HOSTILE, [HOSTILE]: 1, nested: { [HOSTILE]: [HOSTILE] } }, { event: HOSTILE });
  assertEquals(active(formatJson(hostile)), []);
  assertEquals(active(formatPretty(hostile, { colors: false })), []);
  // Escaped, not lost: the reader of JSON gets what the client sent.
  assertEquals(JSON.parse(formatJson(hostile)).value, HOSTILE);
});

Deno.test("formatPretty() paints with colours, and a value cannot paint itself", () => {
  const line = formatPretty(event({ value: "\u001b[31mred" }), { colors: true });
  assertStringIncludes(line, '"\\u001b[31mred"');
});

Deno.test("formatPretty() shows plain values bare and quotes what could be taken for two", () => {
  const line = formatPretty(event({ address: "2001:db8::/64", agent: "a b=c", list: ["x", 1] }), { colors: false });
  assertMatch(
    line,
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}edge session\.open address=2001:db8::\/64 agent="a b=c" list=\["x",1\]\n$/,
  );
});

Deno.test("formatJson() hides what is named like a secret, at any depth, unless the event is debug", () => {
  const fields = {
    key: "S1",
    token: "S2",
    authorization: "S3",
    cookie: "S4",
    data: "S5",
    apiKey: "S6",
    "X-API-Key": "S7",
    set_cookie: "S8",
    headers: { Authorization: "S9", list: [{ accessToken: "S10" }] },
    keyboard: "shown",
    metadata: "shown too",
  };
  for (const level of ["info", "warning", "error"] as const) {
    const line = formatJson(event(fields, { level }));
    assertEquals(line.match(/S\d+/g), null);
    assertStringIncludes(line, '"keyboard":"shown"');
    assertStringIncludes(line, '"metadata":"shown too"');
  }
  assertEquals(formatJson(event(fields, { level: "debug" })).match(/S\d+/g)?.length, 10);
});

Deno.test("formatJson() bounds the length of a value, the number of items and the depth", () => {
  const long = parsed({ text: "x".repeat(100_000), list: Array(1000).fill(1) });
  assertEquals(long.text, `${"x".repeat(MAX_VALUE)}... (100000 in all)`);
  assertEquals((long.list as unknown[]).length, 32);
  const loop: Record<string, unknown> = {};
  loop.loop = loop;
  assertStringIncludes(formatJson(event({ loop })), "[...]");
  assert(formatPretty(event({ list: Array(32).fill("y".repeat(500)) }), { colors: false }).length < 2 * MAX_VALUE);
});

Deno.test("formatJson() describes errors with their causes, and counts bytes instead of printing them", () => {
  const error = new Error("outer", { cause: new TypeError("inner") });
  const line = parsed({ error, bytes: new Uint8Array(7), huge: 10n, odd: NaN, none: undefined });
  assertMatch(String(line.error), /^Error: outer\n[\s\S]*caused by TypeError: inner/);
  assertEquals([line.bytes, line.huge, line.odd, "none" in line], ["[7 bytes]", "10", "NaN", false]);
});

Deno.test("formatJson() keeps a field from replacing the level, the part, the time or the name", () => {
  const line = parsed({ level: "error", event: "fake", time: 0, part: "x" });
  assertEquals([line.level, line.event, line.part], ["info", "session.open", "edge"]);
  assertEquals([line.field_level, line.field_event, line.field_time], ["error", "fake", 0]);
});

Deno.test("createLogger() writes one event in one write, with the fields of with() and its own", async () => {
  const lines = await capture();
  const log = createLogger("hub").with({ edge: 1, session: "s1" });
  log.info("session.open", { session: "s2" });
  log.warning("with {braces} in it");
  assertEquals(lines.length, 2);
  const first = JSON.parse(lines[0]!);
  assertEquals([first.part, first.event, first.edge, first.session], ["hub", "session.open", 1, "s2"]);
  assertEquals(JSON.parse(lines[1]!).event, "with {braces} in it");
});

Deno.test("configureLog() drops what is below the level, and a later call replaces the earlier", async () => {
  const first = await capture({ level: "warning" });
  const log = createLogger("hub");
  log.debug("a");
  log.info("b");
  log.warning("c");
  log.error("d");
  assertEquals(first.map((line) => JSON.parse(line).event), ["c", "d"]);
  const second = await capture({ level: "debug" });
  log.debug("e");
  assertEquals([first.length, second.length], [2, 1]);
});

Deno.test("configureLog() writes pretty on a terminal and JSON otherwise, unless the format is given", async () => {
  const cases = [
    { format: "auto", terminal: true, json: false },
    { format: "auto", terminal: false, json: true },
    { format: "json", terminal: true, json: true },
    { format: "pretty", terminal: false, json: false },
  ] as const;
  for (const { json, ...options } of cases) {
    const lines = await capture(options);
    createLogger("hub").info("x");
    assertEquals(lines[0]!.startsWith("{"), json, JSON.stringify(options));
  }
});

Deno.test("configureLog() works in a worker, and whole lines of two isolates reach standard error unmixed", async () => {
  const module = new URL("../lib/log.ts", import.meta.url).href;
  const source = `
    import { configureLog, createLogger } from "${module}";
    await configureLog({ level: "info", format: "json" });
    const log = createLogger(globalThis.name || "main");
    for (let i = 0; i < 200; i++) log.info("tick", { i, filler: "z".repeat(400) });
  `;
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/work.ts`, `${source}\nself.postMessage("done");`);
  await Deno.writeTextFile(
    `${dir}/main.ts`,
    `const worker = new Worker("file://${dir}/work.ts", { type: "module", name: "edge" });
     const done = new Promise((resolve) => worker.onmessage = resolve);
     ${source}
     await done;
     worker.terminate();`,
  );
  const config = new URL("../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", "--quiet", "--config", config, `${dir}/main.ts`],
    stderr: "piped",
  });
  const { code, stderr } = await child.output();
  await Deno.remove(dir, { recursive: true });
  const lines = new TextDecoder().decode(stderr).trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(code, 0);
  for (const part of ["edge", "main"]) {
    assertEquals(lines.filter((line) => line.part === part).map((line) => line.i), [...Array(200).keys()]);
  }
});
