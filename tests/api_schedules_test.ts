import { assert, assertEquals } from "@std/assert";
import { KEYS, setUp } from "./support/api.ts";

const OTHER = "key-of-another-publisher";

function open() {
  const api = setUp();
  const send = (method: string, path: string, body?: unknown, key: string = KEYS.publish) => {
    return api.send(method, path, body === undefined ? { key } : { key, body });
  };
  return { ...api, send };
}

Deno.test("POST /api/schedules makes a schedule, whose time and data are answered as they were given", async () => {
  const { send, hub, entries } = open();
  const before = Date.now();
  const cases: [Record<string, unknown>, (schedule: Record<string, number & string>) => void][] = [
    [{ at: "2030-01-31T09:00:00+01:00" }, ({ at }) => assertEquals(at, Date.parse("2030-01-31T08:00:00Z") as never)],
    [{ at: before + 5000 }, ({ at }) => assertEquals(at, before + 5000 as never)],
    [{ in: 1.5 }, ({ at }) => assert(at! >= before + 1500 && at! <= Date.now() + 1500)],
    [{ every: 60 }, ({ every }) => assertEquals(every, 60 as never)],
    [{ cron: "0 9 * * MON-FRI" }, ({ cron, zone }) => assertEquals([cron, zone], ["0 9 * * MON-FRI", "UTC"] as never)],
    [{ cron: "0 9 * * *", zone: "Asia/Tokyo" }, ({ zone }) => assertEquals(zone, "Asia/Tokyo" as never)],
  ];
  for (const [when, check] of cases) {
    const response = await send("POST", "/api/schedules", {
      ...when,
      channel: "news",
      data: { a: [1] },
      tags: { t: "1" },
    });
    assertEquals(response.status, 201);
    const schedule = await response.json();
    check(schedule);
    const { creator, channels, data, tags, contentType } = schedule;
    assertEquals([creator, channels, data, tags, contentType], ["shop", ["news"], { a: [1] }, { t: "1" }, undefined]);
    assert(/^[\w-]{36}$/.test(schedule.id));
  }
  assertEquals(hub.schedules.size, cases.length);
  const put = entries.filter(({ event }) => event === "api.schedule_put");
  assertEquals(put.length, cases.length);
  assertEquals([put[0]!.fields.name, put[0]!.fields.created, put[0]!.fields.channels], ["shop", true, 1]);
});

Deno.test("POST /api/schedules takes users, bytes and an id; GET shows them again", async () => {
  const { send } = open();
  const body = {
    id: "wake-1",
    every: 5,
    users: ["a b"],
    data: "AAE=",
    encoding: "base64",
    contentType: "image/png",
    ttl: 9,
  };
  assertEquals((await send("POST", "/api/schedules", body)).status, 201);
  const { creator, channels, every, data, encoding, contentType, ttl, next } =
    await (await send("GET", "/api/schedules/wake-1")).json();
  assertEquals([creator, channels, every, data, encoding, contentType, ttl, next], [
    "shop",
    ["$user/a%20b"],
    5,
    "AAE=",
    "base64",
    "image/png",
    9,
    2,
  ]);
});

const WRONG: readonly [body: Record<string, unknown>, status: number, field?: string][] = [
  [{}, 400, "/at"],
  [{ at: 1, in: 1 }, 400, "/at"],
  [{ at: "tomorrow" }, 400, "/at"],
  [{ at: "2030-01-31T09:00:00" }, 400, "/at"],
  [{ at: "2030-13-31T09:00:00Z" }, 400, "/at"],
  [{ at: 1.5 }, 400, "/at"],
  [{ at: "2020-01-31T09:00:00Z" }, 400, "/at"],
  [{ at: "2999-01-31T09:00:00Z" }, 400, "/at"],
  [{ in: -1 }, 400, "/in"],
  [{ in: "5" }, 400, "/in"],
  [{ in: 1e9 }, 400, "/in"],
  [{ every: 0.5 }, 400, "/every"],
  [{ every: 60, zone: "UTC" }, 400, "/zone"],
  [{ cron: "* * * *" }, 400, "/cron"],
  [{ cron: 5 }, 400, "/cron"],
  [{ cron: "0 0 30 2 *" }, 400, "/cron"],
  [{ cron: "* * * * *", zone: "Mars/Base" }, 400, "/zone"],
  [{ every: 5, id: "a/b" }, 400, "/id"],
  [{ every: 5, id: "x".repeat(41) }, 400, "/id"],
  [{ every: 5, users: ["a"], channel: undefined, channels: ["b"] }, 400],
  [{ every: 5, channel: "$admin" }, 403, "/channel"],
  [{ every: 5, trace: true }, 400, "/trace"],
  [{ every: 5, data: undefined }, 400, "/data"],
];

