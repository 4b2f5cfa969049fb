import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { ask, stream } from "../../support/doors/http.ts";
import { openIframe, Page } from "../../support/doors/iframe.ts";
import { startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";

const ALLOWED = ["f", "$", "_x1", "parent.onPush", "a.b.c.d.e", "parent.parent.$_", `f${"x".repeat(63)}`];
const REFUSED = [
  "",
  "a.b.c.d.e.f",
  "f".repeat(65),
  "alert(1)",
  "a..b",
  ".a",
  "a.",
  "1a",
  "a.1",
  "a[0]",
  "a;b",
  "a b",
  "a\n",
  "a-b",
  "a/*",
  "</script>",
  "a,b",
  "a=b",
  "a\u2028",
  "a`",
  "\\u0061",
];

Deno.test("/iframe calls back by a path of identifiers, and by nothing else", async (t) => {
  await using gong = await startGong(["--isolates", "1"]);
  for (const callback of ALLOWED) {
    await t.step(callback, async () => {
      const { read, drop } = await stream(gong, `/iframe?channel=a&callback=${encodeURIComponent(callback)}`);
      const page = new Page(callback);
      const lines: Record<string, unknown>[] = [];
      while (lines.length === 0) lines.push(...page.feed(await read() ?? ""));
      drop();
      assertEquals(lines[0]!.type, "welcome");
    });
  }
  for (const callback of [...REFUSED, undefined]) {
    await t.step(`not ${JSON.stringify(callback)}`, async () => {
      const query = callback === undefined ? "" : `&callback=${encodeURIComponent(callback)}`;
      const response = await ask(gong, `/iframe?channel=a${query}`);
      const body = await response.text();
      assertEquals(response.status, 400, body);
      assertMatch(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
      assertEquals(JSON.parse(body).field, "callback");
    });
  }
});

Deno.test("/iframe escapes whatever HTML or a script would take for its own", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const { read, drop } = await stream(gong, "/iframe?channel=a&callback=parent.onPush&history=10");
  const texts = ["</script><script>alert(1)</script>", "<!--<script>", "]]>", "\u2028\u2029", "</SCRIPT\n>", "&lt;\\"];
  for (const text of texts) {
    await publish(gong, [{
      channel: "a",
      data: text,
      event: text.replaceAll(/\p{Cc}/gu, ""),
      tags: { t: `${text}x`.replaceAll(/\p{Cc}/gu, "") },
    }]);
    await publish(gong, [{ channel: "a", data: { text } }]);
  }
  const page = new Page("parent.onPush");
  const heard: unknown[] = [];
  while (heard.length < texts.length * 2) {
    const text = await read();
    assert(text !== undefined, "the page ended");
    heard.push(...page.feed(text).filter(({ type }) => type === undefined).map(({ data }) => data));
  }
  // What brings a line has nothing in it that ends the script, begins another one, or hides its end.
  for (const script of page.scripts.slice(1)) assert(!/[<\u2028\u2029]/.test(script), script);
  drop();
  assertEquals(heard, texts.flatMap((text) => [text, { text }]));
});

Deno.test("/iframe may be framed by its own origin and those of --allow-origin, and loads nothing from elsewhere", async () => {
  const app = "https://app.example.com";
  await using gong = await startGong(["--isolates", "1", "--allow-origin", app]);
  const response = await ask(gong, "/iframe?channel=a&callback=f");
  await response.body?.cancel();
  const policy = response.headers.get("content-security-policy") ?? "";
  const directives = new Map(
    policy.split(";").map((part): [string, string] => {
      const [name = "", ...values] = part.trim().split(/\s+/);
      return [name, values.join(" ")];
    }),
  );
  assertEquals(directives.get("frame-ancestors"), `'self' ${app}`);
  assertEquals(directives.get("default-src"), "'none'");
  assertStringIncludes(directives.get("base-uri") ?? "", "'none'");
  assertEquals(response.headers.get("x-frame-options"), null);
});

Deno.test("/iframe tells a page that its stream ends, and where it was", async () => {
  await using gong = await startGong(["--isolates", "1", "--max-stream-age", "1"]);
  const [published] = await publish(gong, [{ channel: "a", data: "x" }]);
  await using client = await DoorClient.open(openIframe, gong, { channels: ["a"] });
  const { code, cursor } = await client.end();
  assertEquals([code, cursor], ["too_old", `a@${published!.position.epoch}:1`]);
});
