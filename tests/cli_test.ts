import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import manifest from "../deno.json" with { type: "json" };
import { check } from "../lib/cli/check.ts";
import type { Io } from "../lib/cli/command.ts";
import { run } from "../lib/cli/mod.ts";
import { type Parts, serve } from "../lib/cli/serve.ts";
import { type Config, ConfigError } from "../lib/config.ts";

const SECRET = "0123456789abcdef";

interface World {
  readonly io: Io;
  out(): string;
  err(): string;
}

function world(options: { terminal?: boolean; env?: Record<string, string> } = {}): World {
  const { terminal = false, env = {} } = options;
  const printed = { out: "", err: "" };
  const io: Io = {
    stdin: new ReadableStream(),
    stdout: (text) => printed.out += text,
    stderr: (text) => printed.err += text,
    terminal,
    interactive: false,
    env: { get: (name) => env[name], toObject: () => env },
  };
  return { io, out: () => printed.out, err: () => printed.err };
}

async function ran(args: string[], options = {}): Promise<{ code: number; out: string; err: string }> {
  const { io, out, err } = world(options);
  const code = await run(args, io);
  return { code, out: out(), err: err() };
}

Deno.test("run() without a command prints the help on standard error and returns 2", async () => {
  const { code, out, err } = await ran([]);
  assertEquals([code, out], [2, ""]);
  for (const name of ["serve", "check", "token", "console", "publish", "bench"]) {
    assertMatch(err, new RegExp(`^  gong ${name} +[A-Z]`, "m"));
  }
});

Deno.test("run() prints help and version on standard output and returns 0", async () => {
  const help = await ran(["--help"]);
  assertEquals([help.code, help.err], [0, ""]);
  assertEquals(help.out, (await ran([])).err);
  assertEquals((await ran(["-h"])).out, help.out);
  assertEquals(await ran(["--version"]), { code: 0, out: `gong ${manifest.version}\n`, err: "" });
});

Deno.test("run() prints the help of each command, wherever --help stands before --", async () => {
  for (const name of ["serve", "check", "token", "console", "publish", "bench"]) {
    const { code, out, err } = await ran([name, "--help"]);
    assertEquals([code, err], [0, ""], name);
    assertMatch(out, new RegExp(`gong ${name}`));
    assert(out.endsWith("\n"));
  }
  assertStringIncludes((await ran(["serve", "--prot", "-h"])).out, "--port N");
  assertEquals((await ran(["serve", "--", "--help"])).code, 2);
});

Deno.test("run() names what is wrong with a command line and the nearest right one, and returns 2", async () => {
  const cases: [string[], string][] = [
    [["serv"], "gong: serv: there is no such command; the nearest is serve\nSee gong --help\n"],
    [["Publsh"], "gong: Publsh: there is no such command; the nearest is publish\nSee gong --help\n"],
    [["--hepl"], "gong: --hepl: there is no such flag; the nearest is --help\nSee gong --help\n"],
    [["--port=1"], "gong: --port: a flag stands after its command: gong serve --port ...\nSee gong --help\n"],
    [["serve", "--prot"], "gong: --prot: there is no such flag; the nearest is --port\nSee gong serve --help\n"],
    [["check", "--port", "x"], 'gong: --port "x": expected a whole number\nSee gong check --help\n'],
  ];
  for (const [args, err] of cases) assertEquals(await ran(args), { code: 2, out: "", err });
  assertEquals((await ran(["__proto__"])).code, 2);
});

Deno.test("run() finds a wrong variable before anything is started", async () => {
  const { code, err } = await ran(["serve"], { env: { GONG_PROT: "1" } });
  assertEquals(code, 2);
  assertStringIncludes(err, "GONG_PROT: there is no such setting; the nearest is GONG_PORT");
});

