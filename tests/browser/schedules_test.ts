import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { GongError } from "../../lib/errors.ts";
import { controlsOutside, focused, isTooWide, showsFocus } from "./in_page.js";
import { openStage, type Stage } from "./stage.ts";
import { until } from "../support/until.ts";
import { createSuite, HOSTILE, MARKUP, opened, says, type Visitor } from "./suite.ts";

const suite = createSuite();
/** A place whose clock is never that of UTC. */
const ZONE = { timezoneId: "Asia/Kathmandu", locale: "en-GB" };
/** 14:30:05 in Kathmandu. */
const AT = Date.UTC(2099, 0, 2, 8, 45, 5, 123);
/** Longer than the time in which a second press is taken for a double click. */
const PAUSE = 350;

const plain = { creator: "app", channels: ["news"], data: "hello", created: 0 };

async function show(visit: Visitor["visit"], stage: Stage, options: Parameters<Visitor["visit"]>[1] = {}) {
  return await opened(await visit(`${stage.url}/admin#schedules`, { ...ZONE, ...options }));
}

const field = (page: Page, name: string) => page.locator(`#schedule-${name}`);
const answer = (page: Page) => page.locator("#schedules-answer");
const cells = (page: Page, row: number) => page.locator("#schedules-rows tr").nth(row).locator("td").allTextContents();

async function edit(page: Page, id: string): Promise<void> {
  await page.getByRole("button", { name: `Edit schedule ${id}`, exact: true }).click();
  await page.getByRole("dialog", { name: `Schedule ${id}` }).waitFor();
}

suite.test("schedules are shown by pages: when, where, what, and what became of it", async ({ visit, use }) => {
  const stage = use(openStage());
  const last = { due: AT, time: AT + 2_000 };
  stage.schedules = [
    { ...plain, id: "a", at: AT, next: AT },
    { ...plain, id: "b", every: 10, next: Date.now() + 90_500, data: { n: 1 }, last },
    {
      ...plain,
      id: "c",
      cron: "0 9 * * 1-5",
      zone: "Europe/Berlin",
      next: AT,
      last: { ...last, refused: "forbidden" },
    },
    { ...plain, id: "d", at: AT, last: { ...last, late: true }, data: "AAAA", encoding: "base64" },
    ...Array.from({ length: 40 }, (_, at) => ({ ...plain, id: `e${10 + at}`, every: 60 })),
  ];
  const page = await show(visit, stage);
  await says(page.locator("#schedules-range"), "1–20 of 44");
  const [a, b, c, d] = await Promise.all([0, 1, 2, 3].map((row) => cells(page, row)));
  assertEquals(a!.slice(0, 4), ["aby app", "once, 2 Jan 2099, 14:30:05", "news", "hello"]);
  assertMatch(a![4]!, /^2 Jan 2099, 14:30:05in \d+ d$/);
  assertEquals(a![5], "not yet");
  assertEquals([b![1], b![3], b![5]], ["every 10 s", '{"n":1}', "2 Jan 2099, 14:30:07published"]);
  assertMatch(b![4]!, /in 1 min$/);
  assertEquals([c![1], c![5]], ["0 9 * * 1-5 · Europe/Berlin", "2 Jan 2099, 14:30:07refused: forbidden"]);
  assertEquals(d!.slice(3, 5), ["3 B of bytes", "no more"]);
  assertEquals(d![5], "2 Jan 2099, 14:30:07published, late: due 2 Jan 2099, 14:30:05");
  assertEquals(await page.locator("#schedules-rows .bad").count(), 1);
  assertEquals(
    await page.locator("#schedules-rows time").first().getAttribute("title"),
    "2099-01-02T08:45:05.123Z (UTC)",
  );
  await page.getByRole("button", { name: "Next" }).click();
  await says(page.locator("#schedules-range"), "21–40 of 44");
});

