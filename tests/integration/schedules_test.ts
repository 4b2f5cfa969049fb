/**
 * Schedules over restarts of a server: what fires, what does not any more, and what is said of it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { inFolder } from "../support/folder.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { until } from "../support/until.ts";

const SHOP = "shop:publish:the-key-of-the-shop-keeper";
const BOSS = "boss:admin:the-key-of-the-administrator";
const SQLITE = ["--broker", "sqlite:gong.db"];

function start(dir: string, keys: readonly string[], broker: readonly string[] = SQLITE): Promise<Gong> {
  const flags = ["--isolates", "1", "--history-age", "1h", ...broker, ...keys.flatMap((key) => ["--api-key", key])];
  return startGong(flags, { dir, dev: false });
}

async function call(gong: Gong, key: string, method: string, path: string, body?: object): Promise<Response> {
  return await fetch(`${gong.url}/api/${path}`, {
    method,
    headers: { "x-api-key": key.split(":")[2]!, "content-type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

async function statusOf(response: Promise<Response>): Promise<number> {
  const { status, body } = await response;
  await body?.cancel();
  return status;
}

// deno-lint-ignore no-explicit-any
async function schedule(gong: Gong, body: object, key = SHOP): Promise<any> {
  const response = await call(gong, key, "POST", "schedules", body);
  const made = await response.json();
  assertEquals(response.status, 201, JSON.stringify(made));
  return made;
}

// deno-lint-ignore no-explicit-any
async function look(gong: Gong, id: string, key = BOSS): Promise<any> {
  return await (await call(gong, key, "GET", `schedules/${id}`)).json();
}

/** The schedule, when it has fired and will not any more. */
// deno-lint-ignore no-explicit-any
async function over(gong: Gong, id: string): Promise<any> {
  // deno-lint-ignore no-explicit-any
  let shown: any;
  await until(async () => (shown = await look(gong, id)).next === undefined, () => JSON.stringify(shown));
  return shown;
}

/** Data and id of everything in the channel. */
async function published(gong: Gong, channel: string): Promise<[unknown, string][]> {
  const response = await call(gong, BOSS, "GET", `history?channel=${channel}&limit=100`);
  const { publications } = await response.json();
  // deno-lint-ignore no-explicit-any
  return publications.map(({ data, messageId }: any) => [data, messageId]);
}

/** What the server has logged under the name. */
function logged(gong: Gong, event: string): Record<string, unknown>[] {
  return gong.output().split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
    .filter((entry) => entry.event === event);
}

async function passed(time: number): Promise<void> {
  await until(() => Date.now() > time);
}

Deno.test("a schedule whose time comes while the server is stopped fires late, once, and is kept as it was", () =>
  inFolder(async (dir) => {
    let gong = await start(dir, [SHOP, BOSS]);
    const at = Date.now() + 5000;
    const tags = { a: "é\u2028" };
    const binary = { encoding: "base64", data: "AP+A", contentType: "image/png" };
    const made = await schedule(gong, { id: "text", at, channels: ["a", "b"], data: { n: "🎉\0" }, event: "e", tags });
    await schedule(gong, { id: "bytes", at, channel: "c", ...binary });
    await schedule(gong, { id: "later", in: 3600, channel: "a", data: "not yet" });
    assertEquals(await gong.stop(), 0);
    await passed(at);

    gong = await start(dir, [SHOP, BOSS]);
    try {
      const { last, next: _, ...kept } = await over(gong, "text");
      const { next: __, ...before } = made;
      assertEquals(kept, before);
      assertEquals([last.due, last.late, last.refused], [at, true, undefined]);
      assertEquals((await over(gong, "bytes")).last.late, true);
      for (const channel of ["a", "b"]) {
        assertEquals(await published(gong, channel), [[{ n: "🎉\0" }, `schedule:text:${at}`]]);
      }
      assertEquals(await published(gong, "c"), [["AP+A", `schedule:bytes:${at}`]]);
      assertEquals((await look(gong, "later")).last, undefined);
      await gong.line(/schedule\.late.*bytes|bytes.*schedule\.late/);
      assertEquals(logged(gong, "schedule.late").map(({ id }) => id).sort(), ["bytes", "text"]);
      for (const { level, seconds } of logged(gong, "schedule.late")) {
        assertEquals([level, typeof seconds], ["warning", "number"]);
      }
      assertEquals(await gong.stop(), 0);
      gong = await start(dir, [SHOP, BOSS]);
      assertEquals((await look(gong, "text")).last, last);
      assertEquals((await published(gong, "a")).length, 1, "once is once");
      assertEquals(logged(gong, "schedule.late"), []);
      const metrics = await (await call(gong, BOSS, "GET", "stats")).json();
      assertEquals(metrics.gong_schedules, 3);
    } finally {
      await gong.kill();
    }
  }));

