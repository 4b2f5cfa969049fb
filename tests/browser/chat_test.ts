import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { type Gong, startGong } from "../support/gong.ts";
import { publish } from "../support/publish.ts";
import { connectSocket } from "../support/socketio/mod.ts";
import { until } from "../support/until.ts";
import { connected, linesOf, panelOf, say, shows } from "./chat_page.ts";
import { controlsOutside, groundColour, isTooWide } from "./in_page.js";
import { pressOn } from "./keyboard.ts";
import { createSuite, HOSTILE, MARKUP, says } from "./suite.ts";

const suite = createSuite();
let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2"]);
});
Deno.test.afterAll(() => gong.kill());

const PAGE = "/static/chat.html";
/** What each choice comes to: how the page says it, and what it asks the server for. */
const CHOICES = [
  { query: "", transport: "WebSocket", asks: ["polling", "websocket"] },
  { query: "?transport=polling", transport: "polling", asks: ["polling"] },
  { query: "?transport=websocket", transport: "WebSocket", asks: ["websocket"] },
] as const;
const TIME = /^\d\d:\d\d:\d\d\.\d{3}$/;

/** `The client has connected to /chat1`. */
function came(place: string): string {
  return `The client has connected to ${place}`;
}

function left(place: string, reason = "io client disconnect"): string {
  return `The client has disconnected from ${place}: ${reason}`;
}

/** Transports that the page uses from now on. */
function watchTransports(page: Page): Set<string> {
  const seen = new Set<string>();
  const note = (url: string) => seen.add(new URL(url).searchParams.get("transport") ?? "none");
  page.on("request", (request) => /\/socket\.io\/\?/.test(request.url()) && note(request.url()));
  page.on("websocket", (socket) => note(socket.url()));
  return seen;
}

/** How the page calls its user there. */
async function nameIn(page: Page, number: 1 | 2): Promise<string> {
  return await page.locator(`#chat${number} .who`).textContent() ?? "";
}

for (const { query, transport, asks } of CHOICES) {
  const how = query === "" ? "upgrading" : `with ${query}`;
  suite.test(`the chat page, ${how}, has two namespaces apart, newest first, and two pages hear each other`, async ({ visit }) => {
    const [one, other] = await Promise.all([visit(`${gong.url}${PAGE}${query}`), visit(`${gong.url}${PAGE}${query}`)]);
    const [here1, here2] = await connected(one, transport);
    const [there1, there2] = await connected(other, transport);
    const [mine, yours] = [await nameIn(one, 1), await nameIn(other, 2)];
    assertMatch(mine, /^user1_\d{1,3}0?$/);
    assertMatch(yours, /^user2_\d{1,3}0?$/);

    await here1.field.fill("hello");
    await here1.button("Send").click();
    assertEquals(await here1.field.inputValue(), "");
    for (const panel of [here1, there1]) await shows(panel, [`${mine}: hello`, came("/chat1")]);
    await say(here1, "once more");
    for (const panel of [here1, there1]) {
      await shows(panel, [`${mine}: once more`, `${mine}: hello`, came("/chat1")]);
    }
    await say(there2, "你好,世界!");
    for (const panel of [here2, there2]) await shows(panel, [`${yours}: 你好,世界!`, came("/chat2")]);
    assertEquals((await linesOf(here1)).length, 3);

    const times = await here1.lines.locator("time").allTextContents();
    for (const time of times) assertMatch(time, TIME);
    assertEquals(await one.getByRole("log", { name: "/chat1" }).locator("li").count(), 3);
    assertEquals(times, times.toSorted().toReversed(), "the newest is first");
  });

  suite.test(`the chat page, ${how}, asks the server for ${asks.join(" and ")} alone`, async ({ visit }) => {
    const page = await visit("about:blank");
    const seen = watchTransports(page);
    await page.goto(`${gong.url}${PAGE}${query}`);
    const [panel] = await connected(page, transport);
    await say(panel, "by that");
    await until(async () => (await linesOf(panel)).length === 2);
    assertEquals([...seen].toSorted(), [...asks]);
    const chosen = page.locator(".transports [aria-current=page]");
    assertEquals(await chosen.count(), 1);
    assertEquals(new URL(await chosen.getAttribute("href") ?? "", page.url()).search, query);
  });

  suite.test(`the chat page, ${how}, disconnects one namespace and not the other, and connects again`, async ({ visit }) => {
    const [one, other] = await Promise.all([visit(`${gong.url}${PAGE}${query}`), visit(`${gong.url}${PAGE}${query}`)]);
    const [first, second] = await connected(one, transport);
    const [there] = await connected(other, transport);
    const [mine, yours] = [await nameIn(one, 2), await nameIn(other, 1)];
    await first.button("Disconnect").click();
    await shows(first, [left("/chat1"), came("/chat1")]);
    await says(first.state, "Disconnected");
    assert(await first.button("Send").isDisabled());
    // Neither is said to nobody, nor kept for later.
    await say(first, "to nobody");
    assertEquals(await first.field.inputValue(), "to nobody");
    await say(there, "meanwhile");
    await shows(there, [`${yours}: meanwhile`, came("/chat1")]);
    await say(second, "still here");
    await shows(second, [`${mine}: still here`, came("/chat2")]);
    assertEquals((await linesOf(first)).length, 2);

    await first.button("Connect").click();
    await says(first.state, `Connected, ${transport}`);
    await say(there, "again");
    await shows(first, [`${yours}: again`, came("/chat1"), left("/chat1"), came("/chat1")]);

    // The last namespace takes the connection with it.
    await first.button("Disconnect").click();
    await second.button("Disconnect").click();
    await says(second.state, "Disconnected");
    await second.button("Connect").click();
    await says(second.state, `Connected, ${transport}`);
    await shows(second, [came("/chat2"), left("/chat2"), `${mine}: still here`, came("/chat2")]);
    assertEquals((await linesOf(first))[0], left("/chat1"));
  });
}

