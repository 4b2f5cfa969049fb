import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { connect } from "../support/client.ts";
import { Gate } from "../support/gate.ts";
import { type Gong, startGong } from "../support/gong.ts";
import {
  controlsOutside,
  groundColour,
  isTooWide,
  newestInView,
  setHidden,
  shownNotifications,
  spyOnNotifications,
  wake,
} from "./in_page.js";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, opened, says } from "./suite.ts";

const suite = createSuite();
const KEY = "correct-horse-battery";
let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2"]);
});
Deno.test.afterAll(async () => await gong.kill());

/** Publishes as a back-end does. */
async function publish(data: unknown, { to = gong, channel = "broadcast", key = "" } = {}): Promise<void> {
  const headers = { "content-type": "application/json", ...(key ? { "x-api-key": key } : {}) };
  const response = await fetch(`${to.url}/api/publish`, {
    method: "POST",
    headers,
    body: JSON.stringify({ channel, data }),
  });
  assertEquals(response.status, 200, await response.text());
}

const texts = (page: Page) => page.locator("#messages .message bdi").allTextContents();

async function shows(page: Page, expected: readonly string[]): Promise<void> {
  const same = async () => JSON.stringify(await texts(page)) === JSON.stringify(expected);
  await until(same, async () => `shown: ${JSON.stringify(await texts(page))}`);
}

suite.test("the client shows what every tab sends, its own too, with time, and tells the console", async ({ visit }) => {
  const [first, second] = [await opened(await visit(gong.url)), await opened(await visit(gong.url))];
  const logged: string[] = [];
  second.on("console", (message) => logged.push(message.text()));
  await first.getByLabel("Message", { exact: true }).fill("one\ntwo");
  await first.getByRole("button", { name: "Send" }).click();
  await shows(first, ["one\ntwo"]);
  await second.getByLabel("Message", { exact: true }).fill("three");
  await second.keyboard.press("Control+Enter");
  for (const page of [first, second]) await shows(page, ["one\ntwo", "three"]);
  assertEquals(await second.getByLabel("Message", { exact: true }).inputValue(), "");
  assertMatch(await second.locator("#messages time").first().textContent() ?? "", /^\d\d:\d\d:\d\d$/);
  assertEquals(logged, ["gong: one\ntwo", "gong: three"]);
});

suite.test("the client hears the channels of its address, and sends to the first", async ({ visit }) => {
  const page = await opened(await visit(`${gong.url}/?channel=a:1&channel=b&channel=b`));
  await publish("of b", { channel: "b" });
  await shows(page, ["of b"]);
  await using other = await connect(`${gong.ws}/push?channel=a:1`);
  await page.getByLabel("Message", { exact: true }).fill("to a");
  await page.getByRole("button", { name: "Send" }).click();
  assertEquals(await other.nextText(), "to a");
  assertEquals(await page.title(), "a:1, b · Gong");

  await page.getByLabel("Channel").fill("c d");
  await page.getByRole("button", { name: "Listen" }).click();
  await page.waitForURL(`${gong.url}/?channel=c&channel=d`);
});

suite.test("hostile messages stay text, and the policy has nothing to report", async ({ visit }) => {
  const page = await opened(await visit(gong.url));
  for (const text of HOSTILE) await publish(text);
  const shown = [...HOSTILE.slice(0, -1), "U+202Egpj.exeU+2066U+0007U+001B[31m"];
  await shows(page, shown);
  assertEquals(await page.locator("#messages :is(img, svg, script, a)").count(), 0);
  assertEquals(await page.locator("#messages .unseen").allTextContents(), ["U+202E", "U+2066", "U+0007", "U+001B"]);
});

suite.test("a channel name that is markup stays text, and is refused with the reason", async ({ visit }) => {
  const name = "<img src=x onerror=alert(1)>";
  const page = await visit(`${gong.url}/?channel=${encodeURIComponent(name)}`, { expected: /400/ });
  await page.locator("#state[data-phase=closed]").waitFor();
  await says(page.locator("#hint"), `"${name}" is not a channel name.`);
  assertEquals(await page.locator("main img").count(), 0);
  assertEquals(await page.title(), `${name} · Gong`);
  assert(await page.getByRole("button", { name: "Send" }).isDisabled());
});

