import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { inFolder } from "../support/folder.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { numbered, publish } from "../support/publish.ts";
import { until } from "../support/until.ts";
import { createSuite } from "./suite.ts";

const suite = createSuite();

/** A page with a client in it: what it is told is in `lines`, publications as `{ offset, data }`. */
interface Host {
  readonly name: string;
  readonly html: string;
}

const IFRAME: Host = {
  name: "the hidden iframe",
  html: `<!doctype html><title>host</title><script>
    const lines = [];
    function onPush(line) { lines.push(line); }
    // A page is not loaded as long as a frame in it is not.
    addEventListener("load", () => {
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.src = "/iframe?channel=a&callback=parent.onPush";
      document.body.append(frame);
    });
  </script>`,
};

const EVENT_SOURCE: Host = {
  name: "EventSource",
  html: `<!doctype html><title>host</title><script>
    const lines = [];
    const source = new EventSource("/sse?channel=a");
    for (const type of ["$welcome", "$subscribed", "$close"]) {
      source.addEventListener(type, ({ data }) => lines.push(JSON.parse(data)));
    }
    source.onmessage = ({ data, lastEventId }) => {
      lines.push({ data, offset: Number(lastEventId.split(":").at(-1)) });
    };
  </script>`,
};

interface Line {
  readonly type?: string;
  readonly code?: string;
  readonly recovered?: boolean;
  readonly offset?: number;
  readonly data?: unknown;
}

/** Everything that the client was told so far. */
async function told(page: Page): Promise<Line[]> {
  return JSON.parse(await page.evaluate("JSON.stringify(lines)"));
}

async function ofType(page: Page, type: string | undefined): Promise<Line[]> {
  return (await told(page)).filter((line) => line.type === type);
}

async function untilTold(page: Page, isSo: (lines: Line[]) => boolean): Promise<void> {
  await until(async () => isSo(await told(page)), async () => JSON.stringify((await told(page)).slice(-20)));
}

/** Publishes `count` texts, one after the other, over so many milliseconds. */
async function publishOver(gong: Gong, count: number, milliseconds: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await publish(gong, [{ channel: "a", data: `text ${n}` }]);
    await new Promise((resolve) => setTimeout(resolve, milliseconds / count));
  }
}

