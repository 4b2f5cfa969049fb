import { assert, assertEquals } from "@std/assert";
import { controlsOutside, focused, isTooWide, showsFocus } from "./in_page.js";
import { GongError } from "../../lib/errors.ts";
import { pressTwice, tabTo } from "./keyboard.ts";
import { openStage, type Stage } from "./stage.ts";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, MARKUP, opened, says, type Visitor } from "./suite.ts";

const suite = createSuite();
/** To ask for what is not there is answered with 404, and for what is not allowed with 403. */
const REFUSED = /40[34]/;

const nameOf = (number: number) => `user-${String(number).padStart(3, "0")}`;
const users = (size: number): Stage["users"] =>
  Array.from({ length: size }, (_, at) => ({ user: nameOf(at), info: { at }, sessions: [`s${at}`], count: 1 }));

function sessionOf(id: string, user: string): Stage["sessions"][number] {
  return {
    ...{ id, user, door: "json", address: "192.0.2.7", userAgent: "test", channels: ["room"] },
    ...{ since: Date.now(), pending: 0, delivered: 3, edge: 1 },
  };
}

async function show(visit: Visitor["visit"], stage: Stage, where: string, size?: { width: number; height: number }) {
  const options = size === undefined ? {} : { viewport: size };
  return await opened(await visit(`${stage.url}/admin#${where}`, { expected: REFUSED, ...options }));
}

suite.test("users are counted, shown by pages and found by how their ids begin", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.users = users(120);
  const page = await show(visit, stage, "users");
  await says(page.locator("#users-totals"), "120 users · 5 sessions · 7 connections");
  await says(page.locator("#users-range"), "1–50 of 120");
  const row = page.locator("#users-rows tr").nth(7);
  assertEquals(await row.locator("td").allTextContents(), [nameOf(7), '{"at":7}', "1 session", "MessageDisconnect"]);
  await page.getByRole("button", { name: "Next" }).focus();
  await page.keyboard.press("Enter");
  await says(page.locator("#users-range"), "51–100 of 120");
  await page.keyboard.press("Enter");
  await says(page.locator("#users-range"), "101–120 of 120");
  await until(async () => await page.evaluate(focused) === "button Previous");

  await page.getByLabel("Find by the beginning of the user id").fill("user-11");
  await page.keyboard.press("Enter");
  await says(page.locator("#users-range"), "1–10 of 10");
  assert(page.url().endsWith("#users?prefix=user-11"), page.url());
  await page.reload();
  await says(page.locator("#users-range"), "1–10 of 10");
  await page.getByLabel("Find by the beginning of the user id").fill("nobody");
  await page.keyboard.press("Enter");
  await says(page.locator("#users-range"), "No user's id begins so");
  await page.goBack();
  await says(page.locator("#users-range"), "1–10 of 10");
  await page.getByLabel("Find by the beginning of the user id").fill("");
  await says(page.locator("#users-range"), "1–50 of 120");
});

suite.test("by keyboard alone a user's sessions are opened, and the user is written to and disconnected", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.users = [{ user: "4 2/ä", info: { name: "Ann" }, sessions: ["s1", "s2"], count: 2 }, ...users(1)];
  stage.sessions = [sessionOf("s1", "4 2/ä"), sessionOf("s2", "4 2/ä"), sessionOf("s3", nameOf(0))];
  const page = await show(visit, stage, "");
  await tabTo(page, "a Users");
  await page.keyboard.press("Enter");
  await page.locator("#users-rows tr").nth(1).waitFor();
  await tabTo(page, "a 2 sessions");
  await page.keyboard.press("Enter");
  await says(page.locator("#connections-range"), "2 sessions of this user");
  assertEquals(await page.locator("#connections-rows .session .name").allTextContents(), ["s1", "s2"]);
  assertEquals(await page.locator("#connections-rows .client a").allTextContents(), ["4 2/ä", "4 2/ä"]);
  assertEquals([await page.evaluate(focused), await page.evaluate(showsFocus)], ["h2 Connections", true]);
  assertEquals(await page.getByLabel("Find by id").inputValue(), "4 2/ä");
  assertEquals(await page.title(), "Connections · Admin · Gong");

  await page.goBack();
  await page.locator("#users-rows tr").nth(1).waitFor();
  await tabTo(page, "button Message to user 4 2/ä");
  await page.keyboard.press("Enter");
  assertEquals(await page.evaluate(focused), "textarea Message");
  await page.keyboard.type("hello");
  await page.keyboard.press("Control+Enter");
  await says(
    page.locator("#users-answer"),
    "Sent to 4 2/ä: reached 2 sessions; it is kept as $user/4 2/ä@k3f9:1.",
  );
  const [{ id, ...sent } = {}] = stage.published;
  assertEquals([sent, typeof id], [{ users: ["4 2/ä"], data: "hello" }, "string"]);
  assertEquals(await page.evaluate(focused), "button Message to user 4 2/ä");

  await tabTo(page, "button Disconnect user 4 2/ä");
  await page.keyboard.press("Enter");
  await says(page.locator("#users-answer"), "Press again to disconnect.");
  assertEquals(await page.evaluate(focused), "button Really disconnect user 4 2/ä?");
  await page.keyboard.press("Escape");
  assertEquals(stage.orders, []);
  await pressTwice(page);
  await says(page.locator("#users-answer"), "Disconnected 4 2/ä: 1 session.");
  assertEquals(stage.orders, [["POST", "/api/disconnect", { user: "4 2/ä" }]]);
  await until(async () => await page.evaluate(focused) === `button Disconnect user ${nameOf(0)}`);
});