Deno.test("check() prints each setting with where it came from, secrets masked", async () => {
  const env = { GONG_API_KEY: `app:publish:${SECRET}`, GONG_MAX_MESSAGE: "128KiB" };
  const { code, out, err } = await ran(["check", "--port", "0", "--path=/ws", "--dev"], { env });
  assertEquals([code, err], [0, ""]);
  const lines = new Map(
    out.trimEnd().split("\n").map((line) => {
      const [name = "", value, source] = line.split(/ {2,}/);
      return [name, [value, source]];
    }),
  );
  assertEquals(lines.get("--port"), ["0", "--port"]);
  assertEquals(lines.get("--path"), ["/push,/ws", "--path"]);
  assertEquals(lines.get("--max-message"), ["128KiB", "GONG_MAX_MESSAGE"]);
  assertEquals(lines.get("--api-key"), ["app:publish:***", "GONG_API_KEY"]);
  assertEquals(lines.get("--host"), ["127.0.0.1", "default"]);
  assertEquals(lines.get("--public-url"), ["none", "default"]);
  assert(!out.includes(SECRET));
});

Deno.test("check() says that a value has no source but the default when nothing is set", async () => {
  const { io, out } = world();
  assertEquals(await check([], io), 0);
  assert(out().trimEnd().split("\n").every((line) => line.endsWith("  default")));
});

