import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";
import { controlsOutside, focused, isTooWide } from "./in_page.js";
import { createSuite, HOSTILE, MARKUP, opened, says, until, type Visitor } from "./suite.ts";

const suite = createSuite();
const KEYS: Record<string, string> = {
  ops: "operator-operator-operator",
  graph: "statistics-statistics",
  app: "publisher-publisher",
};
const SETTINGS = [
  ...["--isolates", "2", "--token-secret", TOKEN_SECRET, "--auth-failures", "1000", "--log-level", "debug"],
  ...["--api-key", `ops:admin:${KEYS.ops}`, "--api-key", `graph:stats:${KEYS.graph}`],
  ...["--api-key", `app:publish:${KEYS.app}`, "--rule", "room:* presence=on"],
];
/** Asking who is logged in is answered by 401 when nobody is. */
const LOGGED_OUT = /401/;
/** Longer than the time in which a second press is taken for a double click. */
const PAUSE = 350;

let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(SETTINGS, { dev: false });
});
Deno.test.afterAll(() => gong.kill());

/** The page, logged in with the key of that name. */
async function logIn(visit: Visitor["visit"], name: string, where = "", expected = LOGGED_OUT): Promise<Page> {
  const page = await visit(`${gong.url}/admin#${where}`, { expected });
  await page.getByLabel("Key").fill(KEYS[name]!);
  await page.keyboard.press("Enter");
  return await opened(page);
}

async function join(user: string, channel: string, info?: unknown) {
  const token = signToken({ sub: user, channels: ["*"], ...info === undefined ? {} : { info } });
  return await connect(`${gong.ws}/push?format=json&channel=${channel}&token=${token}`);
}

/** The next line that is a publication, of what a client of the JSON door gets. */
async function nextPublication(client: Awaited<ReturnType<typeof join>>): Promise<Record<string, unknown>> {
  for (;;) {
    for (const line of (await client.nextText()).split("\n")) {
      const value = JSON.parse(line);
      if (value.offset !== undefined && value.type === undefined) return value;
    }
  }
}