Deno.test("POST /api/schedules says what is wrong", async () => {
  const { send, hub } = open();
  for (const [body, status, field] of WRONG) {
    const response = await send("POST", "/api/schedules", { channel: "a", data: "x", ...body });
    const { field: said } = await response.json();
    assertEquals([response.status, said], [status, field ?? said], JSON.stringify(body));
  }
  assertEquals(hub.schedules.size, 0);
});

Deno.test("PUT /api/schedules/ID makes one or takes the place of one's own", async () => {
  const { send, hub } = open();
  const body = { every: 5, channel: "a", data: "x" };
  assertEquals((await send("PUT", "/api/schedules/x", body)).status, 201);
  assertEquals((await send("PUT", "/api/schedules/x", { ...body, id: "x" })).status, 200);
  assertEquals((await send("PUT", "/api/schedules/x", { ...body, id: "y" })).status, 400);
  assertEquals((await send("PUT", "/api/schedules/x", body, KEYS.admin)).status, 200);
  assertEquals(hub.puts, [{ replace: true, owner: "shop" }, { replace: true, owner: "shop" }, { replace: true }]);
  assertEquals((await send("PUT", "/api/schedules/a%20b", body)).status, 404);
});

Deno.test("a key sees and cancels its own schedules, an admin key all", async () => {
  const api = setUp({
    apiKey: [
      `boss:admin:${KEYS.admin}`,
      `shop:publish:${KEYS.publish}`,
      `other:publish:${OTHER}`,
      `eye:stats:${KEYS.stats}`,
    ],
  });
  const send = (method: string, path: string, key?: string, body?: unknown) => {
    return api.send(method, path, { ...(key === undefined ? {} : { key }), ...(body === undefined ? {} : { body }) });
  };
  const body = { every: 5, channel: "a", data: "x" };
  for (const id of ["a", "b", "c"]) await send("POST", "/api/schedules", KEYS.publish, { ...body, id });
  await send("POST", "/api/schedules", OTHER, { ...body, id: "d" });
  const list = async (key: string, query = "") => {
    const { schedules, total, next } = await (await send("GET", `/api/schedules${query}`, key)).json();
    return [schedules.map(({ id }: { id: string }) => id), total, next];
  };
  assertEquals(await list(KEYS.publish, "?limit=2"), [["a", "b"], 3, "b"]);
  assertEquals(await list(KEYS.publish, "?limit=2&after=b"), [["c"], 3, undefined]);
  assertEquals(await list(OTHER), [["d"], 1, undefined]);
  assertEquals(await list(KEYS.admin), [["a", "b", "c", "d"], 4, undefined]);
  for (const method of ["GET", "DELETE"]) {
    const statuses = [];
    for (const key of [undefined, KEYS.stats, KEYS.publish]) {
      statuses.push((await send(method, "/api/schedules/d", key)).status);
    }
    assertEquals(statuses, [401, 403, 404], method);
  }
  assertEquals((await send("DELETE", "/api/schedules/d", OTHER)).status, 204);
  assertEquals((await send("DELETE", "/api/schedules/a", KEYS.admin)).status, 204);
  assertEquals((await send("DELETE", "/api/schedules/a", KEYS.admin)).status, 404);
  const cancelled = api.entries.filter(({ event }) => event === "api.schedule_cancelled");
  assertEquals(cancelled.map(({ fields }) => [fields.id, fields.name]), [["d", "other"], ["a", "boss"]]);
});

Deno.test("schedules are not for tokens, whose rights end with them", async () => {
  const { send, auth, hub } = open();
  const all = () => true;
  Object.assign(auth, {
    identify: () => ({ name: "user:42", scopes: [], user: { id: "42", subscribe: all, publish: all } }),
  });
  const response = await send("POST", "/api/schedules", { every: 5, channel: "a", data: "x" });
  assertEquals([response.status, (await response.json()).detail], [403, "This needs a key with the scope `publish`."]);
  assertEquals((await send("GET", "/api/schedules")).status, 403);
  assertEquals(hub.schedules.size, 0);
});