suite.test("the chat page says {userName, message} as the event message, under a random name from 1 to 1000", async ({ visit }) => {
  await using listener = await connectSocket(gong, { namespace: "/chat1" });
  const names = new Set<string>();
  for (const chance of [0, 0.4567, 0.99999]) {
    const page = await visit("about:blank");
    await page.addInitScript((value) => void (Math.random = () => value), chance);
    await page.goto(`${gong.url}${PAGE}`);
    const [panel] = await connected(page, "WebSocket");
    await say(panel, `at ${chance}`);
    names.add(await nameIn(page, 1));
    const { event, args } = await listener.next();
    assertEquals([event, args[0]], ["message", { userName: await nameIn(page, 1), message: `at ${chance}` }]);
  }
  assertEquals([...names], ["user1_1", "user1_457", "user1_1000"]);
});

suite.test("the chat page takes times from the clock of its reader, to the millisecond", async ({ visit }) => {
  const options = { timezoneId: "Asia/Kathmandu", stopped: true };
  const page = await visit("about:blank", options);
  await page.clock.setFixedTime(new Date("2026-11-27T18:19:20.007Z"));
  await page.goto(`${gong.url}${PAGE}`);
  await connected(page, "WebSocket");
  const time = panelOf(page, 1).lines.first().locator("time");
  assertEquals(await time.textContent(), "00:04:20.007");
  assertEquals(await time.getAttribute("datetime"), "2026-11-27T18:19:20.007Z");
});

suite.test("the chat page shows what back-ends and strangers publish as text, and nothing of it is markup", async ({ visit }) => {
  const page = await visit(`${gong.url}${PAGE}`);
  const [panel, silent] = await connected(page, "WebSocket");
  await publish(gong, HOSTILE.map((data) => ({ channel: "chat1", data })));
  await until(async () => await panel.lines.count() === HOSTILE.length + 1);
  await publish(gong, [
    { channel: "chat1", data: { userName: "<b>me</b>", message: "<i>so</i>" } },
    { channel: "chat1", data: { userName: ["a"], message: null } },
    { channel: "chat1", data: [1, { two: 2 }], event: "other" },
    { channel: "chat1", data: { two: 2 } },
  ]);
  await until(async () => await panel.lines.count() === HOSTILE.length + 4);
  const newest = await linesOf(panel);
  assertEquals(newest.slice(0, 3), ['{"two":2}', '["a"]: null', "<b>me</b>: <i>so</i>"]);
  assertMatch(newest[3]!, /^U\+202Egpj\.exe/);
  assertEquals(newest.at(-2), HOSTILE[0]);
  assertEquals(await page.locator(MARKUP).count(), 0);
  assertEquals(await silent.lines.count(), 1);

  await publish(gong, Array.from({ length: 520 }, (_, at) => ({ channel: "chat1", data: `text ${at}` })));
  await says(panel.lines.first().locator("> span"), "text 519");
  assertEquals(await panel.lines.count(), 500);
});