Deno.test("a schedule of a key that is gone is refused when it fires, and that of a key which stays is not", () =>
  inFolder(async (dir) => {
    let gong = await start(dir, [SHOP, BOSS]);
    const at = Date.now() + 5000;
    await schedule(gong, { id: "of-shop", at, channel: "a", data: 1 });
    await schedule(gong, { id: "of-boss", at, channel: "b", data: 2 }, BOSS);
    await schedule(gong, { id: "later", in: 3600, channel: "a", data: 3 });
    assertEquals(await gong.stop(), 0);
    await passed(at);

    // The key is another's now, and the name nobody's.
    gong = await start(dir, [BOSS, SHOP.replace("shop:", "store:")]);
    try {
      assertEquals((await over(gong, "of-shop")).last.refused, "forbidden");
      assertEquals((await over(gong, "of-boss")).last.refused, undefined);
      assertEquals([await published(gong, "a"), (await published(gong, "b")).length], [[], 1]);
      assertEquals(await statusOf(call(gong, SHOP, "GET", "schedules/later")), 404);
      assertEquals(await statusOf(call(gong, SHOP, "DELETE", "schedules/later")), 404);
      const refused = JSON.parse(await gong.line(/schedule\.refused/));
      assertEquals([refused.level, refused.id, refused.code], ["warning", "of-shop", "forbidden"]);
      assertEquals(await gong.stop(), 0);
      gong = await start(dir, [SHOP, BOSS]);
      assertEquals((await look(gong, "of-shop")).last.refused, "forbidden", "what was refused is over");
      assertEquals(await published(gong, "a"), []);
      assertEquals(await statusOf(call(gong, SHOP, "DELETE", "schedules/later")), 204);
    } finally {
      await gong.kill();
    }
  }));

Deno.test("periodic schedules go on after a stop, what they missed is skipped and logged once", () =>
  inFolder(async (dir) => {
    let gong = await start(dir, [SHOP, BOSS]);
    const { created } = await schedule(gong, { id: "every", every: 1, channel: "a", data: 1 });
    await schedule(gong, { id: "cron", cron: "* * * * * *", zone: "Asia/Kolkata", channel: "b", data: 2 });
    await until(async () => (await look(gong, "every")).last !== undefined);
    await until(async () => (await look(gong, "cron")).last !== undefined);
    assertEquals(await gong.stop(), 0);
    const stopped = Date.now();
    await passed(stopped + 2200);

    gong = await start(dir, [SHOP, BOSS]);
    const started = Date.now();
    try {
      for (const id of ["every", "cron"]) {
        await until(async () => (await look(gong, id)).last.due > started);
        assertEquals((await look(gong, id)).last.late, undefined);
      }
      // A machine that stands still makes the server miss others.
      const missed = logged(gong, "schedule.skipped").filter(({ due }) => Number(due) < stopped + 2200);
      assertEquals(missed.map(({ id }) => id).sort(), ["cron", "every"]);
      assertEquals(logged(gong, "schedule.late"), []);
      for (const [id, channel, first] of [["every", "a", created], ["cron", "b", 0]] as const) {
        const ids = (await published(gong, channel)).map(([, id]) => id);
        const dues = ids.map((one) => Number(one.split(":")[2]));
        assertEquals(ids, dues.map((due) => `schedule:${id}:${due}`));
        assertEquals(dues, [...new Set(dues)].sort((a, b) => a - b), "no time twice");
        assert(dues.every((due) => (due - first) % 1000 === 0), `${id} keeps to its times: ${dues}`);
        assertEquals(
          dues.filter((due) => due > stopped && due < stopped + 2200),
          [],
          "what was missed is not made up for",
        );
      }
    } finally {
      await gong.kill();
    }
  }));

Deno.test("schedules of the memory broker end with the server", () =>
  inFolder(async (dir) => {
    const first = await start(dir, [SHOP, BOSS], []);
    const at = Date.now() + 60_000;
    assertMatch((await schedule(first, { at, channel: "a", data: 1 })).id, /^[\w-]{36}$/);
    assertEquals(await first.stop(), 0);
    await using second = await start(dir, [SHOP, BOSS], []);
    const response = await call(second, BOSS, "GET", "schedules");
    assertEquals(await response.json(), { schedules: [], total: 0 });
  }));