suite.test("by keyboard alone a schedule is made, changed and cancelled", async ({ visit, use }) => {
  const stage = use(openStage());
  const page = await show(visit, stage);
  const { keyboard } = page;
  const tab = async (...names: string[]) => {
    for (const name of names) {
      await keyboard.press("Tab");
      assertEquals([await page.evaluate(focused), await page.evaluate(showsFocus)], [name, true]);
    }
  };
  await says(page.locator("#schedules-range"), "Nothing is scheduled");
  while (await page.evaluate(focused) !== "button New schedule") await keyboard.press("Tab");
  await keyboard.press("Enter");
  assertEquals(await page.evaluate(focused), "input Id");
  await keyboard.type("nightly");
  await tab("input Once, at");
  await keyboard.press("ArrowRight");
  await keyboard.press("ArrowRight");
  await tab("input Seconds");
  await keyboard.type("1.5");
  await tab("input Channels", "textarea Names");
  await keyboard.type("a, b c");
  await tab("input Text", "textarea Message");
  await keyboard.type("ding");
  await tab("button Save");
  await keyboard.press("Enter");
  await says(answer(page), /^Scheduled nightly: next at .+\.$/);
  assertEquals(await page.evaluate(focused), "button New schedule");
  await says(page.locator("#schedules-rows .name"), "nightly");

  await tab("button Edit schedule nightly");
  await keyboard.press("Enter");
  await until(async () => await page.evaluate(focused) === "input Every");
  await keyboard.press("ArrowRight");
  await tab("input Cron line");
  await keyboard.type("0 9 * * 1-5");
  await tab("input Time zone");
  assertEquals(await field(page, "zone").inputValue(), "Asia/Katmandu");
  await keyboard.press("Control+A");
  await keyboard.type("Europe/Berlin");
  await keyboard.press("Enter");
  await says(answer(page), /^Changed nightly: next at .+\.$/);
  assertEquals(await page.evaluate(focused), "button Edit schedule nightly");

  await tab("button Cancel schedule nightly");
  await keyboard.press("Enter");
  await says(answer(page), "Press again to cancel.");
  await page.waitForTimeout(PAUSE);
  await keyboard.press("Enter");
  await says(answer(page), "Cancelled nightly.");
  await says(page.locator("#schedules-range"), "Nothing is scheduled");
  await until(async () => await page.evaluate(focused) === "button New schedule");
  const rest = { channels: ["a", "b", "c"], data: "ding" };
  assertEquals(stage.orders, [
    ["POST", "/api/schedules", { id: "nightly", every: 1.5, ...rest }],
    ["PUT", "/api/schedules/nightly", { cron: "0 9 * * 1-5", zone: "Europe/Berlin", ...rest }],
    ["DELETE", "/api/schedules/nightly", {}],
  ]);
});

suite.test("a time is sent with its offset, and without an id the form makes one, the same until it is taken", async ({ visit, use }) => {
  const stage = use(openStage());
  const page = await show(visit, stage, { expected: /503/ });
  await page.getByRole("button", { name: "New schedule" }).click();
  await field(page, "at").fill("2099-01-02T14:30:05");
  await says(page.locator("#schedule-at-hint"), "By this device's clock; 2099-01-02T08:45:05.000Z in UTC.");
  await page.getByRole("radio", { name: "Users" }).check();
  await field(page, "to").fill(" 4 2/ä \n\n43");
  await page.getByRole("radio", { name: "JSON" }).check();
  await field(page, "data").fill("{");
  await page.keyboard.press("Control+Enter");
  await says(page.locator("#schedule-data-error"), /^This is not JSON: /);
  await field(page, "data").fill('{"n":12345678901234567890}');
  await says(page.locator("#schedule-data-error"), "");
  stage.refusal = new GongError("overloaded");
  await page.keyboard.press("Control+Enter");
  await says(page.locator("#schedule-answer"), /^The server is overloaded\./);
  await page.keyboard.press("Control+Enter");
  await says(answer(page), /^Scheduled \w{12}: /);
  const [[, path, body], again] = stage.orders as [unknown[], unknown[]];
  assertMatch(String(path), /^\/api\/schedules\/\w{12}$/);
  assertEquals(again, ["PUT", path, body]);
  assertEquals(body, {
    ...{ at: "2099-01-02T14:30:05+05:45", users: ["4 2/ä", "43"] },
    ...{ data: '{"n":12345678901234567890}', contentType: "application/json" },
  });
});