suite.test("the chat page says what it may not, and does what it may", async ({ visit, use }) => {
  const rights = ["--public-channels", "chat1", "--allow-publish", "chat1"];
  const closed = use(await startGong(["--isolates", "1", ...rights], { dev: false }));
  const page = await visit(`${closed.url}${PAGE}`);
  const [first, second] = [panelOf(page, 1), panelOf(page, 2)];
  await says(first.state, "Connected, WebSocket");
  await until(async () => await second.lines.count() === 1);
  assertMatch((await linesOf(second))[0]!, /^The client cannot connect to \/chat2: ./);
  assert(await second.button("Send").isDisabled());
  await say(first, "allowed");
  await shows(first, [`${await nameIn(page, 1)}: allowed`, came("/chat1")]);

  const quiet = use(await startGong(["--isolates", "1", "--public-channels", "chat1"], { dev: false }));
  const mute = await visit(`${quiet.url}${PAGE}`);
  const panel = panelOf(mute, 1);
  await says(panel.state, "Connected, WebSocket");
  await say(panel, "not allowed");
  await until(async () => await panel.lines.count() === 2);
  assertMatch((await linesOf(panel))[0]!, /^Refused: ./);
});

suite.test("the chat page comes back by itself to a server that was away", async ({ visit, use }) => {
  const first = use(await startGong(["--isolates", "1"]));
  const page = await visit(`${first.url}${PAGE}`, { expected: /ERR_CONNECTION_REFUSED|socket\.io/ });
  const [panel] = await connected(page, "WebSocket");
  await first.stop();
  await says(panel.state, "Connecting …");
  use(await startGong(["--isolates", "1", "--port", String(first.port)]));
  await says(panel.state, /^Connected/);
  const lines = await linesOf(panel);
  assertEquals([lines[0], lines.at(-1)], [came("/chat1"), came("/chat1")]);
  assert(lines.some((line) => line.startsWith("The client has disconnected from /chat1: transport")), `${lines}`);
  await panel.field.fill("back");
  await panel.button("Send").click();
  await until(async () => (await linesOf(panel))[0] === `${await nameIn(page, 1)}: back`);
});

suite.test("the chat page is used by the keyboard, on a narrow screen, in light and dark", async ({ visit }) => {
  const view = { viewport: { width: 360, height: 740 } } as const;
  const page = await visit(`${gong.url}${PAGE}`, { ...view, colorScheme: "dark" });
  await connected(page, "WebSocket");
  const dark = await page.evaluate(groundColour);
  await page.emulateMedia({ colorScheme: "light" });
  assert(await page.evaluate(groundColour) !== dark, "the dark is as the light");
  const panel = panelOf(page, 2);
  await panel.field.focus();
  await page.keyboard.type("typed".repeat(40));
  await pressOn(page, "button Send");
  await until(async () => await panel.lines.count() === 2);
  assertEquals(await panel.field.evaluate((field) => field.matches(":focus")), true);
  assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
  assertEquals(await page.evaluate(controlsOutside), []);
  await pressOn(page, "button Disconnect");
  await says(panel.state, "Disconnected");
  // The button that was pressed is still the one with the focus.
  await page.keyboard.press("Enter");
  await says(panel.state, "Connected, WebSocket");
});

suite.test("the page of plain messages leads to the chat page, and that one back", async ({ visit }) => {
  const page = await visit(`${gong.url}/`);
  await page.getByRole("link", { name: "Chat" }).click();
  await connected(page, "WebSocket");
  await page.getByRole("link", { name: "Gong" }).click();
  assertEquals(new URL(page.url()).pathname, "/");
});
