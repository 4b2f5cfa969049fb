/**
 * What the browser tests of one file share: a Chromium, and what they ask of each page.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { browserTest, findChromium, launchChromium } from "../support/chromium.ts";
import { until } from "../support/until.ts";

/** How a page is opened. */
export interface VisitOptions extends BrowserContextOptions {
  /** Runs before the page's own scripts. */
  before?: () => void;
  /** Pages that the server does not have, by path: HTML, under no policy. */
  pages?: Readonly<Record<string, string>>;
  /** Console errors that this test brings about; every other error of the console or of a script fails it. */
  expected?: RegExp;
  /** The page's clock stands still from the beginning, until the test moves it: no timer of the page runs by itself. */
  stopped?: boolean;
  /** Opens the page beside that one, with its cookies, storage and permissions. */
  beside?: Page;
}

/** Opens pages, and sees to it that they end without an error. */
export interface Visitor {
  visit(url: string, options?: VisitOptions): Promise<Page>;
  /** A server of this test alone. It outlives the pages, which would else ask one that is gone. */
  use<T extends AsyncDisposable>(server: T): T;
}

/** Tests that share one browser; each has contexts of its own. */
export interface Suite {
  test(name: string, run: (visitor: Visitor) => Promise<void>): void;
}

/** To be called once, at the top of a test file. */
export function createSuite(): Suite {
  let browser: (Browser & AsyncDisposable) | undefined;
  const there = findChromium() !== undefined;
  if (!there) console.warn("No Chromium here: the tests in a browser are ignored. Install it, or name it in CHROMIUM.");
  Deno.test.beforeAll(async () => {
    if (there) browser = await launchChromium();
  });
  Deno.test.afterAll(async () => await browser?.close());
  return {
    test(name, run) {
      browserTest(name, async () => {
        if (browser === undefined) throw new Error("no Chromium here");
        await runWith(browser, run);
      });
    },
  };
}

async function runWith(browser: Browser, run: (visitor: Visitor) => Promise<void>): Promise<void> {
  const errors: string[] = [];
  await using servers = new AsyncDisposableStack();
  async function visit(url: string, options: VisitOptions = {}): Promise<Page> {
    const { before, expected, beside, stopped = false, pages = {}, ...rest } = options;
    const context = beside?.context() ?? await browser.newContext(rest);
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    if (before !== undefined) await page.addInitScript(before);
    if (stopped) {
      const time = Date.now();
      await page.clock.install({ time });
      await page.clock.pauseAt(time + 1000);
    }
    for (const [path, body] of Object.entries(pages)) {
      await page.route((url) => url.pathname === path, (route) => route.fulfill({ contentType: "text/html", body }));
    }
    // A breach of the policy is an error of the console too.
    page.on("console", (message) => {
      const text = `${message.text()} (${message.location().url})`;
      if (message.type() === "error" && !expected?.test(text)) errors.push(text);
    });
    page.on("pageerror", (error) => errors.push(String(error.stack)));
    page.on("dialog", (dialog) => {
      errors.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.goto(url);
    return page;
  }
  try {
    await run({ visit, use: (server) => servers.use(server) });
    assertEquals(errors, []);
  } finally {
    await Promise.all(browser.contexts().map((context) => context.close()));
  }
}

/** Waits until the page is connected. */
export async function opened(page: Page): Promise<Page> {
  await page.locator("#state[data-phase=open]").waitFor();
  return page;
}

/** Waits until the element has exactly this text. */
export async function says(locator: Locator, text: string | RegExp): Promise<void> {
  const matches = (have: string) => typeof text === "string" ? have === text : text.test(have);
  await until(async () => matches((await locator.textContent() ?? "").trim()), async () => {
    return `not ${text} but ${await locator.textContent()}`;
  });
}

/** Texts that harm a page that takes them for markup, for an address or for a direction. */
export const HOSTILE: readonly string[] = [
  "<img src=x onerror=alert(1)>",
  "</script><script>alert(1)</script>",
  "javascript:alert(1)",
  '"><svg onload=alert(1)>',
  "{{constructor.constructor('alert(1)')()}}",
  "\u202Egpj.exe\u2066\u0007\u001b[31m",
];

/** What such a text would make in the admin page, which has links within itself alone. */
export const MARKUP = ":is(main, dialog) :is(img, script, a:not([href^='#']))";
