import { assert, assertEquals } from "@std/assert";
import type { Locator, Page } from "playwright-core";
import type { Trace } from "../../lib/types.ts";
import { connect } from "../support/client.ts";
import { startGong } from "../support/gong.ts";
import { isTooWide } from "./in_page.js";
import { openStage, type Stage } from "./stage.ts";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, opened, says, type Visitor } from "./suite.ts";

const suite = createSuite();
const PLACE = { epoch: "k3f9", time: 1_790_000_000_000 };
/** To look up what is not noted is answered with 404. */
const NOT_NOTED = /404/;

const answer = (page: Page) => page.locator("#traces-answer");
const entries = (page: Page) => page.locator("#traces-list li");

async function textsOf(locator: Locator): Promise<string[]> {
  return (await locator.allTextContents()).map((text) => text.replace(/^\d\d:\d\d:\d\d/, ""));
}

/** The admin page of a stage, on which this is noted under `order-7`. */
async function look(visit: Visitor["visit"], stage: Stage, traces: readonly Trace[]): Promise<Page> {
  stage.traces.set("order-7", traces);
  const page = await opened(await visit(`${stage.url}/admin`));
  await page.getByLabel("Look up by publication id").fill(" order-7 ");
  await page.keyboard.press("Enter");
  return page;
}

suite.test("the broadcast form shows what became of what it sent, and it can be looked up again", async ({ visit, use }) => {
  const gong = use(await startGong(["--isolates", "2"]));
  const clients = await Promise.all([1, 2, 3].map(() => connect(`${gong.ws}/push?channel=a`)));
  await using other = await connect(`${gong.ws}/push?channel=b`);
  const page = await opened(await visit(`${gong.url}/admin`));
  await page.getByRole("textbox", { name: "Channel", exact: true }).fill("a, b, unheard");
  await page.getByRole("textbox", { name: "Message" }).fill("hello");
  await page.keyboard.press("Control+Enter");
  await says(answer(page), "Queued to 4 sessions.");
  assertEquals(await other.nextText(), "hello");
  const published = (await page.locator("#broadcast-answer").textContent())!.match(/\w+:1\b/g)!;
  const [a, b, unheard] = published;
  const shown = [
    `a ${a}queued to 3 sessions`,
    `b ${b}queued to 1 session`,
    `unheard ${unheard}queued to nobody`,
  ];
  assertEquals(await textsOf(entries(page)), shown);

  const id = await page.getByLabel("Look up by publication id").inputValue();
  await page.reload();
  await opened(page);
  await page.getByLabel("Look up by publication id").fill(id);
  await page.getByRole("button", { name: "Look up" }).click();
  await says(answer(page), "Queued to 4 sessions.");
  assertEquals(await textsOf(entries(page)), shown);
  await Promise.all(clients.map((client) => client.close()));
});

suite.test("the broadcast form sends id, time to live and trace as they are set", async ({ visit, use }) => {
  const stage = use(openStage());
  const page = await opened(await visit(`${stage.url}/admin`, { expected: NOT_NOTED }));
  const publish = async (text: string) => {
    const offset = stage.published.length + 1;
    await page.getByRole("textbox", { name: "Message" }).fill(text);
    await page.keyboard.press("Control+Enter");
    await says(page.locator("#broadcast-answer"), `Published: broadcast@k3f9:${offset}`);
    await until(async () => await page.getByRole("textbox", { name: "Message" }).inputValue() === "");
    return stage.published.at(-1)!;
  };
  const { id, ...first } = await publish("plain");
  assertEquals(first, { channel: "broadcast", data: "plain", trace: true });
  assertEquals([typeof id, stage.looked], ["string", [id]]);

  await page.getByText("More", { exact: true }).click();
  await page.getByRole("textbox", { name: "Id", exact: true }).fill("order-7");
  await page.getByLabel("Kept for, in seconds").fill("1.5");
  await page.getByLabel("Trace").uncheck();
  assertEquals(await publish("other"), { channel: "broadcast", data: "other", id: "order-7", ttl: 1.5 });
  assertEquals(
    await page.getByRole("textbox", { name: "Id", exact: true }).inputValue(),
    "",
    "the next message is another",
  );
  assertEquals(stage.looked, [id]);
});

