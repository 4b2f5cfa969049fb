/**
 * The same from source and from the compiled binary (`GONG_BINARY`), which also runs as another user, from an empty
 * folder, and with the permissions that were compiled in and no more.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect } from "../support/client.ts";
import { type Gong, runGong, type SpawnOptions, startGong } from "../support/gong.ts";

const BINARY = Deno.env.get("GONG_BINARY");
const KEY = "smoke-secret-0123456789";
const NOBODY = 65_534;

/** How the program is run: by whoever runs the tests, and by a user who owns nothing. */
const USERS: { title: string; options: SpawnOptions; ignore: boolean }[] = [
  { title: "", options: {}, ignore: false },
  {
    title: " as another user",
    options: { prefix: ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] },
    // From source the module cache would have to be readable for that user.
    ignore: BINARY === undefined || Deno.uid() !== 0,
  },
];

for (const { title, options, ignore } of USERS) {
  Deno.test({ name: `gong serves, publishes and shuts down${title}`, ignore, fn: (t) => smoke(t, options) });
}

async function smoke(t: Deno.TestContext, options: SpawnOptions): Promise<void> {
  await using gong = await startGong(["--isolates", "2"], options);
  await t.step("the pages and what they load", () => pages(gong));
  await t.step("/push without Upgrade is 400", async () => {
    const response = await fetch(`${gong.url}/push`);
    assertEquals(response.status, 400);
    assertMatch(response.headers.get("content-type") ?? "", /^text\/plain/);
    assertStringIncludes(await response.text(), "WebSocket");
  });
  await t.step("what one client sends, every client hears", async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => connect(`${gong.ws}/push`)));
    clients[0]?.send("hello");
    for (const client of clients) assertEquals(await client.nextText(), "hello");
    for (const client of clients) assertEquals((await client.close(1000)).code, 1000);
  });
  await t.step("POST /api/publish reaches every client, and answers with the position", async () => {
    await using client = await connect(`${gong.ws}/push?channel=news`);
    const response = await fetch(`${gong.url}/api/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ channel: "news", data: { n: 1 } }),
    });
    const { positions: [position] } = await response.json();
    assertEquals([response.status, position.channel, position.offset], [200, "news", 1]);
    assertEquals(await client.nextText(), '{"n":1}');
  });
  await t.step("gong console publishes what comes through a pipe", async () => {
    await using client = await connect(`${gong.ws}/push`);
    const { code, stderr } = await runGong(["console", `${gong.ws}/push`], { ...options, stdin: "from the pipe\n" });
    assertEquals(code, 0, stderr);
    assertEquals(await client.nextText(), "from the pipe");
  });
  await t.step("gong publish prints the position", async () => {
    await using client = await connect(`${gong.ws}/push?channel=news`);
    const { code, stdout, stderr } = await runGong(["publish", "--url", gong.url, "--channel", "news", "x"], options);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "news");
    assertEquals(await client.nextText(), "x");
  });
  await t.step("SIGTERM closes with 1001 and exits 0", async () => {
    const client = await connect(`${gong.ws}/push`);
    const code = gong.stop();
    assertEquals((await client.closed).code, 1001);
    assertEquals(await code, 0);
  });
}

async function pages(gong: Gong): Promise<void> {
  for (const path of ["/", "/admin"]) {
    const response = await fetch(gong.url + path);
    const html = await response.text();
    assertEquals(response.status, 200);
    assertMatch(response.headers.get("content-type") ?? "", /^text\/html/);
    assertMatch(response.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
    for (const [, link = ""] of html.matchAll(/(?:src|href)="([^"#]+\.(?:js|css|svg))"/g)) {
      const asset = await fetch(new URL(link, gong.url + path));
      await asset.body?.cancel();
      assertEquals([link, asset.status], [link, 200]);
    }
  }
}

Deno.test("gong serve without --dev asks for the key, which the environment or a file in its folder gives", async () => {
  const files = { "keys.txt": `# rotated\nsecond:publish:${KEY}-2\n` };
  const env = { GONG_API_KEY: `first:publish:${KEY}`, GONG_HOST: "127.0.0.1" };
  await using gong = await startGong(["--isolates", "1", "--api-key-file", "keys.txt"], { dev: false, env, files });
  for (const [key, status] of [["", 401], [KEY, 200], [`${KEY}-2`, 200], [`${KEY}-3`, 401]] as const) {
    const response = await fetch(`${gong.url}/api/publish`, {
      method: "POST",
      headers: { "content-type": "application/json", ...key ? { authorization: `Bearer ${key}` } : {} },
      body: '{"channel":"broadcast","data":"x"}',
    });
    assertEquals(response.status, status, await response.text());
  }
});

Deno.test("gong serve speaks TLS with --cert and --key, and gong console wss with --ca", async () => {
  const files = await fixtures("localhost.pem", "localhost.key", "authority.pem");
  const tls = ["--cert", "localhost.pem", "--key", "localhost.key"];
  await using gong = await startGong(["--isolates", "1", ...tls], { files });
  using client = Deno.createHttpClient({ caCerts: [files["authority.pem"] ?? ""] });
  const response = await fetch(`https://localhost:${gong.port}/health`, { client });
  assertEquals([response.status, await response.json()], [200, { status: "ok" }]);
  const console = ["console", `wss://localhost:${gong.port}/push`, "--ca", "authority.pem"];
  const { code, stderr } = await runGong(console, { files, stdin: "over TLS\n" });
  assertEquals(code, 0, stderr);
  const recent = await fetch(`https://localhost:${gong.port}/api/recent`, { client });
  assertEquals((await recent.json()).publications[0].preview, "over TLS");
});

Deno.test("gong serve may not read where it has no business, and does not ask", async () => {
  for (const path of ["/etc/shadow", "/etc/passwd", "/root/.ssh/id_rsa", "/proc/1/environ"]) {
    const { code, stderr } = await runGong(["serve", "--dev", "--port", "0", "--cert", path, "--key", path]);
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, `--cert: ${path} is in none of the folders that this program is permitted to read`);
  }
});

