/**
 * The STOMP page as its reader uses it.
 *
 * @module
 */
import type { Locator, Page } from "playwright-core";
import type { Gong } from "../support/gong.ts";
import { says } from "./suite.ts";

/** Opens the page's connection. */
export async function connectPage(page: Page, version: string, path = "/ws"): Promise<void> {
  await page.getByLabel("Path").fill(path);
  await page.getByLabel("Version").selectOption(version);
  await page.getByRole("button", { name: /^(?:Connect|Reconnect)$/ }).click();
  await says(page.locator("#state"), new RegExp(`^Open: STOMP ${version.replace(".", "\\.")}`));
}

/** Subscribes, and waits until that is in force. */
export async function subscribePage(page: Page, destination: string, ack = "auto"): Promise<Locator> {
  const form = page.locator("#subscribe-form");
  await form.getByLabel("Destination").fill(destination);
  await form.getByLabel("Ack").selectOption(ack);
  await form.getByRole("button", { name: "Subscribe", exact: true }).click();
  const item = form.locator("li").last();
  await says(item.locator(".quiet"), new RegExp(`^${ack} · subscribed`));
  return item;
}

/** Sends from the form. */
export async function sendPage(page: Page, to: string, body: string, type = "text/plain"): Promise<void> {
  await page.getByLabel("Send to").fill(to);
  await page.getByLabel("Content type").fill(type);
  await page.getByLabel("Body", { exact: true }).fill(body);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** Frames of the log that came with this command. */
export function received(page: Page, command: string): Locator {
  return page.locator("#frames .in", { has: page.locator("strong", { hasText: new RegExp(`^${command}$`) }) });
}

/** Value of a header as the page shows it. */
export async function headerOf(frame: Locator, name: string): Promise<string | undefined> {
  const lines = (await frame.locator(".fields").textContent() ?? "").split("\n");
  return lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1);
}

/** The body that the page shows. */
export async function bodyOf(frame: Locator): Promise<string> {
  return await frame.locator(".body").textContent() ?? "";
}

/** Ends a session as an operator does. */
export async function endSession(gong: Pick<Gong, "url">, session: string): Promise<void> {
  const response = await fetch(`${gong.url}/api/sessions/${session}`, { method: "DELETE" });
  await response.body?.cancel();
  if (response.status !== 204) throw new Error(`the session is not ended: ${response.status}`);
}
