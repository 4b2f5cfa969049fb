import { assertEquals } from "@std/assert";
import type { Publication } from "../lib/types.ts";
import { KEYS, setUp } from "./support/api.ts";

const LONGEST = { last: Number.MAX_SAFE_INTEGER };
const BYTES = 4 * 2 ** 20;

function publication(offset: number, more: Partial<Publication> = {}): Publication {
  return {
    channel: "news",
    epoch: "e",
    offset,
    time: 1000 + offset,
    data: `text ${offset}`,
    contentType: "text/plain",
    ...more,
  };
}

Deno.test("GET /api/history answers the lines of the JSON door, the top, and where the next page begins", async () => {
  const { send, hub } = setUp({ publicChannels: ["news"] });
  hub.histories.set("news", {
    top: { epoch: "e", offset: 9 },
    publications: [
      publication(3, { id: "order-7", event: "sold", publisher: "shop", trace: true } as Partial<Publication>),
      publication(4, { data: '{"n":12345678901234567890}', contentType: "application/json" }),
      publication(5, { data: "", expired: true }),
      publication(6, { data: Uint8Array.of(1, 2), contentType: "image/png" }),
    ],
    recovered: true,
  });
  const response = await send("GET", "/api/history?channel=news&limit=4");
  assertEquals([response.status, response.headers.get("content-type")], [200, "application/json"]);
  const text = await response.text();
  assertEquals(text.includes('"data":{"n":12345678901234567890}'), true, "every digit is kept");
  const place = { channel: "news", epoch: "e" };
  assertEquals(JSON.parse(text), {
    ...place,
    offset: 9,
    recovered: true,
    cursor: "news@e:6",
    publications: [
      { ...place, offset: 3, time: 1003, data: "text 3", event: "sold", messageId: "order-7" },
      { ...place, offset: 4, time: 1004, data: { n: 12345678901234567890 } },
      { ...place, offset: 6, time: 1006, data: "AQI=", encoding: "base64", contentType: "image/png" },
    ],
  });
  assertEquals(hub.reads, [{ channel: "news", start: LONGEST, limit: { count: 4, bytes: BYTES } }]);
});

Deno.test("GET /api/history goes on behind what has expired, and at the top when nothing is left", async () => {
  const { send, hub } = setUp();
  const read = async () => await (await send("GET", "/api/history?channel=news", { key: KEYS.admin })).json();
  const top = { epoch: "e", offset: 9 };
  hub.histories.set("news", { top, publications: [publication(8, { data: "", expired: true })], recovered: true });
  assertEquals([(await read()).publications, (await read()).cursor], [[], "news@e:8"]);
  hub.histories.set("news", { top, publications: [], recovered: true });
  assertEquals((await read()).cursor, "news@e:9");
  hub.histories.set("news", { top, publications: [], recovered: false });
  const { recovered, publications, cursor } = await read();
  assertEquals({ recovered, publications, cursor }, { recovered: false, publications: [], cursor: "news@e:9" });
});

Deno.test("GET /api/history begins at a position, or where a cursor names the channel", async () => {
  const { send, hub } = setUp();
  for (const since of ["e:3", "news@e:3", "sport@x:1,news@e:3"]) {
    const path = `/api/history?channel=news&since=${encodeURIComponent(since)}`;
    assertEquals((await send("GET", path, { key: KEYS.admin })).status, 200, since);
    assertEquals(hub.reads.pop(), {
      channel: "news",
      start: { epoch: "e", offset: 3 },
      limit: { count: 100, bytes: BYTES },
    });
  }
});

Deno.test("GET /api/history names the parameter that is wrong", async () => {
  const { send, hub } = setUp();
  const cases: [query: string, field: string][] = [
    ["", "channel"],
    ["channel=", "channel"],
    ["channel=a%20b", "channel"],
    [`channel=${"a".repeat(129)}`, "channel"],
    ["channel=a&channel=b", "channel"],
    ["channel=a&limit=0", "limit"],
    ["channel=a&limit=1001", "limit"],
    ["channel=a&limit=1e2", "limit"],
    ["channel=a&limit=", "limit"],
    ["channel=a&limit=-1", "limit"],
    ["channel=a&since=", "since"],
    ["channel=a&since=e", "since"],
    ["channel=a&since=e:1e3", "since"],
    ["channel=a&since=b@e:1", "since"],
    ["channel=a&since=e:1,e:2", "since"],
    [`channel=a&since=${"a@e:1,".repeat(2000)}`, "since"],
    ["channel=a&since=e:1&since=e:1", "since"],
    ["channel=a&history=3", "history"],
  ];
  for (const [query, field] of cases) {
    const { status, code, field: found } = await (await send("GET", `/api/history?${query}`, { key: KEYS.admin }))
      .json();
    assertEquals([status, code, found], [400, "bad_request", field], query.slice(0, 80));
  }
  assertEquals(hub.reads, []);
});

Deno.test("GET /api/history is for who may hear the channel, with a key or without", async () => {
  const { send, hub } = setUp({ publicChannels: ["open:*"] });
  const codeOf = async (channel: string, key?: string) => {
    const response = await send("GET", `/api/history?channel=${channel}`, key === undefined ? {} : { key });
    return (await response.json()).code;
  };
  assertEquals(await codeOf("open:a"), undefined);
  assertEquals(await codeOf("open:a", KEYS.stats), undefined);
  assertEquals(await codeOf("open:a", "wrong"), "unauthorized");
  assertEquals(await codeOf("closed"), "unauthorized");
  assertEquals(await codeOf("closed", KEYS.publish), "forbidden");
  assertEquals(await codeOf("closed", KEYS.admin), undefined);
  assertEquals(await codeOf("$user/7"), "unauthorized");
  assertEquals(await codeOf("$user/7", KEYS.publish), "forbidden");
  assertEquals(hub.reads.map(({ channel }) => channel), ["open:a", "open:a", "closed"]);
});

Deno.test("GET /api/history has nothing of a queue, whoever asks", async () => {
  for (const dev of [false, true]) {
    const { send, hub } = setUp({ dev });
    const response = await send("GET", "/api/history?channel=$queue/jobs", { key: KEYS.admin });
    assertEquals([response.status, (await response.json()).code, hub.reads], [403, "forbidden", []]);
  }
});

Deno.test("GET /api/history counts towards the rate of the address", async () => {
  const { send } = setUp({ publicChannels: ["*"], apiRate: 1 }, { now: () => 0 });
  const statuses = [];
  for (let n = 0; n < 3; n++) statuses.push((await send("GET", "/api/history?channel=a")).status);
  assertEquals(statuses, [200, 200, 429]);
});

Deno.test("GET /api/publications/ID answers what is noted, by any id there can be", async () => {
  const { send, hub } = setUp();
  const traces = [
    { channel: "news", time: 1, epoch: "e", offset: 7, queued: 3, dropped: { slow: 1 } },
    { channel: "sport", time: 2, refused: "overloaded" },
  ];
  for (const id of ["order-7", "a/b", "größe 100%", "?#", "a".repeat(64)]) {
    hub.traces.set(id, traces);
    const response = await send("GET", `/api/publications/${encodeURIComponent(id)}`, { key: KEYS.stats });
    assertEquals([response.status, await response.json()], [200, { id, publications: traces }]);
  }
  const missing = await send("GET", "/api/publications/order-8", { key: KEYS.stats });
  assertEquals([missing.status, (await missing.json()).code], [404, "not_found"]);
  const broken = await send("GET", "/api/publications/%ff", { key: KEYS.stats });
  assertEquals([broken.status, (await broken.json()).code], [400, "bad_request"]);
});