suite.test("a message to a user is text or JSON as written, and one that is refused stays to be sent again", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.users = users(1);
  const page = await show(visit, stage, "users");
  const message = page.getByRole("button", { name: `Message to user ${nameOf(0)}` });
  await message.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "JSON" }).check();
  await dialog.getByRole("textbox", { name: "Message" }).fill("{broken");
  await page.keyboard.press("Control+Enter");
  await says(dialog.getByRole("alert"), /^This is not JSON: /);
  await dialog.getByRole("textbox", { name: "Message" }).fill('{"n":12345678901234567890}');
  const asked: Record<string, unknown>[] = [];
  await page.route("**/api/publish", (route) => {
    asked.push(route.request().postDataJSON());
    return asked.length === 1 ? route.fulfill({ status: 403, json: { detail: "<b>No</b>." } }) : route.continue();
  });
  await page.keyboard.press("Control+Enter");
  await says(dialog.getByRole("alert"), "<b>No</b>.");
  await page.keyboard.press("Control+Enter");
  await says(page.locator("#users-answer"), /^Sent to user-000: reached 1 session; /);
  assertEquals(asked[0], asked[1], "the server knows that it is the same");
  assertEquals(asked[1]!.data, '{"n":12345678901234567890}');

  await message.click();
  assertEquals(await dialog.getByRole("textbox", { name: "Message" }).inputValue(), "");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assertEquals(stage.published.length, 1);
});

suite.test("connections are found by session and by user, and one may not be there", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.users = [{ user: "42", sessions: ["s1"], count: 150 }];
  stage.sessions = [sessionOf("s1", "42"), sessionOf("s2", "43")];
  const page = await show(visit, stage, "connections");
  await says(page.locator("#connections-range"), "1–2 of 2");
  await page.getByLabel("Find by", { exact: true }).selectOption("User");
  await page.getByLabel("Find by id").fill("42");
  await page.keyboard.press("Enter");
  await says(page.locator("#connections-range"), "1 of the 150 sessions of this user");
  await page.getByLabel("Find by id").fill("44");
  await page.keyboard.press("Enter");
  await says(page.locator("#connections-range"), "This user is not connected");
  await page.getByLabel("Find by", { exact: true }).selectOption("Session");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Find" }).click();
  await says(page.locator("#connections-range"), "No session has this id");
  await page.getByLabel("Find by id").fill("");
  await says(page.locator("#connections-range"), "1–2 of 2");
  await page.getByRole("link", { name: "43" }).click();
  await says(page.locator("#connections-range"), "This user is not connected");
});

suite.test("presence says who hears a channel, by pages, and by keyboard alone takes one away", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.present.set(
    "room",
    Array.from({ length: 60 }, (_, at) => ({
      session: `s${String(at).padStart(2, "0")}`,
      since: Date.UTC(2026, 0, 1),
      ...at % 2 ? { user: "42", info: { name: "Ann" } } : {},
    })),
  );
  const page = await show(visit, stage, "");
  await tabTo(page, "a Presence");
  await page.keyboard.press("Enter");
  // The view that goes has a field of that name too.
  await page.locator("#presence-channel").waitFor();
  await tabTo(page, "input Channel");
  await page.keyboard.type("room");
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-count"), "60 sessions, 1 user: room");
  await says(page.locator("#presence-range"), "1–50 of 60");
  const cells = await page.locator("#presence-rows tr").nth(1).locator("td").allTextContents();
  assertEquals([cells[0], cells[1], cells[2], cells[4]], ["s01", "42", '{"name":"Ann"}', "UnsubscribeDisconnect"]);
  assertEquals(
    await page.locator("#presence-rows time").first().getAttribute("title"),
    "2026-01-01T00:00:00.000Z (UTC)",
  );
  await tabTo(page, "button Unsubscribe session s01");
  await pressTwice(page);
  await says(page.locator("#presence-answer"), "s01 hears room no more.");
  await says(page.locator("#presence-count"), "59 sessions, 1 user: room");
  await until(async () => await page.evaluate(focused) === "button Unsubscribe session s02");
  await tabTo(page, "button Disconnect session s02");
  await pressTwice(page);
  await says(page.locator("#presence-answer"), "Disconnected s02.");
  assertEquals(stage.orders, [
    ["POST", "/api/unsubscribe", { channel: "room", session: "s01" }],
    ["POST", "/api/disconnect", { session: "s02" }],
  ]);
  await page.getByRole("button", { name: "Next" }).focus();
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-range"), "51–59 of 59");
});

