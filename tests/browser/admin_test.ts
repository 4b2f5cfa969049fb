import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { connectStomp } from "../support/stomp.ts";
import { controlsOutside, focused, groundColour, isTooWide, showsFocus } from "./in_page.js";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, MARKUP, opened, says, type Visitor } from "./suite.ts";

const suite = createSuite();
const KEY = "correct-horse-battery";
const PUBLISHER = "publisher-publisher";
const KEYS = ["--api-key", `ops:admin:${KEY}`, "--api-key", `app:publish:${PUBLISHER}`];
/** Asking who is logged in is answered by 401 when nobody is. */
const LOGGED_OUT = /401/;

/** Open to everybody, and behind keys. */
let dev: Gong, closed: Gong;
Deno.test.beforeAll(async () => {
  [dev, closed] = await Promise.all([
    startGong(["--isolates", "2"]),
    startGong(["--isolates", "1", "--auth-failures", "1000", ...KEYS], { dev: false }),
  ]);
});
Deno.test.afterAll(async () => {
  await Promise.all([dev.kill(), closed.kill()]);
});

async function logIn(visit: Visitor["visit"], key = KEY): Promise<Page> {
  const page = await visit(`${closed.url}/admin`, { expected: LOGGED_OUT });
  await page.getByLabel("Key").fill(key);
  await page.getByRole("button", { name: "Log in" }).click();
  return await opened(page);
}

const rowOf = (page: Page, text: string) => page.locator("#connections-rows tr", { hasText: text });

suite.test("two tabs show what the broadcast form sent, and the form where it went", async ({ visit }) => {
  const tabs = [await opened(await visit(dev.url)), await opened(await visit(dev.url))];
  const admin = await opened(await visit(`${dev.url}/admin`));
  await admin.getByRole("textbox", { name: "Message" }).fill("hello, everyone");
  await admin.getByRole("button", { name: "Publish" }).click();
  for (const tab of tabs) await says(tab.locator("#messages bdi"), "hello, everyone");
  await says(admin.locator("#broadcast-answer"), /^Published: broadcast@[\w-]+:\d+$/);
  assertEquals(await admin.getByRole("textbox", { name: "Message" }).inputValue(), "");
  await says(admin.locator("#recent-list .what").first(), "hello, everyone");
});

suite.test("the broadcast form sends JSON as it was written, to several channels, and no broken JSON", async ({ visit }) => {
  await using listener = await connect(`${dev.ws}/push?channel=j:1`);
  const admin = await opened(await visit(`${dev.url}/admin`, { expected: /403/ }));
  await admin.getByRole("textbox", { name: "Channel" }).fill("j:1, j:2");
  await admin.getByRole("radio", { name: "JSON" }).check();
  await admin.getByRole("textbox", { name: "Message" }).fill('{"a":12345678901234567890,"b":"</script>"}');
  await admin.keyboard.press("Control+Enter");
  assertEquals(await listener.nextText(), '{"a":12345678901234567890,"b":"</script>"}');
  await says(admin.locator("#broadcast-answer"), /^Published: j:1@[\w-]+:1, j:2@[\w-]+:1$/);

  await admin.getByRole("textbox", { name: "Message" }).fill('"text"');
  await admin.keyboard.press("Control+Enter");
  assertEquals(await listener.nextText(), '"text"');
  await says(admin.locator("#broadcast-answer"), /^Published: j:1@[\w-]+:2, j:2@[\w-]+:2$/);

  await admin.getByRole("textbox", { name: "Message" }).fill("{broken");
  await admin.keyboard.press("Control+Enter");
  await says(admin.locator("#broadcast-answer"), /^This is not JSON: /);
  assertEquals(await admin.getByRole("textbox", { name: "Message" }).inputValue(), "{broken");

  await admin.getByRole("textbox", { name: "Channel" }).fill("$admin");
  await admin.getByRole("radio", { name: "Text" }).check();
  await admin.getByRole("button", { name: "Publish" }).click();
  await says(admin.locator("#broadcast-answer"), /^Channels whose name begins with `\$` .*\(\/channel\)$/);
});