Deno.test("check() shows the sizes of the broker's files", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    const { io, out } = world();
    assertEquals(await check(["--broker", `sqlite:${dir}/gong.db`], io), 0);
    assert(!out().includes(" bytes\n"), "there is none yet");
    Deno.writeFileSync(`${dir}/gong.db`, new Uint8Array(4096));
    Deno.writeFileSync(`${dir}/gong.db-wal`, new Uint8Array(77));
    assertEquals(await check(["--broker", `sqlite:${dir}/gong.db`], io), 0);
    assert(out().endsWith(`${dir}/gong.db has 4096 bytes\n${dir}/gong.db-wal has 77 bytes\n`), out());
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

/** A server that runs until told otherwise, and the hands that steer it. */
function stage(options: { start?: Parts["start"] } = {}) {
  const finished = Promise.withResolvers<number>();
  const started = Promise.withResolvers<Config>();
  const events: string[] = [];
  const handlers = new Set<(signal: string, code: number) => void>();
  const parts: Parts = {
    start: options.start ?? ((config) => {
      started.resolve(config);
      return Promise.resolve({
        url: "http://127.0.0.1:4711",
        port: 4711,
        finished: finished.promise,
        reload: (config) => Promise.resolve({ config, changed: [], needRestart: [] }),
        shutdown: () => {
          events.push("shutdown");
          return Promise.resolve();
        },
      });
    }),
    signals: {
      listen(handler) {
        handlers.add(handler);
        return () => handlers.delete(handler);
      },
      listenReload: () => () => {},
    },
    exit: (code) => events.push(`exit ${code}`),
  };
  const signal = (name: string, code: number) => handlers.forEach((handler) => handler(name, code));
  return { parts, events, finished, started: started.promise, signal, listeners: () => handlers.size };
}

Deno.test("serve() prints one line of JSON when ready, and returns the code the server ends with", async () => {
  const { parts, finished, started, listeners } = stage();
  const { io, out } = world();
  const code = serve(["--dev", "--port", "0", "--isolates", "2"], io, parts);
  await started;
  finished.resolve(3);
  assertEquals(await code, 3);
  assertEquals(out().split("\n").length, 2);
  assertEquals(JSON.parse(out()), {
    event: "ready",
    url: "http://127.0.0.1:4711",
    port: 4711,
    pid: Deno.pid,
    isolates: 2,
    version: manifest.version,
    dev: true,
  });
  assertEquals(listeners(), 0);
});

Deno.test("serve() shuts down on the first signal and exits at once on the second", async () => {
  const { parts, events, finished, started, signal } = stage();
  const code = serve(["--dev", "--log-level", "error"], world().io, parts);
  await started;
  await Promise.resolve();
  signal("SIGTERM", 143);
  assertEquals(events, ["shutdown"]);
  signal("SIGINT", 130);
  assertEquals(events, ["shutdown", "exit 130"]);
  finished.resolve(0);
  assertEquals(await code, 0);
});

Deno.test("serve() exits at once on a signal that comes before it is ready", async () => {
  const gate = Promise.withResolvers<never>();
  const { parts, events, signal } = stage({ start: () => gate.promise });
  const entered = Promise.withResolvers<void>();
  const watched: Parts = { ...parts, start: (...given) => (entered.resolve(), parts.start(...given)) };
  const code = serve(["--dev", "--log-level", "error"], world().io, watched);
  await entered.promise;
  signal("SIGINT", 130);
  assertEquals(events, ["exit 130"]);
  gate.reject(new Error("interrupted"));
  await assertRejects(() => code, Error, "interrupted");
});

Deno.test("serve() exits with 1 when the shutdown fails", async () => {
  const { parts, events, finished, started, signal } = stage();
  const failing: Parts = {
    ...parts,
    start: async (...given) => ({
      ...await parts.start(...given),
      shutdown: () => Promise.reject(new Error("stuck")),
    }),
  };
  const { io, err } = world();
  const exited = Promise.withResolvers<void>();
  const code = serve(["--dev"], io, {
    ...failing,
    exit: (status) => {
      events.push(`exit ${status}`);
      exited.resolve();
    },
  });
  await started;
  await Promise.resolve();
  await Promise.resolve();
  signal("SIGTERM", 143);
  await exited.promise;
  assertEquals(events, ["exit 1"]);
  assertStringIncludes(err(), "stuck");
  finished.resolve(0);
  await code;
});

/** Serves until ready; what was printed, and the configuration the server got. */
async function served(args: string[], options: { terminal?: boolean; env?: Record<string, string> } = {}) {
  const { parts, finished, started } = stage();
  const { io, out, err } = world(options);
  const code = serve(args, io, parts);
  const config = await started;
  finished.resolve(0);
  await code;
  return { config, out: out(), err: err() };
}

Deno.test("serve() makes a key when none is set, and shows it once, on a terminal only", async () => {
  const shown = await served([], { terminal: true });
  const [key = ""] = shown.config.apiKey;
  assertMatch(key, /^[\w-]{43}$/);
  assertEquals(shown.err.split(key).length, 2);
  assert(!shown.out.includes(key));
  assert(Object.isFrozen(shown.config) && Object.isFrozen(shown.config.apiKey));

  const hidden = await served([]);
  const [other = ""] = hidden.config.apiKey;
  assert(other.length === 43 && other !== key);
  assert(!(hidden.err + hidden.out).includes(other));
  const line = JSON.parse(hidden.err.trim());
  assertEquals([line.level, line.event], ["warning", "server.no_key"]);
  assertStringIncludes(line.hint, "--api-key-file");
});

Deno.test("serve() neither makes nor shows a key when one is set, or with --dev", async () => {
  const set = await served([], { terminal: true, env: { GONG_API_KEY: SECRET } });
  assertEquals(set.config.apiKey, [SECRET]);
  assert(!(set.err + set.out).includes(SECRET));
  assertEquals((await served(["--dev"], { terminal: true })).config.apiKey, []);
});

Deno.test("serve() says on standard error that --dev opens everything", async () => {
  assertStringIncludes(
    (await served(["--dev"], { terminal: true })).err,
    "gong: everybody who reaches this server may",
  );
  const line = JSON.parse((await served(["--dev"])).err.trim());
  assertEquals([line.level, line.event], ["warning", "server.open"]);
});

Deno.test("serve() returns 1 with a sentence when the port is in use", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const { parts, listeners } = stage({
    start: (config) => {
      Deno.listen({ hostname: config.host, port: config.port });
      throw new Error("the port was free");
    },
  });
  const { io, out, err } = world({ terminal: true });
  assertEquals(await serve(["--dev", "--port", String(port)], io, parts), 1);
  assertEquals([out(), listeners()], ["", 0]);
  assertStringIncludes(err(), `gong: port ${port} is in use on 127.0.0.1, by another Gong or another program; --port `);
});