Deno.test("gong serve on a port in use exits 1, also when another Gong has it, and may have it right after", async () => {
  const first = await startGong(["--isolates", "2"]);
  const port = String(first.port);
  const { code, stderr } = await runGong(["serve", "--dev", "--port", port]);
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, `port ${port} is in use`);
  assertEquals(await first.stop(), 0);
  await using again = await startGong(["--isolates", "2", "--port", port]);
  assertEquals(again.port, first.port);
});

/** Files of `tests/fixtures/` to be written into the folder that the program runs in. */
async function fixtures(...names: string[]): Promise<Record<string, string>> {
  const read = (name: string) => Deno.readTextFile(new URL(`../fixtures/${name}`, import.meta.url));
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)])));
}

Deno.test({
  name: "the compiled binary holds the permissions of the task `compile` and no others",
  ignore: BINARY === undefined,
  async fn() {
    const { tasks: { compile } } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
    const list = (flag: string) => new RegExp(`--allow-${flag}=(\\S+)`).exec(compile.command)?.[1]?.split(",");
    const permissions = await compiledPermissions(BINARY ?? "");
    // null: none of the kind, []: all of the kind.
    assertEquals(permissions, {
      allow_net: [],
      allow_env: ["GONG_*", "NO_COLOR"],
      ignore_env: [],
      allow_read: list("read"),
      allow_write: [".", "/var/lib/gong"],
      allow_sys: ["osUptime"],
      deny_import: [],
      prompt: false,
    });
  },
});

/** What stands in the binary's own metadata of permissions, but for what is null, and imports, which are denied. */
async function compiledPermissions(path: string): Promise<Record<string, unknown>> {
  const text = new TextDecoder("latin1").decode(await Deno.readFile(path));
  const [, json = ""] = /"permissions":(\{"allow_env":[^{}]*\})/.exec(text) ?? [];
  const { allow_import: _, ...permissions } = JSON.parse(json);
  return Object.fromEntries(Object.entries(permissions).filter(([, value]) => value !== null));
}
