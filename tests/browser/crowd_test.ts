import { assert, assertEquals } from "@std/assert";
import type { SessionInfo } from "../../lib/types.ts";
import { openStage } from "./stage.ts";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, MARKUP, opened, says } from "./suite.ts";

const suite = createSuite();
const idOf = (number: number) => `s${String(number).padStart(5, "0")}`;

function crowd(size: number): SessionInfo[] {
  return Array.from({ length: size }, (_, number) => ({
    id: idOf(number),
    door: number % 4 ? "plain" : "json",
    address: `203.0.113.${number % 254}`,
    userAgent: "Mozilla/5.0",
    channels: ["broadcast"],
    since: Date.now() - number * 1000,
    pending: 0,
    delivered: number,
    edge: number % 2,
  }));
}

suite.test("of 10,000 connections 50 are in the page, and the next are there at once", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.sessions = crowd(10_000);
  // While its clock stands still the page asks only when it is told to.
  const page = await opened(await visit(`${stage.url}/admin#connections`, { stopped: true }));
  const rows = page.locator("#connections-rows tr");
  const range = page.locator("#connections-range");
  await says(range, "1–50 of 10,000");
  assertEquals(await rows.count(), 50);
  const [previous, next] = [page.getByRole("button", { name: "Previous" }), page.getByRole("button", { name: "Next" })];
  assertEquals([await previous.isDisabled(), await next.isDisabled()], [true, false]);

  const asked = stage.pages;
  for (let turn = 1; turn <= 5; turn++) {
    await next.click();
    await says(range, `${turn * 50 + 1}–${turn * 50 + 50} of 10,000`);
  }
  assertEquals(stage.pages, asked + 5);
  assertEquals([await rows.count(), await rows.first().locator(".session .name").textContent()], [50, idOf(250)]);
  await previous.click();
  await says(range, "201–250 of 10,000");

  await page.getByLabel("Find by id").fill(idOf(9_999));
  await page.keyboard.press("Enter");
  await says(range, "One session found");
  assertEquals(await rows.count(), 1);
  await page.getByLabel("Find by id").fill("");
  await says(range, "1–50 of 10,000");
});

suite.test("the table asks every two seconds, not oftener, and keeps the focus and the rows that stay", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.sessions = crowd(200);
  const page = await opened(await visit(`${stage.url}/admin#connections`));
  const rows = page.locator("#connections-rows tr");
  await says(page.locator("#connections-range"), "1–50 of 200");
  await rows.nth(10).getByRole("button").focus();
  const [asked, start] = [stage.pages, performance.now()];
  stage.sessions = stage.sessions.filter(({ id }) => id > idOf(4));
  await says(page.locator("#connections-range"), "1–50 of 195");
  assertEquals(await rows.first().locator(".session .name").textContent(), idOf(5));
  assertEquals(
    await page.evaluate("document.activeElement.closest('tr').querySelector('.session bdi').textContent"),
    idOf(10),
  );
  await until(() => Promise.resolve(stage.pages >= asked + 2));
  assert(performance.now() - start > 1_500, "two questions within a second and a half");
});

suite.test("a page that emptied goes back to the one before", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.sessions = crowd(60);
  const page = await opened(await visit(`${stage.url}/admin#connections`));
  await page.getByRole("button", { name: "Next" }).click();
  await says(page.locator("#connections-range"), "51–60 of 60");
  stage.sessions = stage.sessions.slice(0, 30);
  await says(page.locator("#connections-range"), "1–30 of 30");
  stage.sessions = [];
  await says(page.locator("#connections-range"), "Nobody is connected");
});

suite.test("hostile ids, addresses, users and channels stay text", async ({ visit, use }) => {
  const stage = use(openStage());
  const [session] = crowd(1);
  stage.sessions = HOSTILE.map((text, at) => ({
    ...session!,
    id: `${at}${text}`,
    address: text,
    userAgent: text,
    user: text,
    door: text,
    channels: [text, text, text, text, text, text],
  }));
  stage.recent = HOSTILE.map((text, at) => ({
    channel: text,
    offset: at,
    time: 0,
    contentType: text,
    bytes: 1,
    preview: at % 2 ? "" : text,
  }));
  const page = await opened(await visit(`${stage.url}/admin#connections`));
  const rows = page.locator("#connections-rows tr");
  await until(async () => await rows.count() === HOSTILE.length);
  await says(rows.first().locator(".session .name"), `0${HOSTILE[0]}`);
  await says(rows.nth(5).locator(".agent"), "U+202Egpj.exeU+2066U+0007U+001B[31m");
  assertEquals(await page.locator(MARKUP).count(), 0);

  await rows.first().getByRole("button").click();
  await page.waitForTimeout(350);
  await rows.first().getByRole("button").click();
  await until(() => Promise.resolve(stage.closed.length === 1));
  assertEquals(stage.closed, [`0${HOSTILE[0]}`]);
});

suite.test("a server that is not ready is said so with its reasons, and missing figures are dashes", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.stats = { gong_ready: 0 };
  const page = await opened(await visit(`${stage.url}/admin`, { expected: /503/ }));
  await says(page.locator("#banner"), "Not ready: edge 2 is silent.");
  const values = await page.locator("#figures .value").allTextContents();
  assertEquals([...new Set(values)], ["–"]);
  stage.stats = { gong_ready: 1, gong_sessions: { plain: 3, json: 4 } };
  await says(page.locator("#banner"), /^Development mode/);
  await says(page.locator(".figure .value").first(), "7");
});
