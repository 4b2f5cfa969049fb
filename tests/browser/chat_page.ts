/**
 * The chat page as its reader uses it.
 *
 * @module
 */
import type { Locator, Page } from "playwright-core";
import { until } from "../support/until.ts";
import { says } from "./suite.ts";

/** One namespace of the page. */
export interface Panel {
  readonly place: "/chat1" | "/chat2";
  readonly state: Locator;
  readonly field: Locator;
  readonly lines: Locator;
  button(name: string): Locator;
}

/** The panel of a namespace. */
export function panelOf(page: Page, number: 1 | 2): Panel {
  const place = `/chat${number}` as const;
  const root = page.getByRole("region", { name: place, exact: true });
  return {
    place,
    state: root.getByRole("status"),
    field: root.getByLabel(`Message to ${place}`),
    // By its role each look at hundreds of lines takes long.
    lines: page.locator(`#chat${number} .console > li`),
    button: (name) => root.getByRole("button", { name, exact: true }),
  };
}

/** Both panels, when they are connected by what is named. */
export async function connected(page: Page, transport: string): Promise<[Panel, Panel]> {
  const panels: [Panel, Panel] = [panelOf(page, 1), panelOf(page, 2)];
  for (const { state } of panels) await says(state, `Connected, ${transport}`);
  return panels;
}

/** Says it as most do, by Enter. */
export async function say({ field }: Panel, text: string): Promise<void> {
  await field.fill(text);
  await field.press("Enter");
}

/** What its lines say, without their times, newest first. */
export async function linesOf({ lines }: Panel): Promise<string[]> {
  return await lines.locator("> span").allTextContents();
}

/** Waits until its lines are these, newest first. */
export async function shows(panel: Panel, expected: readonly string[]): Promise<void> {
  const wanted = JSON.stringify(expected);
  await until(
    async () => JSON.stringify(await linesOf(panel)) === wanted,
    async () => `${panel.place} has ${JSON.stringify(await linesOf(panel))}, not ${wanted}`,
  );
}
