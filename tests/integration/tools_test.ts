/** The console and `gong publish` as processes of their own, against the server. */
import { assertEquals, assertMatch } from "@std/assert";
import { connect } from "../support/client.ts";
import { runGong, startGong } from "../support/gong.ts";
import { Lines } from "../support/lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const KEY = "ops:publish:s3cret-0123456789abcdef";

Deno.test("gong console prints in a pipe what it published, and every message of its channels", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const { code, stdout, stderr } = await runGong(["console", gong.ws, "--channel", "room:42"], {
    stdin: "one\nping\ntwo \x07\n",
  });
  assertEquals({ code, stdout }, { code: 0, stdout: "one\ntwo \\x07\n" });
  assertMatch(stderr, /^pong: [\d.]+ ms$/m);
});

Deno.test("the tools are refused without a key, and let in with the one of GONG_API_KEY", async () => {
  await using gong = await startGong(["--isolates", "1", "--host", "127.0.0.1"], {
    dev: false,
    env: { GONG_API_KEY: KEY },
  });
  const pipe = { stdin: "hello\n" };
  const listening = await connect(`${gong.ws}/push`);

  const mute = await runGong(["console", gong.ws], pipe);
  assertEquals({ code: mute.code, stdout: mute.stdout }, { code: 1, stdout: "" });
  assertMatch(mute.stderr, /^closed by the server: 4403 .+$/m);

  const unknown = await runGong(["publish", "--url", gong.url, "hello"]);
  assertEquals({ code: unknown.code, stdout: unknown.stdout }, { code: 1, stdout: "" });
  assertMatch(unknown.stderr, /^refused: 401 Unauthorized; .+$/m);

  const wrong = await runGong(["console", gong.ws, "--api-key", "wrong-0123456789abcdef"], pipe);
  assertEquals(wrong.code, 1);
  assertMatch(wrong.stderr, /^refused: 401 Unauthorized; .+$/m);

  const env = { GONG_API_KEY: KEY };
  const console = await runGong(["console", gong.ws], { ...pipe, env });
  assertEquals({ code: console.code, stdout: console.stdout }, { code: 0, stdout: "hello\n" });
  const publish = await runGong(["publish", "--url", gong.url], { stdin: "from standard input\n", env });
  assertEquals(publish.code, 0, publish.stderr);
  assertMatch(publish.stdout, /^broadcast \w+:2\n$/);
  assertEquals([await listening.nextText(), await listening.nextText()], ["hello", "from standard input"]);
  await listening.close();
});

Deno.test("the tools say what the server has against a request", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const pipe = { stdin: "hello\n" };
  const refusals: [string[], RegExp][] = [
    [["console", gong.ws, "--origin", "https://evil.example"], /^refused: 403 Forbidden; .+$/m],
    [["console", gong.ws, "--channel", "a b"], /^refused: 400 Bad Request; .+$/m],
    [["console", `${gong.ws}/nothing`], /^refused: 404 Not Found; .+$/m],
    [["publish", "--url", gong.url, "--channel", "a b"], /^refused: 400 Bad Request; .+; field: \/channel$/m],
    [["publish", "--url", gong.url, "x".repeat(100_000)], /^refused: 413 .+$/m],
  ];
  for (const [args, told] of refusals) {
    const { code, stderr } = await runGong(args, pipe);
    assertEquals(code, 1, stderr);
    assertMatch(stderr, told);
  }
});

Deno.test("gong console closes with the handshake and exits 130 at SIGINT", async () => {
  await using gong = await startGong(["--isolates", "1", "--log-level", "info"]);
  // Its standard input stays open, and is not read to its end.
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `${ROOT}main.ts`, "console", gong.ws],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const printed = new Lines();
  const collected = printed.collect(child.stdout);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello\n"));
  await printed.find(/^hello$/);
  child.kill("SIGINT");
  assertEquals((await child.status).code, 130);
  await collected;
  await writer.close().catch(() => {});
  await gong.line(/"session.close".*"reason":"client"/);
});