suite.test("a channel without presence is said to be one, once", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.present.set("room", []);
  const page = await show(visit, stage, "presence?channel=room");
  await says(page.locator("#presence-range"), "Nobody hears it");
  let asked = 0;
  page.on("request", (request) => void (request.url().includes("channel=off") && asked++));
  await page.getByRole("textbox", { name: "Channel" }).fill("off");
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-answer"), "No rule has presence for this channel.");
  await says(page.locator("#presence-count"), "");
  await page.waitForTimeout(2_500);
  assertEquals(asked, 1);
  await says(page.locator("#presence-answer"), "No rule has presence for this channel.");
  stage.present.set("off", [{ session: "s1", since: 0 }]);
  await page.keyboard.press("Enter");
  await says(page.locator("#presence-count"), "1 session, 0 users: off");
  await says(page.locator("#presence-answer"), "");
});

suite.test("an order that is refused is said beside the title, and the row stays", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.users = users(2);
  stage.refusal = new GongError("overloaded", "The server is <i>overloaded</i>.", { retryAfter: 3 });
  const page = await opened(await visit(`${stage.url}/admin#users`, { expected: /503/ }));
  await tabTo(page, `button Disconnect user ${nameOf(0)}`);
  await pressTwice(page);
  await says(page.locator("#users-answer"), "The server is <i>overloaded</i>. Try again in 3 s.");
  assertEquals(await page.locator("#users-rows tr").count(), 2);
  await until(async () => await page.evaluate(focused) === `button Disconnect user ${nameOf(0)}`);
});

suite.test("hostile ids and info of users stay text, and many of them fit 360 pixels", async ({ visit, use }) => {
  const stage = use(openStage());
  const long = "x".repeat(128);
  stage.users = [...HOSTILE, long].map((text) => ({ user: text, info: { [text]: text }, sessions: [text], count: 1 }));
  const present = [...HOSTILE, long].map((text, at) => ({
    session: `${at}${text}`,
    user: text,
    info: text,
    since: at,
  }));
  stage.present.set(long, present);
  const page = await show(visit, stage, "users", { width: 360, height: 640 });
  const check = async (rows: string) => {
    await until(async () => await page.locator(`${rows} tr`).count() === HOSTILE.length + 1);
    assertEquals(await page.locator(MARKUP).count(), 0);
    assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
    assertEquals(await page.evaluate(controlsOutside), []);
  };
  await check("#users-rows");
  await says(page.locator("#users-rows .name").first(), HOSTILE[0]!);
  await page.locator("#users-rows").getByRole("button", { name: "Message to" }).first().click();
  await says(page.locator("#send-user"), HOSTILE[0]!);
  assertEquals(await page.evaluate(controlsOutside), []);
  await page.keyboard.press("Escape");
  await page.locator("#users-rows a").nth(1).click();
  await until(() => Promise.resolve(page.url().includes("#connections?")));
  assertEquals(new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("user"), HOSTILE[1]);
  await page.goto(`${stage.url}/admin#presence?channel=${long}`);
  await check("#presence-rows");
});

suite.test("a page that cannot be refreshed says so, and no longer than that is so", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.users = users(2);
  const page = await opened(await visit(`${stage.url}/admin#users`, { expected: /ERR_FAILED/ }));
  await says(page.locator("#users-range"), "1–2 of 2");
  await page.route("**/api/users?*", (route) => route.abort());
  await says(page.locator("#users-answer"), "No answer came.");
  assertEquals(await page.locator("#users-rows tr").count(), 2);
  await page.unroute("**/api/users?*");
  await says(page.locator("#users-answer"), "");
});