suite.test("the client keeps 500 messages, the newest in view unless the reader scrolled up", async ({ visit }) => {
  const page = await opened(await visit(gong.url));
  const batch = (from: number) =>
    Array.from({ length: 300 }, (_, at) => ({ channel: "broadcast", data: `m${from + at}` }));
  for (const from of [0, 300]) {
    await fetch(`${gong.url}/api/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ publications: batch(from) }),
    }).then((response) => response.body?.cancel());
  }
  const last = page.locator("#messages li").last();
  await says(last.locator("bdi"), "m599");
  assertEquals(await page.locator("#messages li").count(), 500);
  const inView = () => page.evaluate(newestInView);
  await until(inView);

  await page.locator("#scroll").evaluate((node) => node.scrollTop = 0);
  const latest = page.locator("#latest");
  await until(async () => {
    await publish("later");
    return await latest.isVisible();
  });
  await says(latest, /^\d+ new ↓$/);
  assertEquals(await page.locator("#scroll").evaluate((node) => node.scrollTop), 0);
  await latest.click();
  await until(inView);
  await latest.waitFor({ state: "hidden" });

  await page.getByRole("button", { name: "Clear list" }).click();
  assertEquals(await page.locator("#messages li").count(), 0);
});

suite.test("the client counts bytes before it sends, and clears its text", async ({ visit }) => {
  const page = await opened(await visit(gong.url));
  const text = page.getByLabel("Message", { exact: true });
  const send = page.getByRole("button", { name: "Send" });
  assert(await send.isDisabled(), "nothing is written yet");
  await text.fill("é".repeat(32_769));
  await says(page.locator("#reason"), "64 KiB; at most 64 KiB are taken.");
  assert(await send.isDisabled());
  await text.fill("é".repeat(32_768));
  assert(await send.isEnabled());
  await page.getByRole("button", { name: "Clear", exact: true }).click();
  assertEquals([await text.inputValue(), await send.isDisabled()], ["", true]);
});

suite.test("the client comes back when the server does, on the same port, and says what it missed", async ({ visit, use }) => {
  const first = use(await startGong(["--isolates", "1"]));
  // A request that the server takes while it ends is reset or gets no answer; a later one is refused.
  const page = await opened(await visit(first.url, { expected: /WebSocket connection|net::ERR_/ }));
  await page.getByLabel("Message", { exact: true }).fill("a draft");
  await first.stop();
  await says(page.locator("#state"), /^Closed: .+\. Reconnecting in \d+ s$/);
  assert(await page.getByRole("button", { name: "Send" }).isDisabled());
  const again = use(await startGong(["--isolates", "1", "--port", String(first.port)]));
  await opened(page);
  await says(page.locator("#messages .note span"), "What came on broadcast in the meantime is lost");
  await publish("back", { to: again });
  await shows(page, ["back"]);
  assertEquals(await page.getByLabel("Message", { exact: true }).inputValue(), "a draft");
});

suite.test("the client shows what it missed, in order, and over which transport it hears", async ({ visit, use }) => {
  const gate = use(new Gate(gong.url));
  const page = await opened(await visit(gate.url, { expected: /WebSocket connection|net::ERR_|502/ }));
  await says(page.locator("#state"), "Open, over WebSocket");
  await publish("before");
  await shows(page, ["before"]);
  for (const path of ["/push", "/sse", "/poll"]) gate.bar(path);
  await says(page.locator("#state"), /^Closed: .+\. Reconnecting in \d+ s$/);
  for (const text of ["missed 1", "missed 2"]) await publish(text);
  gate.barriers.delete("/sse");
  // It may have come back by itself meanwhile: then the button is hidden, and does the same.
  await page.locator("#again").dispatchEvent("click");
  await shows(page, ["before", "missed 1", "missed 2"]);
  await says(page.locator("#state"), "Open, over Server-Sent Events");
  await page.getByLabel("Message", { exact: true }).fill("over HTTP");
  await page.getByRole("button", { name: "Send" }).click();
  await shows(page, ["before", "missed 1", "missed 2", "over HTTP"]);
  assertEquals(await page.locator("#messages .note").count(), 0);
});

suite.test("the client connects at once when the network or the reader comes back", async ({ visit }) => {
  // While its clock stands still no wait of the page comes to its end.
  const page = await opened(await visit(gong.url, { expected: /WebSocket connection/, stopped: true }));
  let down = true;
  await page.route("**/session?*", (route) => route.continue());
  await page.routeWebSocket(/\/push/, (socket) => down ? socket.close({ code: 1013 }) : void socket.connectToServer());
  await page.reload();
  for (const event of ["online", "visibilitychange"]) {
    down = true;
    await page.reload();
    await says(page.locator("#state"), /Reconnecting in \d+ s$/);
    down = false;
    await page.evaluate(wake, event);
    await opened(page);
  }
});

suite.test("a notification is shown while the tab is hidden, and only then", async ({ visit }) => {
  const page = await opened(
    await visit(gong.url, {
      permissions: ["notifications"],
      before: spyOnNotifications,
    }),
  );
  const shown = () => page.evaluate(shownNotifications);
  await page.getByRole("button", { name: "Notify me" }).click();
  await page.getByRole("button", { name: "Notifying", pressed: true }).waitFor();
  await publish("seen");
  await shows(page, ["seen"]);
  await page.evaluate(setHidden, true);
  await publish("unseen \u202E");
  await until(async () => (await shown()).length === 1);
  assertEquals(await shown(), [["broadcast", "unseen U+202E"]]);
  await says(page.locator("title"), "(1) broadcast · Gong");
  await publish("more");
  await publish("and more");
  await until(async () => (await shown()).length === 2);
  assertEquals((await shown())[1], ["broadcast: 2 messages", "and more"]);
  await page.evaluate(setHidden, false);
  await publish("seen again");
  await shows(page, ["seen", "unseen U+202E", "more", "and more", "seen again"]);
  assertEquals((await shown()).length, 2);
  assertEquals(await page.title(), "broadcast · Gong");

  await page.reload();
  await page.getByRole("button", { name: "Notifying", pressed: true }).click();
  await page.getByRole("button", { name: "Notify me", pressed: false }).waitFor();
});

suite.test("sending is disabled with the reason where publishing is refused, until somebody logs in", async ({ visit, use }) => {
  const closed = use(await startGong(["--isolates", "1", "--api-key", KEY], { dev: false }));
  const page = await opened(await visit(closed.url, { expected: /401/ }));
  const send = page.getByRole("button", { name: "Send" });
  await says(page.locator("#reason"), "Publishing to broadcast needs a login.");
  await page.getByLabel("Message", { exact: true }).fill("hello");
  await page.keyboard.press("Control+Enter");
  assert(await send.isDisabled());
  assertEquals(await page.locator("#messages li").count(), 0);

  await page.getByRole("link", { name: "Log in" }).click();
  await page.getByLabel("Key").fill(KEY);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Gong" }).click();
  await opened(page);
  await page.getByLabel("Message", { exact: true }).fill("hello");
  await page.keyboard.press("Control+Enter");
  await shows(page, ["hello"]);
});

suite.test("a channel that may not be heard is said so, and not asked for again and again", async ({ visit, use }) => {
  const closed = use(await startGong(["--isolates", "1", "--api-key", KEY], { dev: false }));
  const page = await visit(`${closed.url}/?channel=secret`, { expected: /WebSocket connection/ });
  await says(page.locator("#hint"), "Listening to secret needs a login.");
  await page.locator("#state[data-phase=closed]").waitFor();
  await page.getByRole("button", { name: "Connect now" }).waitFor();
});

suite.test("a text that was refused with 4403 is given back, and the client goes on listening", async ({ visit, use }) => {
  const closed = use(await startGong(["--isolates", "1", "--api-key", KEY], { dev: false }));
  const page = await visit("about:blank");
  await page.route("**/session?*", (route) => route.fulfill({ json: { subscribe: true, publish: true } }), {
    times: 1,
  });
  await page.goto(closed.url);
  await opened(page);
  await page.getByLabel("Message", { exact: true }).fill("hello");
  await page.getByRole("button", { name: "Send" }).click();
  await says(page.locator("#reason"), "Publishing to broadcast needs a login.");
  await opened(page);
  assertEquals(await page.getByLabel("Message", { exact: true }).inputValue(), "hello");
  await publish("still heard", { to: closed, key: KEY });
  await shows(page, ["still heard"]);
});

suite.test("the client fits 360 pixels, and follows the reader's colours", async ({ visit }) => {
  const colours: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await opened(
      await visit(`${gong.url}/?channel=${"long".repeat(30)}`, {
        viewport: { width: 360, height: 640 },
        colorScheme,
      }),
    );
    await publish("x".repeat(400), { channel: "long".repeat(30) });
    await page.locator("#messages li").waitFor();
    assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
    assertEquals(await page.evaluate(controlsOutside), []);
    colours.push(await page.evaluate(groundColour));
  }
  assert(colours[0] !== colours[1], `both ${colours[0]}`);
});
