/**
 * The page without a pointer.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { Page } from "playwright-core";
import { focused, showsFocus } from "./in_page.js";

/** Longer than the time in which a second press is taken for a double click. */
const PAUSE = 350;

/** Goes on by the tabulator until that has the focus, and sees to it that the reader sees where it is on the way. */
export async function tabTo(page: Page, name: string): Promise<void> {
  const passed: string[] = [await page.evaluate(focused)];
  while (passed.at(-1) !== name) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(focused);
    // Behind the last control the focus leaves the page, and comes back to the first.
    const isOutside = now.startsWith("body");
    assert(isOutside || await page.evaluate(showsFocus), `no focus is seen on ${now}`);
    passed.push(isOutside ? "nothing" : now);
    assert(passed.length < 300, `no ${name} among ${passed.join(", ")}`);
  }
}

/** Both presses of what is done at the second. */
export async function pressTwice(page: Page): Promise<void> {
  await page.keyboard.press("Enter");
  await page.waitForTimeout(PAUSE);
  await page.keyboard.press("Enter");
}

/** Goes to the control by the tabulator, and presses it once or, for what cannot be taken back, twice. */
export async function pressOn(page: Page, name: string, times: 1 | 2 = 1): Promise<void> {
  await tabTo(page, name);
  await (times === 1 ? page.keyboard.press("Enter") : pressTwice(page));
}
