import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { runConsole } from "../../lib/cli/console.ts";
import { UsageError } from "../../lib/flags.ts";
import { OPCODE } from "../support/frames.ts";
import { CERTIFICATES, closeFrame, Peer, serverFrame, type Visit } from "./peer.ts";
import { World, type WorldOptions } from "./world.ts";

/** Runs the console against `serve`. */
async function converse(
  serve: (visit: Visit) => Promise<void>,
  options: WorldOptions,
  args: readonly string[] = [],
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using peer = new Peer(serve);
  const world = new World(options);
  const code = await runConsole([`ws://127.0.0.1:${peer.port}`, ...args], world.io, world.signals);
  assert(!world.listening, "signals are listened for after the end");
  return { code, stdout: world.stdout, stderr: world.stderr };
}

/** Consents, and resolves `texts` to what was published by the end. */
function recorder(): { serve: (visit: Visit) => Promise<void>; texts: Promise<string[]> } {
  const { promise, resolve } = Promise.withResolvers<string[]>();
  return {
    texts: promise,
    async serve(visit) {
      await visit.accept();
      const frames = await visit.serveToClose();
      resolve(frames.filter(({ opcode }) => opcode === OPCODE.text).map(({ text }) => text));
    },
  };
}

Deno.test("gong console publishes what is piped in, asks whether it was read, closes with 1000 and exits 0", async () => {
  let opcodes: number[] = [];
  let last = "";
  const ended = await converse(async (visit) => {
    await visit.accept();
    const frames = await visit.serveToClose();
    opcodes = frames.map(({ opcode }) => opcode);
    last = frames.at(-1)!.text;
  }, { input: "hello\n" });
  assertEquals(opcodes, [OPCODE.text, OPCODE.ping, OPCODE.close]);
  assertEquals(last, "\x03\u{fffd}", "the payload of 1000");
  assertEquals(ended, { code: 0, stdout: "hello\n", stderr: "" });
});

/** Consents, takes one line and one ping, answers the ping, and goes on with `more`. */
async function answerPing(visit: Visit, more: (visit: Visit) => Promise<unknown>): Promise<void> {
  await visit.accept();
  const { payload } = await visit.connection.readFrameOf(OPCODE.ping);
  await visit.connection.write(serverFrame(OPCODE.pong, payload));
  await more(visit);
}

Deno.test("gong console waits in a pipe for its last line to come back", async () => {
  const ended = await converse((visit) =>
    answerPing(visit, async () => {
      await visit.connection.write(serverFrame(OPCODE.text, "hello"));
      const [first] = await visit.serveToClose();
      assertEquals(first?.opcode, OPCODE.close);
    }), { input: "hello\n" });
  assertEquals(ended, { code: 0, stdout: "hello\n", stderr: "" });
});

Deno.test("gong console notices in a pipe that its last line was refused after it was read", async () => {
  const { code, stderr } = await converse((visit) =>
    answerPing(visit, async () => {
      await visit.connection.write(closeFrame(1013, "busy"));
      await visit.connection.readToEnd();
    }), { input: "hello\n" });
  assertEquals({ code, stderr }, { code: 1, stderr: "closed by the server: 1013 busy\n" });
});

Deno.test("gong console waits but a while for a server that sends nothing back", async () => {
  const start = performance.now();
  const ended = await converse((visit) => answerPing(visit, () => visit.serveToClose()), { input: "hello\n" });
  assertEquals(ended, { code: 0, stdout: "", stderr: "" });
  const took = performance.now() - start;
  assert(took >= 400 && took < 5000, `${took} ms`);
});

Deno.test("gong console masks its frames with a mask of their own (RFC 6455 section 5.3)", async () => {
  const masks = new Set<string>();
  await converse(
    async (visit) => {
      await visit.accept();
      const bytes = await visit.connection.readToEnd();
      // Two texts of one byte: header of 2, mask of 4, payload of 1.
      for (const start of [0, 7]) {
        assertEquals([...bytes.subarray(start, start + 2)], [0x81, 0x81]);
        masks.add(bytes.subarray(start + 2, start + 6).join());
      }
    },
    { input: "a\na\n" },
    ["--timeout", "3s"],
  );
  assertEquals(masks.size, 2);
});

Deno.test("gong console takes lines that end in CR LF, an unended last line, and leaves out empty ones", async () => {
  const { serve, texts } = recorder();
  await converse(serve, { input: "one\r\n\ntwo\n\r\nthree ü" });
  assertEquals(await texts, ["one", "two", "three ü"]);
});