Deno.test("serve() returns 1 with a sentence when the address is not of this machine", async () => {
  const { parts } = stage({ start: () => Promise.reject(new Deno.errors.AddrNotAvailable()) });
  const { io, err } = world({ terminal: true });
  assertEquals(await serve(["--host", "192.0.2.1"], io, parts), 1);
  assertStringIncludes(err(), "gong: 192.0.2.1 is no address of this machine; see --host\n");
});

Deno.test("serve() throws for a wrong configuration before anything starts", async () => {
  const { parts, listeners } = stage({ start: () => Promise.reject(new Error("started")) });
  await assertRejects(() => serve(["--dev", "--host", "0.0.0.0"], world().io, parts), ConfigError, "--dev-remote");
  assertEquals(listeners(), 0);
});

const ROOT = new URL("../", import.meta.url).pathname;

function spawn(code: string): Deno.ChildProcess {
  const data = `data:application/typescript,${encodeURIComponent(code)}`;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", "--quiet", "--config", `${ROOT}deno.json`, data],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

/** `serve` with real signals and a server that ends `after` its shutdown was asked for, or never. */
function server(after: "at once" | "never"): string {
  return `
    import { serve } from "file://${ROOT}lib/cli/serve.ts";
    import { openIo } from "file://${ROOT}lib/cli/io.ts";
    import { openSignals } from "file://${ROOT}lib/cli/signals.ts";
    const finished = Promise.withResolvers();
    setInterval(() => {}, 1000);
    const running = {
      url: "", port: 1, finished: finished.promise,
      shutdown: async () => {
        console.log("stopping");
        if ("${after}" === "at once") finished.resolve(0);
      },
    };
    const parts = { start: async () => running, signals: openSignals(), exit: Deno.exit };
    Deno.exit(await serve(["--dev"], openIo(), parts));`;
}

async function* lines(child: Deno.ChildProcess): AsyncGenerator<string> {
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

Deno.test(
  { name: "serve() ends with 0 on a real SIGTERM or SIGINT", ignore: Deno.build.os === "windows" },
  async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const child = spawn(server("at once"));
      const output = lines(child);
      assertStringIncludes((await output.next()).value ?? "", '"event":"ready"');
      child.kill(signal);
      for await (const _ of output);
      assertEquals((await child.status).code, 0);
    }
  },
);

Deno.test(
  { name: "serve() exits with 143 or 130 on a second signal", ignore: Deno.build.os === "windows" },
  async () => {
    for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
      const child = spawn(server("never"));
      const output = lines(child);
      await output.next();
      child.kill("SIGTERM");
      assertEquals((await output.next()).value, "stopping");
      child.kill(signal);
      for await (const _ of output);
      assertEquals((await child.status).code, code);
    }
  },
);

Deno.test("run() ends quietly when nobody reads its output any more", async () => {
  const code = `
    import { run } from "file://${ROOT}lib/cli/mod.ts";
    import { openIo } from "file://${ROOT}lib/cli/io.ts";
    const io = openIo();
    let errors = "";
    await Deno.stdin.readable.getReader().read();
    const code = await run(["--version"], { ...io, stdout: io.stdout, stderr: (text) => errors += text });
    Deno.exit(errors === "" ? 40 + code : 50);`;
  const data = `data:application/typescript,${encodeURIComponent(code)}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", "--quiet", "--config", `${ROOT}deno.json`, data],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  await child.stdout.cancel();
  await child.stdin.close();
  assertEquals((await child.status).code, 41);
});