for (const { name, html } of [IFRAME, EVENT_SOURCE]) {
  suite.test(`${name} goes on after --max-stream-age, and loses nothing`, async ({ visit, use }) => {
    const gong = use(await startGong(["--isolates", "2", "--max-stream-age", "1"]));
    const page = await visit(`${gong.url}/host.html`, { pages: { "/host.html": html } });
    await untilTold(page, (lines) => lines.some(({ type }) => type === "subscribed"));
    await publishOver(gong, 80, 6000);
    await untilTold(page, (lines) => lines.filter(({ type }) => type === undefined).length >= 80);
    const heard = await ofType(page, undefined);
    assertEquals(heard.map(({ offset }) => offset), Array.from({ length: 80 }, (_, n) => n + 1));
    assertEquals(heard.map(({ data }) => data), Array.from({ length: 80 }, (_, n) => `text ${n + 1}`));
    const ends = await ofType(page, "close");
    assert(ends.length >= 2, `the stream ended ${ends.length} times`);
    assert(ends.every(({ code }) => code === "too_old"), JSON.stringify(ends));
    assert((await ofType(page, "subscribed")).every(({ recovered }) => recovered));
  });

  const ends: [string, (gong: Gong) => Promise<unknown>, string[]][] = [
    ["a restart", (gong) => gong.stop(), ["going_away"]],
    ["a crash", (gong) => gong.kill(), []],
  ];
  for (const [how, end, codes] of ends) {
    suite.test(`${name} comes back after ${how}, is told what is lost, and hears what is live`, async ({ visit, use }) => {
      const first = await startGong(["--isolates", "2", "--ping", "0.5"]);
      const page = await visit(`${first.url}/host.html`, {
        pages: { "/host.html": html },
        expected: /ERR_|\/(sse|iframe)/,
      });
      await untilTold(page, (lines) => lines.some(({ type }) => type === "subscribed"));
      await publish(first, numbered(["a"], 3, "before "));
      await untilTold(page, (lines) => lines.filter(({ type }) => type === undefined).length === 3);
      await end(first);
      await untilTold(page, (lines) => lines.filter(({ type }) => type === "close").length === codes.length);
      assertEquals((await ofType(page, "close")).map(({ code }) => code), codes);
      const second = use(await startGong(["--isolates", "2", "--port", String(first.port)]));
      await untilTold(page, (lines) => lines.some(({ type, recovered }) => type === "subscribed" && !recovered));
      await publish(second, numbered(["a"], 3, "after "));
      await untilTold(page, (lines) => lines.filter(({ type }) => type === undefined).length === 6);
      const heard = await ofType(page, undefined);
      assertEquals(heard.slice(3).map(({ data }) => data), ["after a 1", "after a 2", "after a 3"]);
    });
  }

  suite.test(`${name} loses nothing over a crash of a server that keeps channels in a file`, async ({ visit, use }) => {
    await inFolder(async (dir) => {
      const args = ["--isolates", "2", "--ping", "0.5", "--broker", "sqlite:gong.db"];
      const first = await startGong(args, { dir });
      const page = await visit(`${first.url}/host.html`, {
        pages: { "/host.html": html },
        expected: /ERR_|\/(sse|iframe)/,
      });
      await untilTold(page, (lines) => lines.some(({ type }) => type === "subscribed"));
      await publish(first, numbered(["a"], 3));
      await untilTold(page, (lines) => lines.filter(({ type }) => type === undefined).length === 3);
      await first.kill();
      const before = (await ofType(page, "subscribed")).length;
      const second = use(await startGong([...args, "--port", String(first.port)], { dir }));
      await publish(second, numbered(["a"], 3));
      await untilTold(page, (lines) => lines.filter(({ type }) => type === "subscribed").length > before);
      await publish(second, numbered(["a"], 3));
      await untilTold(page, (lines) => lines.filter(({ type }) => type === undefined).length >= 9);
      assertEquals((await ofType(page, undefined)).map(({ offset }) => offset), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
      assert((await ofType(page, "subscribed")).every(({ recovered }) => recovered));
      await second.stop();
    });
  });
}

suite.test("the hidden iframe brings hostile texts as they are, and runs none of them", async ({ visit, use }) => {
  const gong = use(await startGong(["--isolates", "1"]));
  const page = await visit(`${gong.url}/host.html`, { pages: { "/host.html": IFRAME.html } });
  await untilTold(page, (lines) => lines.some(({ type }) => type === "subscribed"));
  const texts = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\u2028alert(1)//",
    "<img src=x onerror=alert(1)>",
  ];
  await publish(gong, texts.flatMap((data) => [{ channel: "a", data }, { channel: "a", data: { [data]: data } }]));
  await untilTold(page, (lines) => lines.filter(({ type }) => type === undefined).length === texts.length * 2);
  const heard = await ofType(page, undefined);
  assertEquals(heard.map(({ data }) => data), texts.flatMap((text) => [text, { [text]: text }]));
  const [, frame] = page.frames();
  assertEquals(await frame!.evaluate("document.scripts.length"), 1, "nothing of a message stays in the page");
});

suite.test("the hidden iframe stays as it is while nothing but heartbeats comes", async ({ visit, use }) => {
  const gong = use(await startGong(["--isolates", "1", "--ping", "2"]));
  const page = await visit(`${gong.url}/host.html`, { pages: { "/host.html": IFRAME.html } });
  await untilTold(page, (lines) => lines.some(({ type }) => type === "subscribed"));
  // Five pings: twice as long as it takes for silence, and a while for the page to be loaded again.
  await page.waitForTimeout(11_000);
  await publish(gong, [{ channel: "a", data: "x" }]);
  await untilTold(page, (lines) => lines.some(({ type }) => type === undefined));
  assertEquals((await ofType(page, "welcome")).length, 1);
});