suite.test("what is written while the answer is on its way is kept", async ({ visit }) => {
  const admin = await opened(await visit(`${dev.url}/admin`));
  const asked = Promise.withResolvers<() => Promise<void>>();
  await admin.route("**/api/publish", (route) => asked.resolve(() => route.continue()));
  await admin.getByRole("textbox", { name: "Message" }).fill("first");
  await admin.keyboard.press("Control+Enter");
  const goOn = await asked.promise;
  await admin.getByRole("textbox", { name: "Message" }).fill("second");
  await goOn();
  await says(admin.locator("#broadcast-answer"), /^Published: /);
  assertEquals(await admin.getByRole("textbox", { name: "Message" }).inputValue(), "second");
});

suite.test("logging in takes the key, refuses a wrong one, and lasts over a reload until logging out", async ({ visit }) => {
  const page = await visit(`${closed.url}/admin`, { expected: LOGGED_OUT });
  await page.getByLabel("Key").fill("wrong-wrong-wrong-wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await says(page.getByRole("alert"), "The key is not valid.");
  assertEquals(await page.locator("#desk").isVisible(), false);

  await page.getByLabel("Key").fill(KEY);
  await page.getByRole("button", { name: "Log in" }).click();
  await opened(page);
  await says(page.locator("#who"), "ops");
  assertEquals(await page.locator("#key").inputValue(), "");
  const cookies = await page.context().cookies();
  assertEquals(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]), [["gong", true, "Strict"]]);
  assert(!JSON.stringify(cookies).includes(KEY));
  await page.reload();
  await opened(page);

  await page.getByRole("button", { name: "Log out" }).click();
  await says(page.locator("#login-answer"), "You are logged out.");
  await page.reload();
  await page.getByLabel("Key").waitFor();
  assertEquals(await page.context().cookies(), []);
});

suite.test("a login that ended elsewhere ends on this page too", async ({ visit }) => {
  const page = await logIn(visit);
  const other = await visit(`${closed.url}/admin`, { beside: page, expected: LOGGED_OUT });
  await opened(other);
  await other.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("Key").waitFor();
  await says(page.locator("#login-answer"), "The login has ended.");
});

suite.test("a key that may only publish gets only the form, and schedules", async ({ visit }) => {
  const page = await logIn(visit, PUBLISHER);
  assertEquals(await page.getByRole("region").allInnerTexts().then((texts) => texts.length), 1);
  assert(await page.getByRole("region", { name: "Broadcast" }).isVisible());
  assertEquals(await page.getByRole("navigation").getByRole("link").allTextContents(), ["Overview", "Schedules"]);
  assert(!await page.getByLabel("Trace").isVisible());
  await page.getByRole("textbox", { name: "Message" }).fill("from the publisher");
  const asked = page.waitForRequest("**/api/publish");
  await page.keyboard.press("Control+Enter");
  assertEquals("trace" in (await asked).postDataJSON(), false, "it could not be looked up");
  await says(page.locator("#broadcast-answer"), /^Published: /);
});

