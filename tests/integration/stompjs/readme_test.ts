/**
 * The example of STOMP that `README.md` has, as it stands there.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Client } from "@stomp/stompjs";
import { type Gong, startGong } from "../../support/gong.ts";
import { numbered, publish } from "../../support/publish.ts";
import { signToken, TOKEN_SECRET } from "../../support/tokens.ts";
import { until, untilSessions } from "../../support/until.ts";

const README = await Deno.readTextFile(new URL("../../../README.md", import.meta.url));

/** Runs the example against the server. Returns its client, and what it has shown so far. */
function run({ ws }: Gong): { client: Client; shown: string[] } {
  const [, example = ""] = /```js\n(import { Client } from "@stomp\/stompjs";\n[^`]*)```/.exec(README) ?? [];
  const [imported, ...lines] = example.replace("ws://127.0.0.1:8998", ws).split("\n");
  assertEquals(imported, 'import { Client } from "@stomp/stompjs";');
  const shown: string[] = [];
  const body = `"use strict";\n${lines.join("\n")}\nreturn client;`;
  const token = signToken({ sub: "42", channels: ["news"] });
  const client = new Function("Client", "token", "console", body)(Client, token, {
    log: (text: string) => void shown.push(text),
  });
  assert(client instanceof Client);
  return { client, shown };
}

Deno.test("the example of README.md goes on where it was, and from now on when that is not kept any more", async () => {
  await using gong = await startGong(["--token-secret", TOKEN_SECRET, "--history-count", "5", "--isolates", "1"]);
  const { client, shown } = run(gong);
  const send = (count: number, before: string) => publish(gong, numbered(["news"], count, before));
  const expected: string[] = [];
  const shows = async (...texts: string[]) => {
    expected.push(...texts);
    await until(() => shown.length >= expected.length, () => `${shown}`);
    assertEquals(shown, expected);
  };
  const isHeard = () => until(async () => (await heard(gong)).includes("news"));
  /** Publishes while it is away. */
  const miss = async (count: number, before: string) => {
    const gate = Promise.withResolvers<void>();
    client.beforeConnect = () => gate.promise;
    client.forceDisconnect();
    await untilSessions(gong, 0);
    await send(count, before);
    gate.resolve();
  };
  client.reconnectDelay = 20;
  try {
    await isHeard();
    await send(2, "a ");
    await shows("a news 1", "a news 2");
    await miss(3, "b ");
    await shows("b news 1", "b news 2", "b news 3");
    await miss(10, "too many ");
    await isHeard();
    await send(1, "c ");
    await shows("c news 1");
  } finally {
    await client.deactivate();
  }
});

/** Channels of all sessions. */
async function heard({ url }: Gong): Promise<string[]> {
  const { sessions } = await (await fetch(`${url}/api/sessions`)).json();
  return sessions.flatMap(({ channels }: { channels: string[] }) => channels);
}