suite.test("what is refused is said at its field, which takes the focus, and in a field that is not shown below the form", async ({ visit, use }) => {
  const stage = use(openStage());
  const page = await show(visit, stage, { expected: /400|409|413|500/ });
  await page.getByRole("button", { name: "New schedule" }).click();
  await page.getByRole("radio", { name: "Cron" }).check();
  await field(page, "id").fill("taken");
  await field(page, "cron").fill("0 9 * *");
  await field(page, "to").fill("no$");
  const refused = async (place: string, ...error: ConstructorParameters<typeof GongError>) => {
    stage.refusal = new GongError(...error);
    await field(page, "save").click();
    await says(field(page, place), error[1]!);
    assertEquals(await page.getByRole("dialog").locator(".error:not(:empty), .answer:not(:empty)").count(), 1);
    const named = field(page, place.replace("-error", ""));
    if (place === "answer") return;
    assertEquals(await page.evaluate("document.activeElement.id"), await named.getAttribute("id"));
    assertEquals(await named.getAttribute("aria-invalid"), "true");
    assertMatch((await named.getAttribute("aria-describedby"))!, new RegExp(`\\bschedule-${place}\\b`));
    await named.fill(`${await named.inputValue()} `);
    assertEquals(await named.getAttribute("aria-invalid"), null);
  };
  await refused("cron-error", "bad_request", "<b>Cron</b>?", { field: "/cron" });
  await refused("zone-error", "bad_request", "No zone.", { field: "/zone" });
  await refused("to-error", "bad_request", "No channel.", { field: "/channels/0" });
  await refused("data-error", "too_large", "Too large.", { field: "/data" });
  await refused("id-error", "conflict", "There is one of this id.");
  await refused("answer", "bad_request", "Not shown.", { field: "/every" });
  await refused("answer", "internal", "No room.");
});

suite.test("what is changed comes back in the form as it was, and goes back as it was", async ({ visit, use }) => {
  const stage = use(openStage());
  const details = { tags: { a: "b" }, ttl: 5, event: "<i>e</i>" };
  stage.schedules = [
    { ...plain, id: "text", at: AT, data: " two\nlines ", contentType: "text/html", ...details },
    { ...plain, id: "json", every: 2.5, data: { a: [1, "}"], id: "x" } },
    { ...plain, id: "string", every: 1, data: "a string", contentType: "application/json" },
    {
      ...plain,
      id: "bytes",
      cron: "* * * * *",
      zone: "UTC",
      data: "AAEC",
      encoding: "base64",
      contentType: "image/png",
    },
    { ...plain, id: "users", every: 1, channels: ["$user/4%202%2F", "$user/43"] },
  ];
  const page = await show(visit, stage);
  // As a server writes what its own numbers cannot hold.
  await page.route("**/api/schedules/json", async (route) => {
    if (route.request().method() !== "GET") return route.continue();
    const text = JSON.stringify(stage.schedules.find(({ id }) => id === "json")).replace(
      '"data":{',
      '"data": { "n": 12345678901234567890, ',
    );
    await route.fulfill({ contentType: "application/json", body: text });
  });
  const forms: unknown[] = [];
  for (const id of ["text", "json", "string", "bytes", "users"]) {
    await edit(page, id);
    const chosen = (name: string) => page.locator(`#schedule-form [name=${name}]:checked`).inputValue();
    forms.push([
      await chosen("when"),
      await field(page, "to").inputValue(),
      await chosen("format"),
      await field(page, "data").inputValue(),
    ]);
    if (id === "text") {
      assertEquals(await field(page, "at").inputValue(), "2099-01-02T14:30:05");
      await says(field(page, "kept"), 'Stays as it is: event "<i>e</i>", tags {"a":"b"}, ttl 5.');
    }
    if (id === "bytes") {
      assertEquals([await field(page, "data").isDisabled(), await field(page, "id").isEditable()], [true, false]);
      await says(field(page, "data-hint"), "Bytes (image/png): they stay as they are.");
    }
    await field(page, "save").click();
    await says(answer(page), new RegExp(`^Changed ${id}: `));
  }
  assertEquals(forms, [
    ["at", "news", "text", " two\nlines "],
    ["every", "news", "json", '{ "n": 12345678901234567890, "a":[1,"}"],"id":"x"}'],
    ["every", "news", "json", '"a string"'],
    ["cron", "news", "text", ""],
    ["every", "4 2/\n43", "text", "hello"],
  ]);
  const channels = ["news"];
  assertEquals(stage.orders.map(([, , body]) => body), [
    { at: AT, channels, data: " two\nlines ", contentType: "text/html", ...details },
    {
      every: 2.5,
      channels,
      data: '{ "n": 12345678901234567890, "a":[1,"}"],"id":"x"}',
      contentType: "application/json",
    },
    { every: 1, channels, data: '"a string"', contentType: "application/json" },
    { cron: "* * * * *", zone: "UTC", channels, data: "AAEC", encoding: "base64", contentType: "image/png" },
    { every: 1, users: ["4 2/", "43"], data: "hello" },
  ]);
});

