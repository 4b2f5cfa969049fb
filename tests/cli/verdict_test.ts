import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { check } from "../../lib/cli/check.ts";
import { UsageError } from "../../lib/flags.ts";
import { runGong } from "../support/gong.ts";
import { inSeconds, SECRET, signJwt } from "../support/signers.ts";
import { World } from "./world.ts";

const ENV = {
  GONG_TOKEN_SECRET: SECRET,
  GONG_API_KEY: "app:publish:0123456789abcdef,ops:admin:fedcba9876543210",
  GONG_RULE: "lobby subscribe=users,room:* presence=joins,$queue/tasks subscribe=users",
};
const TOKEN = await signJwt({ sub: "42", exp: inSeconds(3600), channels: ["room:*"], publish: ["$user/*"] });

async function ask(action: string, channel: string, ...who: string[]): Promise<string> {
  const world = new World({ env: ENV, input: `${TOKEN}\n` });
  const code = await check(["--action", action, "--channel", channel, ...who], world.io);
  assertEquals([code, world.stderr], [world.stdout.startsWith("allowed: ") ? 0 : 1, ""]);
  return world.stdout.trimEnd();
}

Deno.test("gong check says as a process whether something is allowed, and why", async () => {
  const allowed = await runGong(["check", "--token=-", "--channel=room:1", "--action=subscribe"], {
    env: ENV,
    stdin: TOKEN,
  });
  assertEquals(allowed, { code: 0, stdout: "allowed: the token names room:1\n", stderr: "" });
  const refused = await runGong(["check", "--channel", "room:1", "--action", "subscribe"], { env: ENV });
  assertEquals([refused.code, refused.stderr], [1, ""]);
  assertMatch(refused.stdout, /^not allowed: room:1 .*subscribe=token.* no token\n$/);
  const wrong = await runGong(["check", "--channel", "room:1"], { env: ENV });
  assertEquals([wrong.code, wrong.stdout], [2, ""]);
  assert(wrong.stderr.startsWith("gong: --action: expected subscribe or publish\n"));
});

Deno.test("gong check decides for a token, a key and nobody as the server does", async () => {
  const cases: [string, string, string[], RegExp][] = [
    ["subscribe", "broadcast", [], /^allowed: .*subscribe=everyone/],
    ["subscribe", "lobby", [], /^not allowed: .*subscribe=users/],
    ["subscribe", "lobby", ["--token", TOKEN], /^allowed: .*subscribe=users/],
    ["subscribe", "$user/42", ["--token", "-"], /^allowed: .*own/],
    ["publish", "$user/7", ["--token", "-"], /^allowed: .*token names/],
    ["subscribe", "$presence/room:1", ["--token", "-"], /^allowed: .*token names/],
    ["publish", "room:1", ["--token", "-"], /^not allowed: .*publish=token/],
    ["publish", "room:1", ["--key-name", "app"], /^allowed: app .*publish/],
    ["subscribe", "$admin", ["--key-name", "app"], /^not allowed: .*admin/],
    ["subscribe", "$admin", ["--key-name", "ops"], /^allowed: ops .*admin/],
    ["subscribe", "$queue/tasks", ["--token", "-"], /^allowed: \$queue\/tasks has subscribe=users$/],
    ["subscribe", "$queue/tasks", [], /^not allowed: \$queue\/tasks has subscribe=users, and this is no user$/],
    ["publish", "$queue/tasks", ["--key-name", "app"], /^allowed: app .*publish/],
    ["subscribe", "$queue/tasks", ["--key-name", "app"], /^not allowed: .*no user$/],
    ["subscribe", "$queue/other", ["--dev"], /^allowed: .*--dev/],
    ["publish", "room:1", ["--dev"], /^allowed: .*--dev/],
    ["subscribe", "room:1", ["--token", "a.b.c"], /^not allowed: the token is refused: malformed: it is no JWT$/],
  ];
  for (const [action, channel, who, answer] of cases) assertMatch(await ask(action, channel, ...who), answer);
  const over = await signJwt({ sub: "42", exp: inSeconds(-3600) });
  const answer = "not allowed: the token is refused: expired: its `exp` is over";
  assertEquals(await ask("subscribe", "broadcast", "--token", over), answer);
});

Deno.test("gong check refuses flags that make no question", async () => {
  const cases: [string[], string][] = [
    [["--token", TOKEN], "--channel is missing: which channel is it about?"],
    [["--action=publish"], "--channel is missing: which channel is it about?"],
    [["--channel=a"], "--action: expected subscribe or publish"],
    [["--channel=a", "--action=delete"], "--action: expected subscribe or publish"],
    [["--channel=a b", "--action=publish"], "--channel a b: a name is 1 to 128 of `A-Z a-z 0-9 _ . : / % ~ = + ! -`"],
    [["--channel=a", "--action=publish", "--key-name=nobody"], "--key-name nobody: there is no key of this name"],
    [
      ["--channel=a", "--action=publish", "--key-name=app", "--token=x"],
      "--token and --key-name: one of them says who asks",
    ],
  ];
  for (const [args, message] of cases) {
    const error = await assertRejects(() => check(args, new World({ env: ENV }).io), UsageError);
    assertEquals(error.message, message);
  }
});

Deno.test("gong check --token - takes a bounded text of UTF-8", async () => {
  const world = new World({ env: ENV, input: new Uint8Array([0xff]) });
  assertEquals(await check(["--token=-", "--channel=a", "--action=publish"], world.io), 1);
  assertEquals([world.stdout, world.stderr], ["", "standard input: it is not UTF-8 text\n"]);
});