suite.test("a publication is said to be dropped, refused or repeated, and why", async ({ visit, use }) => {
  const page = await look(visit, use(openStage()), [
    { channel: "a", ...PLACE, offset: 1, queued: 1200, dropped: { slow: 2 } },
    { channel: "a", ...PLACE, offset: 1, repeated: true, queued: 1200, dropped: { slow: 2 } },
    { channel: "b", ...PLACE, offset: 9, repeated: true },
    { channel: "c", time: PLACE.time, refused: "overloaded" },
  ]);
  await says(answer(page), "Queued to 1,200 sessions, dropped for 2 sessions, repeated, refused in part.");
  assertEquals(await textsOf(entries(page)), [
    "a k3f9:1queued to 1,200 sessions; dropped for 2 sessions: slow",
    "a k3f9:1had been published before; queued to 1,200 sessions; dropped for 2 sessions: slow",
    "b k3f9:9had been published before",
    "crefused: overloaded",
  ]);
  assertEquals(await page.locator("#traces-list .bad").count(), 3);
});

suite.test("what is looked up is looked at again a few times, and what is asked next takes its place", async ({ visit, use }) => {
  const stage = use(openStage());
  const trace = { channel: "a", ...PLACE, offset: 1, dropped: {} };
  const page = await look(visit, stage, [{ ...trace, queued: 0 }]);
  await says(answer(page), "Nobody was listening.");
  stage.traces.set("order-7", [{ ...trace, queued: 1 }]);
  await says(answer(page), "Queued to 1 session.");
  const asked = stage.looked.length;
  assert(asked >= 2 && asked <= 5, `${asked}`);
  stage.traces.set("order-8", [{ channel: "b", time: PLACE.time, refused: "conflict" }]);
  await page.getByLabel("Look up by publication id").fill("order-8");
  await page.keyboard.press("Enter");
  await says(answer(page), "Refused.");
  await until(() => Promise.resolve(stage.looked.filter((id) => id === "order-8").length >= 3));
  assertEquals(stage.looked.filter((id) => id === "order-7").length, asked);
});

suite.test("an id of which nothing is noted is said to be one, and ids may be anything", async ({ visit, use }) => {
  const stage = use(openStage());
  const page = await opened(await visit(`${stage.url}/admin`, { expected: NOT_NOTED }));
  for (const id of ["order-8", "a/b?c#d%", "größe"]) {
    await page.getByLabel("Look up by publication id").fill(id);
    await page.keyboard.press("Enter");
    await until(() => Promise.resolve(stage.looked.at(-1) === id));
    await says(answer(page), /^Nothing is noted under this id/);
    assertEquals(await page.locator("#traces-list").isVisible(), false);
  }
});

suite.test("channels and reasons stay text, and many of them fit 360 pixels", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.traces.set("order-7", [
    ...HOSTILE.map((text): Trace => ({ channel: text, ...PLACE, offset: 1, queued: 1, dropped: { [text]: 1 } })),
    ...HOSTILE.map((text): Trace => ({ channel: "x".repeat(128), time: PLACE.time, refused: text })),
  ]);
  const page = await opened(await visit(`${stage.url}/admin`, { viewport: { width: 360, height: 640 } }));
  await page.getByLabel("Look up by publication id").fill("order-7");
  await page.keyboard.press("Enter");
  await says(answer(page), /^Queued to 6 sessions/);
  assertEquals(await entries(page).count(), 2 * HOSTILE.length);
  assertEquals(await page.locator("#traces :is(img, script, a, svg)").count(), 0);
  assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
});
