import { assert, assertEquals, assertMatch } from "@std/assert";
import { controlsOutside, isTooWide } from "./in_page.js";
import { pressOn } from "./keyboard.ts";
import { type KeyName, nextPublication, type Operated, startOperated } from "./operator.ts";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, MARKUP, says } from "./suite.ts";

const suite = createSuite();

let gong: Operated;
Deno.test.beforeAll(async () => {
  gong = await startOperated();
});
Deno.test.afterAll(() => gong.kill());

suite.test("a message to a user reaches the user's client, and the user is disconnected; the log says who did it", async ({ visit }) => {
  await using client = await gong.join("ann", "room:a", { name: "<b>Ann</b>" });
  const page = await gong.logIn(visit, "ops", "users?prefix=ann");
  await says(page.locator("#users-range"), "1–1 of 1");
  await says(page.locator("#users-rows .info"), '{"name":"<b>Ann</b>"}');
  await says(page.locator("#users-totals"), /^[1-9]\d* users? · [1-9]\d* sessions? · [1-9]\d* connections?$/);
  await pressOn(page, "button Message to user ann");
  await page.keyboard.type("hello, Ann");
  await page.keyboard.press("Control+Enter");
  await says(page.locator("#users-answer"), /^Sent to ann: reached 1 session; it is kept as \$user\/ann@[\w-]+:1\.$/);
  const { channel, data } = await nextPublication(client);
  assertEquals([channel, data], ["$user/ann", "hello, Ann"]);
  await gong.logged("api.publish", "$user/ann");

  await pressOn(page, "a 1 session");
  await says(page.locator("#connections-range"), "1 session of this user");
  await says(page.locator("#connections-rows .client a"), "ann");
  await page.goBack();
  await page.locator("#users-rows tr").waitFor();
  await pressOn(page, "button Disconnect user ann", 2);
  await says(page.locator("#users-answer"), "Disconnected ann: 1 session.");
  assertEquals((await client.closed).code, 4403);
  await gong.logged("api.disconnect", "ann");
  await says(page.locator("#users-range"), "No user's id begins so");
});

suite.test("presence shows who hears a channel, and who is unsubscribed or disconnected does not any more", async ({ visit }) => {
  await using bob = await gong.join("bob", "room:p", { team: 7 });
  await using carl = await gong.join("carl", "room:p");
  const page = await gong.logIn(visit, "ops", "presence", /40[13]/);
  await pressOn(page, "input Channel");
  await page.keyboard.type("room:p");
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-count"), "2 sessions, 2 users: room:p");
  const idOf = (user: string) =>
    page.locator("#presence-rows tr", { hasText: user }).locator("a").first().textContent();
  const [first, second] = [(await idOf("bob"))!, (await idOf("carl"))!];
  await says(page.locator("#presence-rows tr", { hasText: "bob" }).locator(".info"), '{"team":7}');
  await pressOn(page, `button Unsubscribe session ${first}`, 2);
  await says(page.locator("#presence-answer"), `${first} hears room:p no more.`);
  for (let told = ""; !told.includes('"unsubscribed"');) told = await bob.nextText();
  await gong.logged("api.unsubscribe", "room:p", first);
  await says(page.locator("#presence-count"), "1 session, 1 user: room:p");
  await pressOn(page, `button Disconnect session ${second}`, 2);
  await says(page.locator("#presence-answer"), `Disconnected ${second}.`);
  assertEquals((await carl.closed).code, 4403);
  await gong.logged("api.disconnect", second);
  await says(page.locator("#presence-range"), "Nobody hears it");

  await page.getByRole("textbox", { name: "Channel" }).fill("quiet");
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-answer"), /presence/i);
  assertMatch((await page.locator("#presence-answer").getAttribute("class"))!, /\btrouble\b/);
});

suite.test("a connection is found by its user, and closed; the log says who did it", async ({ visit }) => {
  await using client = await gong.join("gus", "room:g");
  const page = await gong.logIn(visit, "ops", "connections?user=gus", /40[14]/);
  await says(page.locator("#connections-range"), "1 session of this user");
  const id = (await page.locator("#connections-rows .session .name").textContent())!;
  await pressOn(page, `button Close session ${id}`, 2);
  await says(page.locator("#connections-answer"), `Closed ${id}.`);
  assertEquals((await client.closed).code, 4403);
  await gong.logged("api.session_closed", id);
  await says(page.locator("#connections-range"), "This user is not connected");
});

suite.test("a key gets the parts of the page that are of use to it, and an address of another leads to the overview", async ({ visit }) => {
  const parts: Record<KeyName, string[]> = {
    ops: ["Overview", "Users", "Connections", "Presence", "Schedules"],
    graph: ["Overview", "Presence"],
    app: ["Overview", "Schedules"],
  };
  await using _client = await gong.join("fay", "room:f");
  for (const [name, expected] of Object.entries(parts) as [KeyName, string[]][]) {
    // What would be refused would be an error of the console, with 403.
    const page = await gong.logIn(visit, name, "connections");
    assertEquals(await page.locator("#views a:visible").allTextContents(), expected, name);
    assertEquals(await page.locator("#view-connections").isVisible(), name === "ops");
    assertEquals(await page.locator("#view-overview").isVisible(), name !== "ops");
    for (const part of expected.filter((part) => ["Users", "Connections", "Presence"].includes(part))) {
      await page.getByRole("link", { name: part }).click();
      if (part === "Presence") {
        await page.locator("#presence-channel").fill("room:f");
        await page.keyboard.press("Enter");
      }
      const range = page.locator(`#${part.toLowerCase()}-range`);
      await until(
        async () => (await range.textContent()) !== "",
        () => Promise.resolve(`${name} is not shown ${part}`),
      );
      await page.getByRole("link", { name: "Overview" }).click();
    }
  }
});

suite.test("users whose ids and info are markup stay text and can be acted on, at 360 pixels too", async ({ visit }) => {
  // Bytes that no id may have are the stage's part.
  const texts = HOSTILE.slice(0, 5);
  const clients = await Promise.all(texts.map((text) => gong.join(text, "room:x", { [text]: text })));
  const page = await gong.logIn(visit, "ops", "users");
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
