import { assertEquals } from "@std/assert";
import { pressOn } from "./keyboard.ts";
import { nextPublication, type Operated, startOperated } from "./operator.ts";
import { until } from "../support/until.ts";
import { createSuite, says } from "./suite.ts";

const suite = createSuite();

let gong: Operated;
Deno.test.beforeAll(async () => {
  gong = await startOperated();
});
Deno.test.afterAll(() => gong.kill());

suite.test("a schedule is made, fires, is shown to have fired, is changed with its data as it was, and is cancelled", async ({ visit }) => {
  await using client = await gong.join("dora", "room:s");
  const page = await gong.logIn(visit, "ops", "schedules", /40[01]/);
  await pressOn(page, "button New schedule");
  await page.keyboard.type("chime");
  const field = (name: string) => page.locator(`#schedule-${name}`);
  await page.getByRole("radio", { name: "Every" }).check();
  await field("every").fill("1");
  await field("to").fill("room:s");
  await page.getByRole("radio", { name: "JSON" }).check();
  await field("data").fill('{"n":12345678901234567890,"s":"}"}');
  await page.keyboard.press("Control+Enter");
  await says(page.locator("#schedules-answer"), /^Scheduled chime: next at /);
  await gong.logged("api.schedule", "chime");
  const { channel, data } = await nextPublication(client);
  assertEquals([channel, JSON.stringify(data)], ["room:s", '{"n":12345678901234567000,"s":"}"}']);
  await says(page.locator("#schedules-rows .outcome"), "published");

  await pressOn(page, "button Edit schedule chime");
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

  await pressOn(page, "button Cancel schedule chime", 2);
  await says(page.locator("#schedules-answer"), "Cancelled chime.");
  await says(page.locator("#schedules-range"), "Nothing is scheduled");
  await gong.logged("api.schedule", "cancel", "chime");
});

suite.test("a schedule for once, at a time of this device's clock, to a user, is taken as it is shown", async ({ visit }) => {
  await using client = await gong.join("eve", "room:e");
  const page = await gong.logIn(visit, "ops", "schedules", /40[01]/);
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

suite.test("a key that may only publish sees its own schedules, and may make and cancel them", async ({ visit }) => {
  const page = await gong.logIn(visit, "app", "schedules");
  await says(page.locator("#schedules-range"), "Nothing is scheduled");
  await pressOn(page, "button New schedule");
  await page.keyboard.type("own");
  await page.locator("#schedule-at").fill("2030-01-01T08:00:00");
  await page.locator("#schedule-to").fill("room:o");
  await page.locator("#schedule-save").click();
  await says(page.locator("#schedules-answer"), /^Scheduled own: next at .*2030/);
  await says(page.locator("#schedules-rows .sub").first(), "by app");
  await pressOn(page, "button Cancel schedule own", 2);
  await says(page.locator("#schedules-range"), "Nothing is scheduled");
});
