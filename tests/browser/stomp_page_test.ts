import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Gong, startGong } from "../support/gong.ts";
import { publish } from "../support/publish.ts";
import { connectStomp, textOf } from "../support/stomp.ts";
import { controlsOutside, groundColour, isTooWide } from "./in_page.js";
import { pressOn } from "./keyboard.ts";
import { bodyOf, connectPage, endSession, headerOf, received, sendPage, subscribePage } from "./stomp_page.ts";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, MARKUP, says } from "./suite.ts";

const suite = createSuite();
let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2", "--ping", "4s"]);
});
Deno.test.afterAll(() => gong.kill());

const PAGE = "/static/stomp.html";

for (const version of ["1.0", "1.1", "1.2"]) {
  suite.test(`the STOMP page speaks ${version}: two subscriptions each get text and JSON, and a queue waits for its ACK`, async ({ visit }) => {
    const page = await visit(`${gong.url}${PAGE}`);
    await connectPage(page, version);
    const topic = `/topic/page-${version}`;
    await subscribePage(page, topic);
    await subscribePage(page, topic);
    await sendPage(page, topic, "你好,世界!");
    await sendPage(page, topic, '{"a":[1]}', "application/json");
    const messages = received(page, "MESSAGE");
    await until(async () => await messages.count() === 4);
    const shown = await Promise.all((await messages.all()).map(async (frame) => {
      return [await headerOf(frame, "subscription"), await headerOf(frame, "content-type"), await bodyOf(frame)];
    }));
    const expected = [["text/plain", "你好,世界!"], ["application/json", '{"a":[1]}']].flatMap((what) => [
      ["sub-1", ...what],
      ["sub-2", ...what],
    ]);
    assertEquals(shown.toSorted(), expected.toSorted());
    assertEquals(await messages.first().getByRole("button").count(), 0);

    const queue = `/queue/page-${version}`;
    await subscribePage(page, queue, "client-individual");
    await sendPage(page, queue, "first");
    await sendPage(page, queue, "second");
    await until(async () => await messages.count() === 6);
    const [first, second] = [messages.nth(4), messages.nth(5)];
    await first.getByRole("button", { name: "ACK", exact: true }).click();
    assert(await first.getByRole("button", { name: "ACK", exact: true }).isDisabled());
    if (version === "1.0") assertEquals(await second.getByRole("button", { name: "NACK" }).count(), 0);
    else {
      await second.getByRole("button", { name: "NACK", exact: true }).click();
      await until(async () => await messages.count() === 7);
      assertEquals(await headerOf(messages.nth(6), "redelivered"), "true");
    }
    await page.getByRole("button", { name: "Disconnect" }).click();
    await says(page.locator("#state"), "Closed: 1000, closed");
    // What was acknowledged is gone, and what was not is there for the next.
    await using other = await connectStomp(gong);
    await other.subscribe(queue);
    assertEquals(textOf(await other.next("MESSAGE")), "second");
    other.send("SEND", { destination: queue }, "third");
    assertEquals(textOf(await other.next("MESSAGE")), "third");
  });
}

suite.test("the STOMP page reconnects and goes on with each subscription from where it was, after the server has closed", async ({ visit }) => {
  const page = await visit(`${gong.url}${PAGE}`);
  await connectPage(page, "1.2", "/push");
  await subscribePage(page, "/topic/resumed");
  // Nothing has come by this one.
  const silent = await subscribePage(page, "/topic/silent");
  await publish(gong, [{ channel: "resumed", data: "before" }]);
  const messages = received(page, "MESSAGE");
  await says(messages.locator(".body"), "before");
  const session = await headerOf(received(page, "CONNECTED"), "session");
  await endSession(gong, session!);
  await says(page.locator("#state"), /^Closed: 4403, /);
  await says(silent.locator(".quiet"), /^auto · waits · at /);
  await until(async () => await received(page, "ERROR").count() === 1);
  assert(await page.getByRole("button", { name: "Send", exact: true }).isDisabled());
  await publish(gong, [{ channel: "resumed", data: "meanwhile" }, { channel: "silent", data: "meanwhile too" }]);
  await page.getByRole("button", { name: "Reconnect" }).click();
  await until(async () => await messages.count() === 3);
  const bodies = await Promise.all((await messages.all()).map(bodyOf));
  assertEquals(bodies.toSorted(), ["before", "meanwhile", "meanwhile too"]);
  await publish(gong, [{ channel: "resumed", data: "after" }]);
  await until(async () => await messages.count() === 4);
  assertEquals(await bodyOf(messages.nth(3)), "after");
});

