import { type Browser, chromium } from "playwright-core";

/** Where distributions put it. `CHROMIUM` names another. */
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  // Nothing but the server under test is to be asked for anything.
  "--disable-quic",
  "--disable-sync",
  "--disable-background-networking",
  "--disable-component-update",
];

/** Path of the browser, if this machine has one. */
export function findChromium(): string | undefined {
  return [Deno.env.get("CHROMIUM") ?? "", ...PLACES].find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** A headless browser, closed at the end of the scope. */
export async function launchChromium(): Promise<Browser & AsyncDisposable> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("no Chromium here: install it, or name it in CHROMIUM");
  // No sandbox: it does not start as root, and only pages of the server under test are opened.
  const browser = await chromium.launch({ executablePath, args: [...FLAGS] });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}

/**
 * A test that needs a browser. Where there is none it is skipped, but not in CI, where that is a failure.
 * The browser's own pipes outlive one test, so Deno's leak checks are off.
 */
export function browserTest(name: string, run: () => Promise<void>): void {
  const ignore = findChromium() === undefined && Deno.env.get("CI") === undefined;
  Deno.test({ name, ignore, fn: run, sanitizeOps: false, sanitizeResources: false });
}
