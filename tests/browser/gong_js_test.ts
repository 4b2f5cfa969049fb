import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { Gate } from "../support/gate.ts";
import { type Gong, startGong } from "../support/gong.ts";
import {
  abortSubscription,
  close,
  connect,
  heard,
  lost,
  offsets,
  open,
  publish,
  state,
  states,
  stopStream,
  stream,
} from "./gong_in_page.js";
import { until } from "../support/until.ts";
import { createSuite } from "./suite.ts";

const suite = createSuite();
let server: Gong;
Deno.test.beforeAll(async () => {
  server = await startGong(["--isolates", "2", "--ping", "1s"]);
});
Deno.test.afterAll(async () => await server.kill());

/** A connection that is cut or refused is an error of the console. */
const CUT = /WebSocket connection|net::ERR_|502/;
const ONE_TO = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

async function post(url: string, channel: string, data: unknown): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/api/publish`, {
    method: "POST",
    headers,
    body: JSON.stringify({ channel, data }),
  });
  assertEquals(response.status, 200, await response.text());
}

async function reaches(page: Page, expected: string): Promise<void> {
  await until(
    async () => await page.evaluate(state) === expected,
    async () => `${await page.evaluate(state)}: ${await page.evaluate(states)}`,
  );
}

async function hears(page: Page, expected: readonly unknown[]): Promise<void> {
  await until(
    async () => JSON.stringify(await page.evaluate(heard)) === JSON.stringify(expected),
    async () => `${JSON.stringify(await page.evaluate(heard))}: ${await page.evaluate(states)}`,
  );
}

suite.test("Gong hops in a page to SSE, to polling and back to WebSocket in the midst of a stream, and hears each once", async ({ visit, use }) => {
  const gate = use(new Gate(server.url));
  const page = await visit(`${gate.url}/health`, { expected: CUT });
  await page.evaluate(open, { file: "/gong.js", channel: "a", options: { timeout: 1_000 } });
  await page.evaluate(stream);
  await reaches(page, "open websocket");
  gate.bar("/push", "swallow");
  await reaches(page, "open sse");
  gate.bar("/sse");
  await reaches(page, "open polling");
  gate.barriers.clear();
  await reaches(page, "open websocket");
  const last = await page.evaluate(stopStream);
  await until(async () => (await page.evaluate(offsets)).at(-1) === last);
  assertEquals(await page.evaluate(offsets), ONE_TO(last));
  assertEquals(await page.evaluate(heard), [...ONE_TO(last - 1), "last"]);
  assertEquals(await page.evaluate(lost), []);
});

suite.test("Gong hears in a page what came while its server was away, if that is kept, and else says so", async ({ visit, use }) => {
  const dir = await Deno.makeTempDir();
  try {
    for (const [broker, isKept] of [["sqlite:gong.db", true], ["memory:", false]] as const) {
      const args = ["--isolates", "1", "--broker", broker];
      const first = use(await startGong(args, { dir }));
      const page = await visit(`${first.url}/health`, { expected: CUT });
      await page.evaluate(open, { file: "/gong.js", channel: "a", options: {} });
      await post(first.url, "a", "before");
      await hears(page, ["before"]);
      await first.stop();
      const again = use(await startGong([...args, "--port", String(first.port)], { dir }));
      await post(again.url, "a", "away");
      await page.evaluate(connect);
      await until(async () => isKept || (await page.evaluate(lost)).length > 0);
      await post(again.url, "a", "after");
      await hears(page, isKept ? ["before", "away", "after"] : ["before", "after"]);
      assertEquals(await page.evaluate(lost), isKept ? [] : ["a"]);
      await again.stop();
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

suite.test("Gong works in a page of a foreign origin, over every transport, and publishes from there", async ({ visit, use }) => {
  const site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    return new Response("<!DOCTYPE html><title>elsewhere</title>", { headers: { "content-type": "text/html" } });
  });
  use(site);
  const origin = `http://127.0.0.1:${site.addr.port}`;
  const open_ = ["--public-channels", "*", "--allow-publish", "*", "--api-key", "correct-horse-battery"];
  const foreign = use(await startGong(["--isolates", "1", "--allow-origin", origin, ...open_], { dev: false }));
  for (const transport of ["websocket", "sse", "polling"]) {
    const page = await visit(origin);
    const options = { transports: [transport] };
    await page.evaluate(open, { file: `${foreign.url}/gong.js`, channel: "a", options });
    await page.evaluate(publish, transport);
    await hears(page, [transport]);
    await page.evaluate(close);
  }
  const stranger = use(await startGong(["--isolates", "1", ...open_], { dev: false }));
  const page = await visit(origin, { expected: /WebSocket connection|CORS|net::ERR_|403/ });
  void page.evaluate(open, { file: `${stranger.url}/gong.js`, channel: "a", options: { timeout: 500 } }).catch(
    () => {},
  );
  await until(async () => (await page.evaluate(states) ?? []).some((entry: string) => entry.startsWith("waiting")));
});

suite.test("Gong ends a subscription with its signal, and itself with close()", async ({ visit, use }) => {
  const alone = use(await startGong(["--isolates", "1"]));
  const page = await visit(`${alone.url}/health`);
  const sessions = async () => (await (await fetch(`${alone.url}/api/sessions`)).json()).total;
  await page.evaluate(open, { file: "/gong.js", channel: "a", options: {} });
  assertEquals(await sessions(), 1);
  await page.evaluate(abortSubscription);
  await reaches(page, "idle websocket");
  await until(async () => await sessions() === 0);
  await page.evaluate(close);
  await reaches(page, "closed websocket");
});

suite.test("Gong lets go of its connection when its page goes, and resumes when the page comes back", async ({ visit, use }) => {
  const alone = use(await startGong(["--isolates", "1"]));
  const page = await visit(`${alone.url}/health`);
  await page.evaluate(open, { file: "/gong.js", channel: "a", options: {} });
  await page.evaluate(publish, 1);
  await hears(page, [1]);
  await page.goto(`${alone.url}/ready`);
  await post(alone.url, "a", 2);
  await page.goBack();
  // Whether a page is kept is the browser's affair; one that is has to go on where it was.
  if (await page.evaluate("typeof gong") === "undefined") return;
  await hears(page, [1, 2]);
  assert((await page.evaluate(states)).includes("waiting websocket"));
});
