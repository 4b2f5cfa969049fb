import { assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { connect as connectPlain } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { publish } from "../support/publish.ts";
import { connectStomp, textOf } from "../support/stomp.ts";
import {
  connect,
  disconnect,
  drop,
  greet,
  hasLarge,
  send,
  sendLarge,
  settle,
  subscribe,
  told,
  transact,
  unsubscribe,
} from "./stomp_in_page.js";
import { endSession } from "./stomp_page.ts";
import { until } from "../support/until.ts";
import { createSuite, type Visitor } from "./suite.ts";

const suite = createSuite();
let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(
    ["--isolates", "2", "--ping", "4s", "--max-message", "1048576", "--outbox", "8MiB", "--history-count", "100000"],
  );
});
Deno.test.afterAll(() => gong.kill());

/** What the page has noted. */
interface Told {
  messages: { headers: Record<string, string>; body: string; bytes?: number[] }[];
  receipts: Record<string, Record<string, string>>;
  beats: number;
  connected: Record<string, string>[];
  codes: number[];
}

/** The files of the libraries for pages. Their packages say where those for programs are, and they lie beside these. */
const FILES = [
  new URL("../bundles/stomp.umd.js", import.meta.resolve("@stomp/stompjs")),
  new URL("./lib/stomp.js", import.meta.resolve("stompjs")),
];

const SPEAKERS = [
  ...["1.0", "1.1", "1.2"].map((version) => ({ library: "modern", version, name: `@stomp/stompjs in ${version}` })),
  ...["1.0", "1.1"].map((version) => ({ library: "legacy", version, name: `stompjs 2.3.3 in ${version}` })),
];

const EVERY_BYTE = Array.from({ length: 256 }, (_, at) => at);

/** A page of the server that has both libraries. */
async function load(visit: Visitor["visit"], url = gong.url): Promise<Page> {
  // A page that a test makes up would not be of this machine, and get no connection to it.
  const page = await visit(`${url}/health`);
  for (const file of FILES) await page.addScriptTag({ content: await Deno.readTextFile(file) });
  return page;
}

/** A page that is connected by one of them. */
async function open(visit: Visitor["visit"], library: string, version: string, beats = 0): Promise<Page> {
  const page = await load(visit);
  const headers = await page.evaluate(connect, { library, version, beats, url: `${gong.ws}/ws` });
  assertEquals(headers.version, version);
  return page;
}

async function subscribed(page: Page, destination: string, headers: Record<string, string> = {}): Promise<void> {
  const receipt = crypto.randomUUID();
  await page.evaluate(subscribe, { destination, headers: { ...headers, receipt } });
  await until(async () => receipt in (await look(page)).receipts);
}

function look(page: Page): Promise<Told> {
  return page.evaluate(told);
}

/** The bodies of the messages, when there are so many. */
async function bodies(page: Page, count: number): Promise<string[]> {
  await until(
    async () => (await look(page)).messages.length >= count,
    async () => `${count} messages: ${JSON.stringify(await look(page)).slice(-3000)}`,
  );
  return (await look(page)).messages.map(({ body }) => body);
}