suite.test("a connection is closed at the second press, and its tab does not come back by itself", async ({ visit }) => {
  const tab = await opened(await visit(`${dev.url}/?channel=to-be-closed`));
  await using other = await connect(`${dev.ws}/push?channel=to-be-left`);
  // Whoever hears itself is known to the hub.
  other.send("there");
  assertEquals(await other.nextText(), "there");
  const admin = await opened(await visit(`${dev.url}/admin#connections`, { stopped: true }));
  const row = rowOf(admin, "to-be-closed");
  // A double click is one press too quickly, be it the first two presses or later ones.
  for (let n = 0; n < 2; n++) {
    await row.getByRole("button").dblclick();
    await says(row.getByRole("button"), "Really?");
  }
  assertEquals(await tab.locator("#state").getAttribute("data-phase"), "open");
  await rowOf(admin, "to-be-left").getByRole("button").focus();
  await says(row.getByRole("button"), "Close");

  await row.getByRole("button").click();
  await admin.clock.runFor(350);
  await row.getByRole("button").click();
  await admin.clock.resume();
  await says(admin.locator("#connections-answer"), /^Closed [\w-]+\.$/);
  await row.waitFor({ state: "detached" });
  await says(tab.locator("#state"), /^Closed: 4403, .+\.$/);
  await tab.getByRole("button", { name: "Connect now" }).click();
  await opened(tab);
  assertEquals(other.buffered, 0);
  other.send("still there");
  assertEquals(await other.nextText(), "still there");
});

suite.test("who consumes a queue can be found by its name", async ({ visit }) => {
  const admin = await opened(await visit(`${dev.url}/admin#connections`));
  await using consumer = await connectStomp(dev);
  await consumer.subscribe("/queue/mail", { ack: "client" });
  await consumer.subscribe("/topic/heard");
  await says(rowOf(admin, "queue mail").locator("bdi").last(), "heard, queue mail");
});

suite.test("what clients say of themselves stays text in the table and in the list", async ({ visit }) => {
  const admin = await opened(await visit(`${dev.url}/admin#connections`));
  // A header has no control characters; the stage shows those.
  const texts = HOSTILE.slice(0, 5);
  const clients = await Promise.all(
    texts.map((text, at) => connect(`${dev.ws}/push?channel=hostile${at}`, { headers: { "user-agent": text } })),
  );
  for (const [at, text] of texts.entries()) {
    clients[at]!.send(text);
    await says(admin.locator("#recent-list .what").first(), text);
    // Deno puts its own name first.
    const agent = rowOf(admin, `hostile${at}`).locator(".agent");
    await until(
      async () => (await agent.textContent() ?? "").endsWith(text),
      async () => `${await agent.textContent()}`,
    );
  }
  assertEquals(await admin.locator(MARKUP).count(), 0);
  await Promise.all(clients.map((client) => client.close()));
});

suite.test("the figures move by themselves: connections, published, delivered", async ({ visit }) => {
  const admin = await opened(await visit(`${dev.url}/admin`));
  const figure = (name: string) => admin.locator(".figure", { hasText: name });
  await until(async () => Number(await figure("Connections").locator(".value").textContent()) >= 1);
  const before = await figure("Published a second").locator(".note").textContent();
  await using client = await connect(`${dev.ws}/push?channel=figures`);
  for (const name of ["Published a second", "Delivered a second"]) {
    for (let message = 0; message < 40; message++) client.send("x");
    await until(async () => Number(await figure(name).locator(".value").textContent()) > 5);
  }
  assert(await figure("Published a second").locator(".note").textContent() !== before);
  for (const name of ["Memory", "Edges", "Publish to write", "CPU", "Queued", "Closed"]) {
    const value = admin.locator(".small div", { has: admin.getByText(name, { exact: true }) }).locator(".value");
    await until(
      async () => /\d/.test(await value.textContent() ?? ""),
      async () => `${name}: ${await value.textContent()}`,
    );
  }
  const points = (await figure("Connections").locator("path").last().getAttribute("d") ?? "").split("L").length;
  assert(points >= 2, "a line is drawn");
});

suite.test("without its live feed the page asks instead", async ({ visit }) => {
  const admin = await visit("about:blank", { expected: /WebSocket connection/ });
  await admin.routeWebSocket(/\/push/, (socket) => socket.close({ code: 1013 }));
  await admin.goto(`${dev.url}/admin`);
  await says(admin.locator("#state"), "Not live, reconnecting …");
  await using client = await connect(`${dev.ws}/push?channel=polled`);
  client.send("found by asking");
  await says(admin.locator("#recent-list .what").first(), "found by asking");
  await says(admin.locator(".figure .value").first(), /^\d+$/);
});

