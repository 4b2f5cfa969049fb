import { assertEquals } from "@std/assert";
import { openIframe } from "../support/doors/iframe.ts";
import { openStream } from "../support/doors/ndjson.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openSse } from "../support/doors/sse.ts";
import { openJson, openPlain } from "../support/doors/websocket.ts";
import type { OpenWire, Wire } from "../support/doors/wire.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { legacy } from "../support/stompjs/legacy.ts";
import { modern } from "../support/stompjs/modern.ts";
import { bodies } from "../support/stompjs/mod.ts";
import { connectStomp, textOf } from "../support/stomp.ts";
import { until } from "../support/until.ts";

let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2"]);
});
Deno.test.afterAll(() => gong.kill());

const TEXT = "你好,世界!";
const BYTES = new TextEncoder().encode(TEXT);
const HEAD = `SEND\ndestination:/topic/across\ncontent-type:text/plain\ncontent-length:${BYTES.length}\n\n`;

/** The frame as a client may write it: as text, as bytes, in pieces that cut a character. */
const WRITTEN: readonly (readonly [how: string, pieces: readonly (string | Uint8Array)[]])[] = [
  ["as text", [`${HEAD}${TEXT}\0`]],
  ["without its length", [`SEND\ndestination:/topic/across\n\n${TEXT}\0`]],
  ["as bytes", [new TextEncoder().encode(`${HEAD}${TEXT}\0`)]],
  ["in pieces", [HEAD, BYTES.subarray(0, 4), BYTES.subarray(4), "\0"]],
];

/** Every other door; two of them can publish. */
const OTHERS: Readonly<Record<string, OpenWire>> = {
  ...{ plain: openPlain, json: openJson, sse: openSse, stream: openStream, iframe: openIframe, poll: openPoll },
};

/** The text of the next publication. */
async function nextText({ items }: Wire): Promise<string> {
  for (;;) {
    const { value } = await items.next();
    if (value.kind === "end") throw new Error(JSON.stringify(value));
    if (value.kind === "publication") return value.heard.data.text;
  }
}

async function ready({ items }: Wire): Promise<void> {
  while ((await items.next()).value.kind !== "ready");
}

Deno.test("a text of STOMP comes to every other door as it was, and theirs to STOMP", async () => {
  await using stomp = await connectStomp(gong);
  await stomp.subscribe("/topic/across");
  using stack = new DisposableStack();
  const wires = new Map<string, Wire>();
  for (const [name, open] of Object.entries(OTHERS)) {
    const wire = await open(gong, { channels: ["across"] });
    stack.defer(() => wire.drop());
    wires.set(name, wire);
    await ready(wire);
  }
  const heard = async (how: string) => {
    const { headers, body } = await stomp.next("MESSAGE");
    const told = [textOf({ body }), headers.get("content-type"), headers.get("content-length")];
    assertEquals(told, [TEXT, "text/plain", String(BYTES.length)], how);
    for (const [name, wire] of wires) assertEquals(await nextText(wire), TEXT, `${how} to ${name}`);
  };
  for (const [how, pieces] of WRITTEN) {
    for (const piece of pieces) stomp.raw(piece);
    await heard(how);
  }
  for (const name of ["plain", "json"]) {
    await wires.get(name)!.publish!("across", TEXT);
    await heard(`from ${name}`);
  }
});

/** Runs `curl` with the server's address. @throws when it fails */
async function curl(path: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command("curl", { args: ["-sSf", ...args, gong.url + path] }).output();
  assertEquals(code, 0);
  return new TextDecoder().decode(stdout);
}

/** Whether there is a `curl`. */
async function hasCurl(): Promise<boolean> {
  try {
    return (await new Deno.Command("curl", { args: ["--version"], stdout: "null" }).output()).success;
  } catch {
    return false;
  }
}

for (const library of [modern, legacy]) {
  Deno.test({
    name: `what curl publishes comes to ${library.name}, and what that sends to curl`,
    ignore: Deno.env.get("CI") === undefined && !await hasCurl(),
    async fn() {
      const channel = `curl-${library.versions.length}`;
      await using client = await library.connect(gong, { version: "1.1" });
      const subscription = client.subscribe(`/topic/${channel}`, { receipt: "subscribed" });
      await client.receipt("subscribed");
      await curl("/api/publish", "--json", JSON.stringify({ channel, data: TEXT }));
      assertEquals(await bodies(subscription, 1), [TEXT]);
      const waiting = curl(`/poll?channel=${channel}&timeout=20`);
      await until(async () => (await listeners(channel)) === 2);
      client.send(`/topic/${channel}`, TEXT);
      assertEquals(JSON.parse(await waiting).publications.map(({ data }: { data: unknown }) => data), [TEXT]);
    },
  });
}

/** How many sessions hear the channel. */
async function listeners(channel: string): Promise<number> {
  const { sessions } = await (await fetch(`${gong.url}/api/sessions`)).json();
  return sessions.filter(({ channels }: { channels: string[] }) => channels.includes(channel)).length;
}