suite.test("the STOMP page sends and shows bytes as hex, has transactions, and a receipt and headers of one's own", async ({ visit }) => {
  const page = await visit(`${gong.url}${PAGE}`);
  await connectPage(page, "1.2");
  await subscribePage(page, "/topic/bytes");
  await page.getByLabel("the body is hex").check();
  await page.getByLabel("Receipt").fill("mine");
  await page.getByLabel("More headers").fill("lang:zh\nx:a:b");
  await sendPage(page, "/topic/bytes", "00 0a ff 41", "image/png");
  const message = received(page, "MESSAGE");
  await says(message.locator(".body"), /4 B\s+00000000 {2}00 0a ff 41 +\|\.\.\.A\|/);
  assertEquals([await headerOf(message, "lang"), await headerOf(message, "x")], ["zh", "a:b"]);
  await until(async () =>
    (await received(page, "RECEIPT").allTextContents()).some((text) => /receipt-id:mine/.test(text))
  );
  await sendPage(page, "/topic/bytes", "0", "image/png");
  await says(page.locator("#send-answer"), /not hex/);

  await page.getByLabel("the body is hex").uncheck();
  for (const label of ["Receipt", "More headers"]) await page.getByLabel(label).fill("");
  await page.getByLabel("Transaction").fill("t");
  await page.getByRole("button", { name: "Begin" }).click();
  await sendPage(page, "/topic/bytes", "kept");
  await page.getByRole("button", { name: "Abort" }).click();
  await page.getByRole("button", { name: "Begin" }).click();
  await sendPage(page, "/topic/bytes", "committed");
  await page.getByRole("button", { name: "Commit" }).click();
  await until(async () => await message.count() === 2);
  assertEquals(await bodyOf(message.last()), "committed");
});

suite.test("the STOMP page holds and empties its log, keeps the last 500 frames, and keeps its heart-beats", async ({ visit }) => {
  const page = await visit(`${gong.url}${PAGE}`);
  await page.getByLabel("My heart-beats").fill("4000");
  await page.getByLabel("The server’s").fill("4000");
  await connectPage(page, "1.2");
  await subscribePage(page, "/topic/many");
  const frames = page.locator("#frames li");
  // The log is drawn a little later than all else.
  await until(async () => await received(page, "RECEIPT").count() === 1);
  await page.getByRole("button", { name: "Pause" }).click();
  const before = await frames.count();
  await publish(gong, Array.from({ length: 20 }, (_, at) => ({ channel: "many", data: `held ${at}` })));
  await says(page.locator("#hold"), "Pause (20 more)");
  assertEquals(await frames.count(), before);
  await page.getByRole("button", { name: "Pause" }).click();
  await until(async () => await frames.count() === before + 20);
  await page.getByRole("button", { name: "Clear" }).click();
  assertEquals(await frames.count(), 0);
  const many = Array.from({ length: 600 }, (_, at) => ({ channel: "many", data: `text ${at}` }));
  await publish(gong, many);
  await says(frames.last().locator(".body"), "text 599");
  assertEquals(await frames.count(), 500);
  await says(page.locator("#beats"), /^Heart-beats: ([2-9]|\d\d+) received, ([2-9]|\d\d+) sent, last /);
  assertEquals(await page.locator("#state").getAttribute("data-phase"), "open");
});

suite.test("the STOMP page shows no passcode, and remembers none; what is refused is said", async ({ visit, use }) => {
  const key = "operator-operator-operator";
  const closed = use(await startGong(["--isolates", "1", "--api-key", key], { dev: false }));
  const page = await visit(`${closed.url}${PAGE}`);
  await page.getByLabel("Passcode").fill("nothing that opens it");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await says(page.locator("#state"), /^Closed: 4401, /);
  await page.getByLabel("Passcode").fill(key);
  await connectPage(page, "1.2");
  await sendPage(page, "/topic/a", "text");
  await page.getByRole("button", { name: "Disconnect" }).click();
  await says(page.locator("#state"), "Closed: 1000, closed");
  assert(!(await page.content()).includes(key), "the key is in the page");
  assertEquals(await page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length"), 0);
  await page.reload();
  assertEquals(await page.getByLabel("Passcode").inputValue(), "");
});

suite.test("the STOMP page can be used by the keyboard alone, on a phone, in the dark, and takes no text for markup", async ({ visit }) => {
  const page = await visit(`${gong.url}/`, { viewport: { width: 360, height: 640 }, colorScheme: "dark" });
  await page.getByRole("link", { name: "STOMP" }).click();
  await page.waitForURL(`**${PAGE}`);
  const dark = await page.evaluate(groundColour);
  await page.emulateMedia({ colorScheme: "light" });
  assert(await page.evaluate(groundColour) !== dark, "the dark is as the light");
  await pressOn(page, "button Connect");
  await says(page.locator("#state"), "Open: STOMP 1.2");
  await pressOn(page, "button Subscribe");
  await says(page.locator("#subscriptions .quiet"), /^auto · subscribed/);
  await page.getByLabel("Body", { exact: true }).focus();
  for (const text of HOSTILE) {
    await page.getByLabel("Body", { exact: true }).fill(text);
    await page.keyboard.press("Control+Enter");
  }
  const messages = received(page, "MESSAGE");
  await until(async () => await messages.count() === HOSTILE.length);
  assertMatch(await bodyOf(messages.last()), /^U\+202Egpj\.exe/);
  assertEquals(await page.locator(MARKUP).count(), 0);
  await pressOn(page, "button Unsubscribe sub-1 from /topic/broadcast");
  assertEquals(await page.locator("#subscriptions li").count(), 0);
  assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
  assertEquals(await page.evaluate(controlsOutside), []);
});