suite.test("the admin page needs no pointer: log in, publish, close a connection, log out", async ({ visit }) => {
  await using client = await connect(`${closed.ws}/push`);
  const page = await visit(`${closed.url}/admin`, { expected: LOGGED_OUT });
  const { keyboard } = page;
  await page.getByLabel("Key").waitFor();
  const press = async (key: string) => {
    await keyboard.press(key);
    assert(await page.evaluate(showsFocus), `no focus is seen on ${await page.evaluate(focused)}`);
  };
  assertEquals(await page.evaluate(focused), "input Key");
  await keyboard.type(KEY);
  await keyboard.press("Enter");
  await opened(page);
  await until(async () => await page.evaluate(focused) === "textarea Message");
  await keyboard.type("by keyboard");
  await press("Tab");
  assertEquals(await page.evaluate(focused), "button Publish");
  await keyboard.press("Enter");
  assertEquals(await client.nextText(), "by keyboard");

  await Promise.all(["#recent-list", "#traces-list"].map((list) => page.locator(list).waitFor()));
  await until(async () => await page.evaluate(focused) === "textarea Message");
  const order: string[] = [];
  for (let at = 0; at < 7; at++) {
    await press("Tab");
    order.push(await page.evaluate(focused));
  }
  assertEquals(order, [
    ...["button Publish", "input Trace", "summary More", "ol Last publications"],
    ...["input Look up by publication id", "button Look up", "ol What became of a publication"],
  ]);
  while (await page.evaluate(focused) !== "a Connections") await press("Shift+Tab");
  await keyboard.press("Enter");
  await rowOf(page, "broadcast").waitFor();
  for (const name of ["a Presence", "a Schedules", "select Find by", "input Find by id", "button Find"]) {
    await press("Tab");
    assertEquals(await page.evaluate(focused), name);
  }
  await press("Tab");
  // The page's own session may be the first.
  const id = (await rowOf(page, "broadcast").locator(".session .name").textContent())!;
  while (await page.evaluate(focused) !== `button Close session ${id}`) await press("Tab");
  await keyboard.press("Enter");
  assertEquals(await page.evaluate(focused), `button Really close session ${id}?`);
  await keyboard.press("Escape");
  assertEquals(await page.evaluate(focused), `button Close session ${id}`);
  await keyboard.press("Enter");
  await page.waitForTimeout(350);
  await keyboard.press("Enter");
  assertEquals((await client.closed).code, 4403);
  await says(page.locator("#connections-answer"), `Closed ${id}.`);
  // As soon as the table has been read again.
  await until(async () => /^(button Close session|input Find by id)/.test(await page.evaluate(focused)));

  await page.getByRole("button", { name: "Log out" }).focus();
  await keyboard.press("Enter");
  await until(async () => await page.evaluate(focused) === "input Key");
});

suite.test("the admin page fits 360 pixels, and follows the reader's colours", async ({ visit }) => {
  await using _client = await connect(`${dev.ws}/push?channel=${"long".repeat(30)}`, {
    headers: { "user-agent": "x".repeat(150) },
  });
  const colours: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const viewport = { width: 360, height: 640 };
    const page = await opened(await visit(`${dev.url}/admin#connections`, { viewport, colorScheme }));
    await rowOf(page, "longlong").waitFor();
    assert(!await page.evaluate(isTooWide), "the connections scroll sideways");
    assertEquals(await page.evaluate(controlsOutside), []);
    await page.getByRole("link", { name: "Overview" }).click();
    await page.getByRole("textbox", { name: "Message" }).fill("x".repeat(300));
    await page.keyboard.press("Control+Enter");
    await says(page.locator("#broadcast-answer"), /^Published/);
    assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
    assertEquals(await page.evaluate(controlsOutside), []);
    colours.push(await page.evaluate(groundColour));
  }
  assert(colours[0] !== colours[1], `both ${colours[0]}`);
});