Deno.test("gong console publishes a word that a backslash stands before", async () => {
  const { serve, texts } = recorder();
  await converse(serve, { input: "\\ping\n\\\\ping\n\\\n ping\nquit now\n" });
  assertEquals(await texts, ["ping", "\\ping", "", " ping", "quit now"]);
});

Deno.test("gong console --literal publishes every line as it is", async () => {
  const { serve, texts } = recorder();
  await converse(serve, { input: "ping\n\n\\close\nquit\n" }, ["--literal"]);
  assertEquals(await texts, ["ping", "", "\\close", "quit"]);
});

Deno.test("gong console sends a ping frame for the word ping, and tells the time to its pong", async () => {
  const { serve, texts } = recorder();
  const { code, stdout, stderr } = await converse(serve, { input: "ping\nquit\nnot read\n" });
  assertMatch(stderr, /^pong: \d+(\.\d\d)? ms\n$/);
  assertEquals({ code, stdout, texts: await texts }, { code: 0, stdout: "", texts: [] });
});

Deno.test("gong console counts only the pong to its own ping", async () => {
  const { stderr } = await converse(
    async (visit) => {
      await visit.accept();
      await visit.connection.write(serverFrame(OPCODE.pong, "unasked"));
      await visit.connection.readFrameOf(OPCODE.close);
      await visit.connection.write(closeFrame(1000));
    },
    { input: "ping\nquit\n" },
    ["--timeout", "3s"],
  );
  assertEquals(stderr, "no pong within 3 s\n");
});

Deno.test("gong console answers the server's ping", async () => {
  let pongs: string[] = [];
  const { code } = await converse(async (visit) => {
    await visit.accept(serverFrame(OPCODE.ping, "are you there"));
    pongs = (await visit.serveToClose()).filter(({ opcode }) => opcode === OPCODE.pong).map(({ text }) => text);
  }, { input: "hello\n" });
  assertEquals(pongs, ["are you there"]);
  assertEquals(code, 0);
});

Deno.test("gong console tells the code that came back for the word close", async () => {
  const { code, stderr } = await converse(recorder().serve, { input: "close\n" });
  assertEquals({ code, stderr }, { code: 0, stderr: "closed: 1000\n" });
});

Deno.test("gong console shows its words for the word help", async () => {
  const { stderr } = await converse(recorder().serve, { input: "help\n" });
  for (const word of ["ping", "close", "quit", "\\ping"]) assertStringIncludes(stderr, word);
});

Deno.test("gong console prints texts on one line each, with control characters made visible", async () => {
  const { stdout } = await converse(async (visit) => {
    await visit.accept();
    for (const text of ["plain ü 🔔", "two\nlines\r", "\x1b]0;title\x07\x1b[31mred", "a\u202eb\u0085c\tend"]) {
      await visit.connection.write(serverFrame(OPCODE.text, text));
    }
    await visit.serveToClose();
  }, { input: "" });
  assertEquals(
    stdout,
    "plain ü 🔔\ntwo\\nlines\\r\n\\x1b]0;title\\x07\\x1b[31mred\na\\u202eb\\x85c\tend\n",
  );
});

Deno.test("gong console prints bytes as their number and their start", async () => {
  const { stdout } = await converse(async (visit) => {
    await visit.accept();
    for (const bytes of [[], [7], [0, 255, 16]]) {
      await visit.connection.write(serverFrame(OPCODE.binary, Uint8Array.from(bytes)));
    }
    await visit.connection.write(serverFrame(OPCODE.binary, new Uint8Array(100)));
    await visit.serveToClose();
  }, { input: "" });
  const start = Array.from({ length: 32 }, () => "00").join(" ");
  assertEquals(stdout, `[0 bytes]\n[1 byte: 07]\n[3 bytes: 00 ff 10]\n[100 bytes: ${start} ...]\n`);
});

Deno.test("gong console loses nothing of what comes in the same packet as the consent", async () => {
  const { code, stdout, stderr } = await converse(async (visit) => {
    await visit.accept(Uint8Array.of(...serverFrame(OPCODE.text, "early"), ...closeFrame(4403, "go away")));
    await visit.connection.readToEnd();
  }, {});
  assertEquals({ code, stdout, stderr }, {
    code: 1,
    stdout: "early\n",
    stderr: "closed by the server: 4403 go away\n",
  });
});