for (const { library, version, name } of SPEAKERS) {
  suite.test(`${name} has in a page receipts, transactions, queues, and everybody else's publications`, async ({ visit }) => {
    const page = await open(visit, library, version);
    const channel = `page-${library}-${version}`;
    const destination = `/topic/${channel}`;
    await subscribed(page, destination);
    await subscribed(page, destination);
    await page.evaluate(send, { destination, body: "你好,世界!", headers: { receipt: "sent" } });
    await until(async () => "sent" in (await look(page)).receipts);
    assertEquals(await bodies(page, 2), ["你好,世界!", "你好,世界!"]);

    for (const id of ["lost", "kept"]) {
      await page.evaluate(transact, { command: "begin", id });
      await page.evaluate(send, { destination, body: id, headers: { transaction: id } });
    }
    await page.evaluate(transact, { command: "abort", id: "lost" });
    await page.evaluate(transact, { command: "commit", id: "kept" });
    assertEquals((await bodies(page, 4)).slice(2), ["kept", "kept"]);

    await using json = await connectPlain(`${gong.ws}/push?format=json&channel=${channel}`);
    await until(async () => (await json.nextText()).includes('"subscribed"'));
    await publish(gong, [{ channel, data: { from: "a back-end" } }]);
    assertEquals((await bodies(page, 6)).slice(4), ['{"from":"a back-end"}', '{"from":"a back-end"}']);
    await page.evaluate(send, {
      destination,
      body: "[1]",
      headers: { "content-type": "application/json", lang: "zh" },
    });
    const lines: string[] = [];
    while (lines.length < 2) lines.push(...(await json.nextText()).split("\n"));
    const [, { data, tags }] = lines.map((line) => JSON.parse(line)) as [unknown, Record<string, unknown>];
    assertEquals([data, tags], [[1], { lang: "zh" }]);
    await bodies(page, 8);

    const queue = `/queue/${channel}`;
    await subscribed(page, queue, { ack: "client-individual" });
    for (const body of ["one", "two"]) await page.evaluate(send, { destination: queue, body });
    assertEquals((await bodies(page, 10)).slice(8), ["one", "two"]);
    await page.evaluate(settle, { command: "ack", at: 9, headers: { receipt: "acked" } });
    await until(async () => "acked" in (await look(page)).receipts);
    if (version !== "1.0") {
      await page.evaluate(settle, { command: "nack", at: 8 });
      assertEquals((await bodies(page, 11)).at(-1), "one");
      assertEquals((await look(page)).messages.at(-1)!.headers.redelivered, "true");
    }
    const { length } = (await look(page)).messages;
    await page.evaluate(unsubscribe, { at: 0 });
    await page.evaluate(send, { destination, body: "to one" });
    await page.evaluate(send, { destination, body: "last" });
    assertEquals((await bodies(page, length + 2)).slice(length), ["to one", "last"]);
    await page.evaluate(disconnect);
    const other = await open(visit, library, version);
    await subscribed(other, queue);
    assertEquals(await bodies(other, 1), ["one"]);
    await other.evaluate(disconnect);
  });

  suite.test(`${name} sends and hears in a page a text of 1,047,552 bytes, and bytes as they are`, async ({ visit }) => {
    const page = await open(visit, library, version);
    const channel = `large-${library}-${version}`;
    const destination = `/topic/${channel}`;
    await subscribed(page, destination);
    await page.evaluate(sendLarge, { destination, size: 1_047_552 });
    await until(() => page.evaluate(hasLarge));
    if (library === "modern") {
      await page.evaluate(send, { destination, body: EVERY_BYTE });
      await until(async () => (await look(page)).messages.length === 2);
      const { bytes, headers } = (await look(page)).messages[1]!;
      assertEquals([bytes, headers["content-type"]], [EVERY_BYTE, "application/octet-stream"]);
      await page.evaluate(sendLarge, { destination, size: 1_047_552, isBytes: true });
      await until(() => page.evaluate(hasLarge));
    } else {
      await publish(gong, [{ channel, data: Uint8Array.from(EVERY_BYTE.slice(1)), contentType: "image/png" }]);
      await until(async () => (await look(page)).messages.length === 2);
      // It makes a character of each byte, and takes 0 for an end.
      assertEquals((await look(page)).messages[1]!.body, String.fromCharCode(...EVERY_BYTE.slice(1)));
      await using listener = await connectStomp(gong);
      await listener.subscribe(destination);
      await page.evaluate(send, { destination, body: String.fromCharCode(...EVERY_BYTE) });
      assertEquals(textOf(await listener.next("MESSAGE")), String.fromCharCode(...EVERY_BYTE));
    }
  });

  suite.test(`${name} goes on in a page from where it was, whoever has ended the connection`, async ({ visit }) => {
    const page = await open(visit, library, version);
    const channel = `resumed-${library}-${version}`;
    await subscribed(page, `/topic/${channel}`);
    let last = 0;
    for (let times = 1; times <= 4; times++) {
      await publish(gong, [++last, ++last].map((number) => ({ channel, data: String(number) })));
      await bodies(page, last);
      if (times % 2 === 0) await page.evaluate(drop);
      else await endSession(gong, (await look(page)).connected.at(-1)!.session!);
      await publish(gong, [{ channel, data: String(++last) }]);
      await until(async () => (await look(page)).connected.length === times + 1);
    }
    assertEquals(await bodies(page, last), Array.from({ length: last }, (_, at) => String(at + 1)));
    const { codes } = await look(page);
    assertEquals(codes.filter((code) => code === 4403).length, 2);
  });
}

for (const { library, version, name } of SPEAKERS.filter(({ version }) => version !== "1.0")) {
  suite.test(`${name} and the server keep in a page their heart-beats of four seconds`, async ({ visit }) => {
    const page = await open(visit, library, version, 4000);
    await until(async () => (await look(page)).beats >= 3, () => "too few heart-beats", 60_000);
    const { connected, codes } = await look(page);
    assertEquals([connected.length, codes], [1, []]);
  });
}

suite.test("the libraries as their manuals show them get in a page the highest version that they speak", async ({ visit, use }) => {
  const plain = use(await startGong(["--isolates", "1", "--path", "/ws"]));
  for (const { url, ws } of [gong, plain]) {
    const page = await load(visit, url);
    for (const [library, version] of [["modern", "1.2"], ["legacy", "1.1"]] as const) {
      const protocol = `v${version.replace(".", "")}.stomp`;
      assertEquals(await page.evaluate(greet, { library, url: `${ws}/ws` }), [protocol, version, "你好"]);
    }
  }
});