/** Goes to the control by the tabulator, and presses it once or, for what cannot be taken back, twice. */
async function press(page: Page, name: string, times = 1): Promise<void> {
  for (let at = 0; await page.evaluate(focused) !== name; at++) {
    assert(at < 300, `no ${name}`);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  if (times === 1) return;
  await page.waitForTimeout(PAUSE);
  await page.keyboard.press("Enter");
}

/** An entry of the log that says who did what. */
async function logged(event: string, ...parts: string[]): Promise<void> {
  await gong.line((line) => [event, "ops", ...parts].every((part) => line.includes(part)));
}

suite.test("a message to a user reaches the user's client, and the user is disconnected; the log says who did it", async ({ visit }) => {
  await using client = await join("ann", "room:a", { name: "<b>Ann</b>" });
  const page = await logIn(visit, "ops", "users?prefix=ann");
  await says(page.locator("#users-range"), "1–1 of 1");
  await says(page.locator("#users-rows .info"), '{"name":"<b>Ann</b>"}');
  await says(page.locator("#users-totals"), /^[1-9]\d* users? · [1-9]\d* sessions? · [1-9]\d* connections?$/);
  await press(page, "button Message to user ann");
  await page.keyboard.type("hello, Ann");
  await page.keyboard.press("Control+Enter");
  await says(page.locator("#users-answer"), /^Sent to ann: reached 1 session; it is kept as \$user\/ann@[\w-]+:1\.$/);
  const { channel, data } = await nextPublication(client);
  assertEquals([channel, data], ["$user/ann", "hello, Ann"]);
  await logged("api.publish");

  await press(page, "a 1 session");
  await says(page.locator("#connections-range"), "1 session of this user");
  await says(page.locator("#connections-rows .client a"), "ann");
  await page.goBack();
  await page.locator("#users-rows tr").waitFor();
  await press(page, "button Disconnect user ann", 2);
  await says(page.locator("#users-answer"), "Disconnected ann: 1 session.");
  assertEquals((await client.closed).code, 4403);
  await logged("api.disconnect", "ann");
  await says(page.locator("#users-range"), "No user's id begins so");
});

suite.test("presence shows who hears a channel, and who is unsubscribed or disconnected does not any more", async ({ visit }) => {
  await using bob = await join("bob", "room:p", { team: 7 });
  await using carl = await join("carl", "room:p");
  const page = await logIn(visit, "ops", "presence", /40[13]/);
  await press(page, "input Channel");
  await page.keyboard.type("room:p");
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-count"), "2 sessions, 2 users: room:p");
  const idOf = (user: string) =>
    page.locator("#presence-rows tr", { hasText: user }).locator("a").first().textContent();
  const [first, second] = [(await idOf("bob"))!, (await idOf("carl"))!];
  await says(page.locator("#presence-rows tr", { hasText: "bob" }).locator(".info"), '{"team":7}');
  await press(page, `button Unsubscribe session ${first}`, 2);
  await says(page.locator("#presence-answer"), `${first} hears room:p no more.`);
  for (let told = ""; !told.includes('"unsubscribed"');) told = await bob.nextText();
  await logged("api.unsubscribe", "room:p", first);
  await says(page.locator("#presence-count"), "1 session, 1 user: room:p");
  await press(page, `button Disconnect session ${second}`, 2);
  await says(page.locator("#presence-answer"), `Disconnected ${second}.`);
  assertEquals((await carl.closed).code, 4403);
  await logged("api.disconnect", second);
  await says(page.locator("#presence-range"), "Nobody hears it");

  await page.getByRole("textbox", { name: "Channel" }).fill("quiet");
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-answer"), /presence/i);
  assertMatch((await page.locator("#presence-answer").getAttribute("class"))!, /\btrouble\b/);
});

suite.test("a schedule is made, fires, is shown to have fired, is changed with its data as it was, and is cancelled", async ({ visit }) => {
  await using client = await join("dora", "room:s");
  const page = await logIn(visit, "ops", "schedules", /40[01]/);
  await press(page, "button New schedule");
  await page.keyboard.type("chime");
  const field = (name: string) => page.locator(`#schedule-${name}`);
  await page.getByRole("radio", { name: "Every" }).check();
  await field("every").fill("1");
  await field("to").fill("room:s");
  await page.getByRole("radio", { name: "JSON" }).check();
  await field("data").fill('{"n":12345678901234567890,"s":"}"}');
  await page.keyboard.press("Control+Enter");
  await says(page.locator("#schedules-answer"), /^Scheduled chime: next at /);
  await logged("api.schedule", "chime");
  const { channel, data } = await nextPublication(client);
  assertEquals([channel, JSON.stringify(data)], ["room:s", '{"n":12345678901234567000,"s":"}"}']);
  await says(page.locator("#schedules-rows .outcome"), "published");

  await press(page, "button Edit schedule chime");
  await page.getByRole("dialog").waitFor();
  assertEquals(await field("data").inputValue(), '{"n":12345678901234567890,"s":"}"}');
  await page.getByRole("radio", { name: "Cron" }).check();
  await field("cron").fill("61 * * * *");
  await field("zone").fill("Europe/Berlin");
  await field("save").click();
  await until(async () => (await field("cron-error").textContent()) !== "");
  assertEquals(await page.evaluate("document.activeElement.id"), "schedule-cron");
  await field("cron").fill("0 9 * * 1-5");
  await field("zone").fill("Europe/Atlantis");
  await field("save").click();
  await until(async () => (await field("zone-error").textContent()) !== "");
  await field("zone").fill("Europe/Berlin");
  await field("save").click();
  await says(page.locator("#schedules-answer"), /^Changed chime: next at /);
  await says(page.locator("#schedules-rows td").nth(1), "0 9 * * 1-5 · Europe/Berlin");

  await press(page, "button Cancel schedule chime", 2);
  await says(page.locator("#schedules-answer"), "Cancelled chime.");
  await says(page.locator("#schedules-range"), "Nothing is scheduled");
  await logged("api.schedule", "cancel", "chime");
});

suite.test("a schedule for once, at a time of this device's clock, to a user, is taken as it is shown", async ({ visit }) => {
  await using client = await join("eve", "room:e");
  const page = await logIn(visit, "ops", "schedules", /40[01]/);
  const field = (name: string) => page.locator(`#schedule-${name}`);
  await page.getByRole("button", { name: "New schedule" }).click();
  await field("at").fill("2001-01-01T00:00:00");
  await page.getByRole("radio", { name: "Users" }).check();
  await field("to").fill("eve");
  await field("data").fill("<img src=x onerror=alert(1)>");
  await field("save").click();
  await until(async () => (await field("at-error").textContent()) !== "");
  await page.getByRole("radio", { name: "Once, in" }).check();
  await field("in").fill("0.5");
  await field("save").click();
  await says(page.locator("#schedules-answer"), /^Scheduled \w{12}: next at /);
  assertEquals((await nextPublication(client)).data, "<img src=x onerror=alert(1)>");
  await says(page.locator("#schedules-rows .outcome"), "published");
  await says(page.locator("#schedules-rows .what"), "<img src=x onerror=alert(1)>");
  await says(page.locator("#schedules-rows .channels"), "$user/eve");
  await says(page.locator("#schedules-rows td").nth(4), "no more");
});

suite.test("a key gets the parts of the page that are of use to it, and an address of another leads to the overview", async ({ visit }) => {
  const parts: Record<string, string[]> = {
    ops: ["Overview", "Users", "Connections", "Presence", "Schedules"],
    graph: ["Overview", "Presence"],
    app: ["Overview", "Schedules"],
  };
  await using _client = await join("fay", "room:f");
  for (const [name, expected] of Object.entries(parts)) {
    const page = await logIn(visit, name, "connections", /40[13]/);
    assertEquals(await page.locator("#views a:visible").allTextContents(), expected, name);
    assertEquals(await page.locator("#view-connections").isVisible(), name === "ops");
    assertEquals(await page.locator("#view-overview").isVisible(), name !== "ops");
    for (const link of await page.locator("#views a:visible").all()) {
      await link.click();
      await page.waitForLoadState("networkidle");
      assertEquals(await page.locator(".trouble:not(:empty)").count(), 0, `${name}: ${await link.textContent()}`);
    }
  }
});

suite.test("users whose ids and info are markup stay text and can be acted on, at 360 pixels too", async ({ visit }) => {
  // Bytes that no id may have are the stage's part.
  const texts = HOSTILE.slice(0, 5);
  const clients = await Promise.all(texts.map((text) => join(text, "room:x", { [text]: text })));
  const page = await logIn(visit, "ops", "users");
  await page.setViewportSize({ width: 360, height: 640 });
  for (const [at, text] of texts.entries()) {
    const row = page.locator("#users-rows tr", { has: page.getByText(text, { exact: true }) });
    await says(row.locator(".info"), JSON.stringify({ [text]: text }));
    await row.getByRole("button", { name: "Message" }).click();
    await page.keyboard.type(text);
    await page.keyboard.press("Control+Enter");
    assertEquals((await nextPublication(clients[at]!)).data, text);
  }
  assertEquals(await page.locator(MARKUP).count(), 0);
  assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
  assertEquals(await page.evaluate(controlsOutside), []);
  await page.goto(`${gong.url}/admin#presence?channel=room:x`);
  await says(page.locator("#presence-count"), "5 sessions, 5 users: room:x");
  assertEquals(await page.locator(MARKUP).count(), 0);
  await Promise.all(clients.map((client) => client.close()));
});