suite.test("a schedule that is gone is said to be, whether it is opened or cancelled", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.schedules = [{ ...plain, id: "a", every: 1 }];
  const page = await show(visit, stage, { expected: /404|ERR_FAILED/ });
  await page.getByRole("button", { name: "Edit schedule a" }).waitFor();
  await page.route("**/api/schedules?*", (route) => route.abort());
  stage.schedules = [];
  await page.getByRole("button", { name: "Edit schedule a" }).click();
  await says(answer(page), "There is nothing here.");
  await page.getByRole("button", { name: "Cancel schedule a" }).click();
  await page.waitForTimeout(PAUSE);
  await page.unroute("**/api/schedules?*");
  await page.getByRole("button", { name: "Really cancel schedule a?" }).click();
  await says(answer(page), "a was gone already.");
});

suite.test("hostile schedules stay text, in the table and in the form, and fit 360 pixels", async ({ visit, use }) => {
  const stage = use(openStage());
  stage.schedules = [...HOSTILE, "x".repeat(300)].map((text, at) => ({
    ...{
      id: `${at}${text}`,
      creator: text,
      cron: text,
      zone: text,
      channels: [text],
      data: text,
      created: 0,
      event: text,
    },
    ...{ next: AT, last: { due: AT, time: AT, refused: text } },
  }));
  const page = await show(visit, stage, { viewport: { width: 360, height: 640 } });
  const fits = async () => {
    assertEquals(await page.locator(MARKUP).count(), 0);
    assert(!await page.evaluate(isTooWide), "the page scrolls sideways");
    assertEquals(await page.evaluate(controlsOutside), []);
  };
  await until(async () => await page.locator("#schedules-rows tr").count() === HOSTILE.length + 1);
  assertEquals((await cells(page, 0)).slice(0, 4), [
    `0${HOSTILE[0]}by ${HOSTILE[0]}`,
    `${HOSTILE[0]} · ${HOSTILE[0]}`,
    HOSTILE[0],
    HOSTILE[0],
  ]);
  await fits();
  for (const [at, text] of HOSTILE.entries()) {
    await page.locator("#schedules-rows tr").nth(at).getByRole("button", { name: "Edit" }).click();
    await page.getByRole("dialog").waitFor();
    if (at < 5) {
      assertEquals([await field(page, "id").inputValue(), await field(page, "data").inputValue()], [
        `${at}${text}`,
        text,
      ]);
    }
    await fits();
    await page.keyboard.press("Escape");
  }
});