Deno.test("gong console exits 1 with code and reason when the server refuses a line", async () => {
  const { code, stderr } = await converse(async (visit) => {
    await visit.accept();
    await visit.connection.readFrameOf(OPCODE.text);
    await visit.connection.write(closeFrame(4403, "publishing is\nnot allowed"));
    await visit.connection.readFrameOf(OPCODE.close);
  }, { input: "hello\n" });
  assertEquals({ code, stderr }, { code: 1, stderr: "closed by the server: 4403 publishing is\\nnot allowed\n" });
});

Deno.test("gong console notices the refusal of an engine that answers pings by itself", async () => {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = () => socket.close(4403, "no");
    return response;
  });
  const world = new World({ input: "hello\n" });
  assertEquals(await runConsole([`:${server.addr.port}`], world.io, world.signals), 1);
  assertEquals(world.stderr, "closed by the server: 4403 no\n");
});

Deno.test("gong console exits 1 when the server closes before the input is read, whatever the code", async () => {
  for (const [frame, told] of [[closeFrame(1000), "1000"], [serverFrame(OPCODE.close), "no code"]] as const) {
    const { code, stderr } = await converse(async (visit) => {
      await visit.accept(frame);
      await visit.connection.readToEnd();
    }, {});
    assertEquals({ code, stderr }, { code: 1, stderr: `closed by the server: ${told}\n` });
  }
});

Deno.test("gong console exits 1 when the server drops the connection", async () => {
  const { code, stderr } = await converse((visit) => visit.accept(), {});
  assertEquals({ code, stderr }, { code: 1, stderr: "the server dropped the connection\n" });
});

Deno.test("gong console exits 1 when the server breaks the protocol", async () => {
  const { code, stderr } = await converse(async (visit) => {
    await visit.accept(Uint8Array.of(0xf1, 0));
    await visit.connection.readToEnd();
  }, {});
  assertEquals(code, 1);
  assertMatch(stderr, /^the connection broke: .*RSV/);
});

Deno.test("gong console refuses a masked frame of a server (RFC 6455 section 5.1)", async () => {
  const { code, stderr } = await converse(async (visit) => {
    await visit.accept(Uint8Array.of(0x81, 0x80, 0, 0, 0, 0));
    await visit.connection.readToEnd();
  }, {});
  assertEquals(code, 1);
  assertMatch(stderr, /^the connection broke: .*MASK/);
});

Deno.test("gong console exits 1 when nobody says that the lines were read", async () => {
  const { code, stderr } = await converse(
    async (visit) => {
      await visit.accept();
      await visit.connection.readToEnd();
    },
    { input: "hello\n" },
    ["--timeout", "3s"],
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "no pong within 3 s\n");
});

Deno.test("gong console exits 1 when standard input is not text", async () => {
  const { serve, texts } = recorder();
  const input = Uint8Array.of(...new TextEncoder().encode("hello\n"), 0xff, 10);
  const { code, stderr } = await converse(serve, { input });
  assertEquals({ code, stderr }, { code: 1, stderr: "standard input: it is not UTF-8 text\n" });
  assertEquals(await texts, ["hello"]);
});

Deno.test("gong console closes with the handshake and exits 130 at Ctrl-C", async () => {
  const { serve, texts } = recorder();
  await using peer = new Peer(serve);
  const world = new World({ terminal: true });
  const code = runConsole([`:${peer.port}`], world.io, world.signals);
  await world.see("connected");
  world.interrupt();
  assertEquals(await code, 130);
  assertEquals(await texts, []);
  assertEquals(world.stderr.split("\n").slice(1), ["> ", ""], "nothing is told about one's own wish");
});

Deno.test("gong console ends at once at the second Ctrl-C", async () => {
  await using peer = new Peer(async (visit) => {
    await visit.accept();
    await visit.connection.readFrameOf(OPCODE.close);
    world.interrupt();
    await visit.connection.readToEnd();
  });
  const world = new World({ terminal: true });
  const code = runConsole([`:${peer.port}`], world.io, world.signals);
  await world.see("connected");
  const start = performance.now();
  world.interrupt();
  assertEquals(await code, 130);
  // The close handshake alone would be waited for two seconds.
  assert(performance.now() - start < 1500);
});

Deno.test("gong console gives up connecting at Ctrl-C", async () => {
  await using peer = new Peer(async (visit) => {
    world.interrupt();
    await visit.connection.readToEnd();
  });
  const world = new World();
  assertEquals(await runConsole([`:${peer.port}`], world.io, world.signals), 130);
  assertEquals(world.stderr, "");
});

Deno.test("gong console on a terminal shows a prompt that gives way to messages, and leaves at Ctrl-D", async () => {
  const { serve, texts } = recorder();
  await using peer = new Peer(async (visit) => {
    await visit.accept();
    await visit.connection.readFrameOf(OPCODE.text);
    await visit.connection.write(serverFrame(OPCODE.text, "there"));
    await serve(Object.assign(visit, { accept: () => Promise.resolve() }));
  });
  const world = new World({ terminal: true });
  const code = runConsole([`:${peer.port}`], world.io, world.signals);
  await world.see("> ");
  world.type("here\n");
  await world.see("there");
  world.end();
  assertEquals(await code, 0);
  assertEquals(await texts, []);
  assertEquals(world.stdout, "there\n");
  assertEquals(
    world.stderr.replaceAll("\r\x1b[K", "<"),
    `connected to ws://127.0.0.1:${peer.port}/push; help lists the words\n> > <> \n`,
  );
});

Deno.test("gong console ends with the error of standard output when nobody reads it any more", async () => {
  await using peer = new Peer(async (visit) => {
    await visit.accept(serverFrame(OPCODE.text, "unread"));
    await visit.connection.readToEnd();
  });
  const world = new World();
  world.broken = new Deno.errors.BrokenPipe("gone");
  await assertRejects(() => runConsole([`:${peer.port}`], world.io, world.signals), Deno.errors.BrokenPipe);
});

Deno.test("gong console sends key, origin, host and channels with the handshake, and offers nothing", async () => {
  let visited: Visit | undefined;
  const serve = (visit: Visit) => {
    visited = visit;
    return recorder().serve(visit);
  };
  const args = ["--api-key", "s3cret", "--origin", "https://app.example", "--channel", "room:42", "--channel", "b"];
  await converse(serve, { input: "" }, args);
  const [first] = visited!.request.split("\r\n");
  const url = new URL(first!.split(" ")[1]!, "http://x");
  assertEquals([url.pathname, url.searchParams.getAll("channel")], ["/push", ["room:42", "b"]]);
  assertEquals(visited!.header("x-api-key"), "s3cret");
  assertEquals(visited!.header("origin"), "https://app.example");
  assertMatch(visited!.header("host")!, /^127\.0\.0\.1:\d+$/);
  assertEquals(visited!.header("sec-websocket-extensions"), undefined);
  assertEquals(visited!.header("sec-websocket-protocol"), undefined);
});

Deno.test("gong console takes the key from GONG_API_KEY, of the form that the server takes", async () => {
  const keys: (string | undefined)[] = [];
  for (const GONG_API_KEY of ["s3cret", "ops:publish+stats:s3:cret", "a:admin:first,b:stats:second", ""]) {
    await converse((visit) => {
      keys.push(visit.header("x-api-key"));
      return recorder().serve(visit);
    }, { input: "", env: { GONG_API_KEY } });
  }
  assertEquals(keys, ["s3cret", "s3:cret", "first", undefined]);
});

const MISUSED: readonly [string, readonly string[], string][] = [
  ["an address of HTTP", ["http://127.0.0.1:8998"], "write ws://"],
  ["two addresses", [":1", ":2"], "too many"],
  ["an unknown flag", ["--chanel", "a"], "--channel"],
  ["an origin with a line end", ["--origin", "https://a\r\nX: y"], "--origin"],
  ["a duration that is none", ["--timeout", "soon"], "--timeout"],
  ["no time at all", ["--timeout", "0"], "--timeout"],
  ["--insecure without TLS", ["ws://127.0.0.1", "--insecure"], "wss://"],
  ["--ca without TLS", ["ws://127.0.0.1", "--ca", "ca.pem"], "wss://"],
  ["a --ca that is not there", ["wss://127.0.0.1", "--ca", "/nowhere/ca.pem"], "no such file"],
  ["a --ca without a certificate", ["wss://127.0.0.1", "--ca", CERTIFICATES.none], "no certificate"],
];

for (const [what, args, says] of MISUSED) {
  Deno.test(`gong console refuses ${what} as wrong usage`, async () => {
    const world = new World();
    const error = await assertRejects(() => runConsole(args, world.io, world.signals), UsageError, says);
    assert(error instanceof UsageError);
  });
}

Deno.test("gong console does not repeat a key that no header could carry", async () => {
  const world = new World();
  const args = ["--api-key", "hunter2\r\nX: y"];
  const error = await assertRejects(() => runConsole(args, world.io, world.signals), UsageError, "--api-key");
  assert(!error.message.includes("hunter2"));
});
