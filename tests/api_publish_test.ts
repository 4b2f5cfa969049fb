import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { GongError } from "../lib/errors.ts";
import { CLIENT, KEYS, sessionInfo, setUp } from "./support/api.ts";

Deno.test("POST /api/publish answers the position of each channel", async () => {
  const { publish, hub } = setUp();
  const one = await publish({ channel: "news", data: "hello" });
  assertEquals([one.status, one.headers.get("content-type")], [200, "application/json"]);
  assertEquals(await one.json(), { positions: [{ channel: "news", epoch: "e-news", offset: 1 }] });
  const two = await publish({ channels: ["news", "sport"], data: "again" });
  assertEquals(await two.json(), {
    positions: [{ channel: "news", epoch: "e-news", offset: 2 }, { channel: "sport", epoch: "e-sport", offset: 1 }],
  });
  assertEquals(hub.calls.length, 2);
});

Deno.test("POST /api/publish hands over data, type and details as they are meant", async () => {
  const { publish, hub } = setUp();
  const cases: [object, object][] = [
    [{ data: "text" }, { data: "text", contentType: "text/plain" }],
    [{ data: "" }, { data: "", contentType: "text/plain" }],
    [{ data: { a: [1, null] } }, { data: '{"a":[1,null]}', contentType: "application/json" }],
    [{ data: null }, { data: "null", contentType: "application/json" }],
    [{ data: 0 }, { data: "0", contentType: "application/json" }],
    [{ data: "<b>", contentType: "text/html; charset=utf-8" }, {
      data: "<b>",
      contentType: "text/html; charset=utf-8",
    }],
    [{ data: "aGk=", encoding: "base64" }, {
      data: new Uint8Array([104, 105]),
      contentType: "application/octet-stream",
    }],
    [{ data: "/w==", encoding: "base64", contentType: "image/png" }, {
      data: new Uint8Array([255]),
      contentType: "image/png",
    }],
    [{ data: "a", ttl: 0 }, { data: "a", contentType: "text/plain", ttl: 0 }],
    [{ data: "a", ttl: 1.5, trace: false }, { data: "a", contentType: "text/plain", ttl: 1.5 }],
    [{ data: "a", ttl: 2e6 }, { data: "a", contentType: "text/plain", ttl: 2_000_000 }],
    [{ data: "a", id: "order-7", trace: true }, { data: "a", contentType: "text/plain", id: "order-7", trace: true }],
    [{ data: "a", id: "order-7", event: "größe", tags: { lang: "de", "a/b": "1" } }, {
      data: "a",
      contentType: "text/plain",
      id: "order-7",
      event: "größe",
      tags: { lang: "de", "a/b": "1" },
    }],
  ];
  for (const [given, expected] of cases) {
    const response = await publish({ channel: "news", ...given });
    assertEquals(response.status, 200, JSON.stringify(given));
    await response.body?.cancel();
    assertEquals<unknown>(hub.published.at(-1), { channel: "news", publisher: "shop", ...expected });
  }
});

Deno.test("POST /api/publish keeps every digit of a number", async () => {
  const { publish, hub } = setUp();
  await publish('{"channel":"news","data":{"id":12345678901234567890,"big":1e999}}');
  assertEquals(hub.published[0]?.data, '{"id":12345678901234567890,"big":1e999}');
});

Deno.test("POST /api/publish names the field that is wrong", async () => {
  const { publish, hub, refused } = setUp();
  const cases: [unknown, string | undefined][] = [
    [{ chanel: "news", data: 1 }, "/chanel"],
    [{ data: 1 }, undefined],
    [{ channel: "a", channels: ["b"], data: 1 }, undefined],
    [{ channel: "news" }, "/data"],
    [{ channel: 7, data: 1 }, "/channel"],
    [{ channel: null, data: 1 }, "/channel"],
    [{ channel: "", data: 1 }, "/channel"],
    [{ channel: "a b", data: 1 }, "/channel"],
    [{ channel: "a".repeat(129), data: 1 }, "/channel"],
    [{ channels: [], data: 1 }, "/channels"],
    [{ channels: "news", data: 1 }, "/channels"],
    [{ channels: ["a", "b c"], data: 1 }, "/channels/1"],
    [{ channels: ["a", "b", "a"], data: 1 }, "/channels"],
    [{ channels: Array.from({ length: 101 }, (_, index) => `c${index}`), data: 1 }, "/channels"],
    [{ channel: "a", data: "\ud800" }, "/data"],
    [{ channel: "a", data: "not base64!", encoding: "base64" }, "/data"],
    [{ channel: "a", data: 7, encoding: "base64" }, "/data"],
    [{ channel: "a", data: "a", encoding: "hex" }, "/encoding"],
    [{ channel: "a", data: "{", contentType: "application/json" }, "/data"],
    [{ channel: "a", data: "a", contentType: "text" }, "/contentType"],
    [{ channel: "a", data: "a", contentType: "text/plain\r\nx: y" }, "/contentType"],
    [{ channel: "a", data: "a", contentType: `text/${"x".repeat(130)}` }, "/contentType"],
    [{ channel: "a", data: "a", id: "" }, "/id"],
    [{ channel: "a", data: "a", id: 7 }, "/id"],
    [{ channel: "a", data: "a", id: "é".repeat(33) }, "/id"],
    [{ channel: "a", data: "a", event: "a\nb" }, "/event"],
    [{ channel: "a", data: "a", event: "a\u0085b" }, "/event"],
    [{ channel: "a", data: "a", event: "x".repeat(129) }, "/event"],
    [{ channel: "a", data: "a", event: "$close" }, "/event"],
    [{ channel: "a", data: "a", ttl: -0.001 }, "/ttl"],
    [{ channel: "a", data: "a", ttl: 2_000_000.5 }, "/ttl"],
    [{ channel: "a", data: "a", ttl: "60" }, "/ttl"],
    [{ channel: "a", data: "a", ttl: null }, "/ttl"],
    ['{"channel":"a","data":"a","ttl":1e999}', "/ttl"],
    [{ channel: "a", data: "a", trace: 1 }, "/trace"],
    [{ channel: "a", data: "a", trace: null }, "/trace"],
    [{ channel: "a", data: "a", tags: [] }, "/tags"],
    [{ channel: "a", data: "a", tags: { "a b": "1" } }, "/tags"],
    ['{"channel":"a","data":"a","tags":{"__proto__":"1"}}', "/tags"],
    [{ channel: "a", data: "a", tags: { a: 1 } }, "/tags/a"],
    [{ channel: "a", data: "a", tags: { a: "x".repeat(257) } }, "/tags/a"],
    [
      { channel: "a", data: "a", tags: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`t${n}`, "1"])) },
      "/tags",
    ],
    [[], ""],
    ["null", ""],
    ["{", undefined],
    [`{"channel":"a","data":${"[".repeat(70)}${"]".repeat(70)}}`, undefined],
    [{ publications: [], channel: "a" }, undefined],
    [{ publications: [], data: 1 }, "/data"],
    [{ publications: [] }, "/publications"],
    [{ publications: {} }, "/publications"],
    [{ publications: Array.from({ length: 1001 }, () => ({})) }, "/publications"],
    [{ sessions: "some", data: 1 }, "/sessions"],
    [{ sessions: [], data: 1 }, "/sessions"],
    [{ sessions: ["a", 1], data: 1 }, "/sessions/1"],
    [{ sessions: ["a", "a"], data: 1 }, "/sessions"],
    [{ sessions: "all" }, "/data"],
    [{ sessions: "all", data: 1, event: "a" }, "/event"],
  ];
  for (const [body, field] of cases) {
    const { status, code, field: found } = await (await publish(body)).json();
    assertEquals([status, code, found], [400, "bad_request", field], JSON.stringify(body));
  }
  assertEquals(hub.calls.length + hub.signals.length, 0);
  assertEquals(refused(), { bad_request: cases.length });
});

Deno.test("POST /api/publish names the nearest field to one that there is not", async () => {
  const { publish } = setUp();
  const { detail } = await (await publish({ chanel: "news", data: 1 })).json();
  assertEquals(detail, 'There is no field "chanel"; did you mean `channel`?');
});

Deno.test("POST /api/publish takes a largest message however it is escaped, and no byte more", async () => {
  const { send, hub } = setUp({ maxMessage: 4096 });
  const bodies = [
    JSON.stringify({ channel: "news", data: "\u0000".repeat(4096) }),
    JSON.stringify({ channel: "news", data: "é".repeat(2048) }),
    `{"channel":"news","data":"${"\\u00e9".repeat(2048)}"}`,
    JSON.stringify({ channel: "news", data: btoa("x".repeat(4096)), encoding: "base64" }),
    JSON.stringify({ channel: "news", data: ["x".repeat(4092)] }),
  ];
  for (const body of bodies) {
    const response = await send("POST", "/api/publish", { key: KEYS.publish, body });
    assertEquals(response.status, 200, `${await response.text()} ${body.slice(0, 60)}`);
  }
  assertEquals(hub.published.length, bodies.length);
  for (const data of ["x".repeat(4097), "é".repeat(2049), ["x".repeat(4093)]]) {
    const { code, field } = await (await send("POST", "/api/publish", {
      key: KEYS.publish,
      body: { channel: "news", data },
    })).json();
    assertEquals([code, field], ["too_large", "/data"]);
  }
  const huge = await send("POST", "/api/publish", { key: KEYS.publish, body: " ".repeat(6 * 4096 + 16 * 1024 + 1) });
  assertEquals([huge.status, hub.published.length], [413, bodies.length]);
});

Deno.test("POST /api/publish bounds the copies that one request makes", async () => {
  const { publish, hub } = setUp({ maxMessage: 2 ** 20 });
  const channels = Array.from({ length: 17 }, (_, index) => `c${index}`);
  const response = await publish({ channels, data: "x".repeat(2 ** 20) });
  assertEquals([response.status, hub.calls.length], [413, 0]);
  assertEquals((await publish({ channels: channels.slice(1), data: "x".repeat(2 ** 20) })).status, 200);
});

Deno.test("POST /api/publish takes JSON in UTF-8 only, and no content coding", async () => {
  const { send, hub } = setUp();
  const body = JSON.stringify({ channel: "news", data: 1 });
  const status = async (headers: Record<string, string>) =>
    (await send("POST", "/api/publish", { key: KEYS.publish, body, headers })).status;
  for (
    const type of [
      "application/json",
      "Application/JSON; charset=UTF-8",
      'application/json;charset="utf-8"',
      "application/json; v=1",
    ]
  ) {
    assertEquals(await status({ "content-type": type }), 200, type);
  }
  for (
    const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/jsonx",
      "application/json; charset=latin1",
    ]
  ) {
    assertEquals(await status({ "content-type": type }), 415, type);
  }
  assertEquals(await status({ "content-encoding": "gzip" }), 415);
  assertEquals(hub.published.length, 4);
});

Deno.test("POST /api/publish goes by the rights over each channel", async () => {
  const { send, hub } = setUp({ allowPublish: ["open:*"] });
  const codeOf = async (body: unknown, key?: string) =>
    (await (await send("POST", "/api/publish", key === undefined ? { body } : { body, key })).json()).code;
  assertEquals(await codeOf({ channel: "open:a", data: 1 }), undefined);
  assertEquals(await codeOf({ channel: "news", data: 1 }), "unauthorized");
  assertEquals(await codeOf({ channels: ["open:a", "news"], data: 1 }), "unauthorized");
  assertEquals(await codeOf({ sessions: "all", data: 1 }), "unauthorized");
  assertEquals(await codeOf({ channel: "open:a", data: 1 }, KEYS.stats), undefined);
  assertEquals(await codeOf({ channel: "news", data: 1 }, KEYS.stats), "forbidden");
  assertEquals(await codeOf({ sessions: "all", data: 1 }, KEYS.stats), "forbidden");
  assertEquals(await codeOf({ channel: "news", data: 1 }, KEYS.publish), undefined);
  assertEquals(await codeOf({ channel: "news", data: 1 }, KEYS.admin), undefined);
  assertEquals(await codeOf({ channel: "$user/7", data: 1 }, KEYS.admin), "forbidden");
  assertEquals(hub.published.map(({ channel }) => channel), ["open:a", "open:a", "news", "news"]);
});

Deno.test("POST /api/publish reads no body without a right that could need it", async () => {
  const { send } = setUp();
  const body = { channel: "news", data: 1 };
  assertEquals((await send("POST", "/api/publish", { body })).status, 401);
  assertEquals((await send("POST", "/api/publish", { body: "{", key: KEYS.stats })).status, 403);
});

Deno.test("POST /api/publish tells of some channels that failed, and answers as the first when all did", async () => {
  const { publish, hub, refused } = setUp();
  hub.refusals.set("full", { code: "overloaded", message: "Later.", retryAfter: 3 });
  hub.refusals.set("taken", { code: "conflict", message: "Other data." });
  const some = await publish({ channels: ["news", "full"], data: 1 });
  assertEquals([some.status, await some.json()], [200, {
    positions: [{ channel: "news", epoch: "e-news", offset: 1 }],
    errors: [{ channel: "full", code: "overloaded", message: "Later.", retryAfter: 3 }],
  }]);
  assertEquals(refused(), { overloaded: 1 });
  const all = await publish({ channels: ["full", "taken"], data: 1 });
  assertEquals([all.status, all.headers.get("retry-after")], [503, "3"]);
  assertEquals((await all.json()).detail, "Later.");
  const conflict = await publish({ channel: "taken", data: 1 });
  assertEquals(conflict.status, 409);
  assertEquals(refused(), { overloaded: 2, conflict: 1 });
});

Deno.test("POST /api/publish answers 503 when the hub does not", async () => {
  const { publish, hub } = setUp();
  hub.publish = () => Promise.reject(new GongError("going_away", undefined, { retryAfter: 2 }));
  const response = await publish({ channel: "news", data: 1 });
  assertEquals([response.status, response.headers.get("retry-after")], [503, "2"]);
});

Deno.test("POST /api/publish gives each publication of a batch its own result, in order", async () => {
  const { publish, hub, refused } = setUp();
  hub.refusals.set("taken", { code: "conflict", message: "Other data." });
  const response = await publish({
    publications: [
      { channel: "a", data: 1 },
      { channel: "b c", data: 2 },
      { channels: ["a", "d"], data: 3 },
      { channel: "taken", data: 4 },
      7,
      { channel: "$x", data: 5 },
      { channels: ["a", "taken"], data: 6 },
    ],
  });
  assertEquals(response.status, 200);
  const { results } = await response.json();
  const position = (channel: string, offset: number) => ({ channel, epoch: `e-${channel}`, offset });
  const grammar = "A channel name is 1 to 128 of `A-Z a-z 0-9 _ . : / % ~ = + ! -`.";
  assertEquals(results, [
    { positions: [position("a", 1)] },
    { error: { code: "bad_request", message: grammar, field: "/publications/1/channel" } },
    { positions: [position("a", 2), position("d", 1)] },
    { error: { code: "conflict", message: "Other data." } },
    { error: { code: "bad_request", message: "An object is expected.", field: "/publications/4" } },
    {
      error: {
        code: "forbidden",
        message: "Channels whose name begins with `$` belong to the server; a user is named in `users`.",
        field: "/publications/5/channel",
      },
    },
    { positions: [position("a", 3)], errors: [{ channel: "taken", code: "conflict", message: "Other data." }] },
  ]);
  assertEquals(hub.calls.length, 1);
  assertEquals(refused(), { bad_request: 2, conflict: 2, forbidden: 1 });
});

Deno.test("POST /api/publish refuses a batch whole when nothing was taken for a reason outside of it", async () => {
  const { publish, send, hub } = setUp({ allowPublish: ["open"] });
  const publications = [{ channel: "a", data: 1 }, { channel: "b", data: 2 }];
  for (const channel of ["a", "b"]) hub.refusals.set(channel, { code: "overloaded", message: "Later.", retryAfter: 4 });
  const full = await publish({ publications });
  assertEquals([full.status, full.headers.get("retry-after")], [503, "4"]);
  assertEquals((await send("POST", "/api/publish", { body: { publications } })).status, 401);
  hub.refusals.clear();
  hub.refusals.set("a", { code: "overloaded", message: "Later." });
  assertEquals((await publish({ publications })).status, 200);
  assertEquals((await publish({ publications: [{ channel: "b", data: 1, x: 1 }] })).status, 200);
});

Deno.test("POST /api/publish takes a batch of 1,000, counted once a channel", async () => {
  const { publish, hub } = setUp({ maxMessage: 65_536 });
  const publications = Array.from({ length: 1000 }, (_, index) => ({ channel: "a", data: index }));
  const { results } = await (await publish({ publications })).json();
  assertEquals(results.at(-1), { positions: [{ channel: "a", epoch: "e-a", offset: 1000 }] });
  assertEquals([hub.calls.length, hub.published.length], [1, 1000]);
  const channels = Array.from({ length: 100 }, (_, index) => `c${index}`);
  const wide = await publish({ publications: Array.from({ length: 11 }, () => ({ channels, data: 1 })) });
  assertEquals([wide.status, (await wide.json()).field], [400, "/publications"]);
  assertEquals(hub.calls.length, 1);
});

Deno.test("POST /api/publish says whose a publication is: the name of the key, or nobody's", async () => {
  const { send, hub } = setUp({ allowPublish: ["open"] });
  for (const key of [KEYS.publish, KEYS.admin, KEYS.stats, undefined]) {
    await send("POST", "/api/publish", { body: { channel: "open", data: 1 }, ...(key === undefined ? {} : { key }) });
  }
  assertEquals(hub.published.map((draft) => "publisher" in draft ? draft.publisher : "-"), [
    "shop",
    "boss",
    "eye",
    "-",
  ]);
  const dev = setUp({ dev: true, apiKey: [] });
  await dev.send("POST", "/api/publish", { body: { channel: "a", data: 1 } });
  assertEquals(dev.hub.published.map((draft) => "publisher" in draft), [false]);
});

Deno.test("POST /api/publish says what was there before", async () => {
  const { publish, hub } = setUp();
  hub.repeats.set("a", { epoch: "e-a", offset: 7 });
  const { positions } = await (await publish({ channels: ["a", "b"], data: 1, id: "order-7" })).json();
  assertEquals(positions, [
    { channel: "a", epoch: "e-a", offset: 7, repeated: true },
    { channel: "b", epoch: "e-b", offset: 1 },
  ]);
});

Deno.test("POST /api/publish gives what is traced an id and tells it, where the publisher gave none", async () => {
  const { publish, hub } = setUp();
  const one = await (await publish({ channels: ["a", "b"], data: 1, trace: true })).json();
  assertMatch(one.id, /^[\w-]{20,64}$/);
  assertEquals(hub.published.map(({ id }) => id), [one.id, one.id]);
  assertEquals(hub.published.map(({ trace }) => trace), [true, true]);
  assertEquals("id" in await (await publish({ channel: "a", data: 1, trace: true, id: "order-7" })).json(), false);
  const { results } = await (await publish({
    publications: [
      { channel: "a", data: 1, trace: true },
      { channel: "a", data: 1, trace: true },
      { channel: "a", data: 1, trace: true, id: "order-8" },
      { channel: "a", data: 1 },
    ],
  })).json();
  assertEquals(results.map((result: object) => "id" in result), [true, true, false, false]);
  assertEquals([results[0].id, results[1].id, "order-8", undefined], hub.published.slice(-4).map(({ id }) => id));
  assertEquals(new Set([one.id, results[0].id, results[1].id]).size, 3);
});

Deno.test("POST /api/publish traces for who may publish with a key, and for nobody else", async () => {
  const { send, hub } = setUp({ allowPublish: ["open"] });
  const body = { channel: "open", data: 1, trace: true };
  const ask = async (key?: string) => {
    const response = await send("POST", "/api/publish", key === undefined ? { body } : { body, key });
    const { code, field } = await response.json();
    return [response.status, code, field];
  };
  assertEquals(await ask(), [403, "forbidden", "/trace"]);
  assertEquals(await ask(KEYS.stats), [403, "forbidden", "/trace"]);
  assertEquals(await ask(KEYS.publish), [200, undefined, undefined]);
  assertEquals(await ask(KEYS.admin), [200, undefined, undefined]);
  assertEquals(hub.published.length, 2);
  const dev = setUp({ dev: true, apiKey: [] });
  assertEquals((await dev.send("POST", "/api/publish", { body })).status, 200);
});

Deno.test("POST /api/publish reaches sessions by id or all", async () => {
  const { publish, hub } = setUp();
  hub.sessions = ["0-a", "0-b", "1-a"].map(sessionInfo);
  assertEquals(await (await publish({ sessions: ["0-a", "9-z"], data: "hi" })).json(), { reached: 1 });
  assertEquals(await (await publish({ sessions: "all", data: { a: 1 } })).json(), { reached: 3 });
  assertEquals(hub.signals, [{ sessions: ["0-a", "9-z"], data: "hi" }, { sessions: "all", data: '{"a":1}' }]);
});

Deno.test("POST /api/publish logs who, how many and how much, never what", async () => {
  const { publish, entries } = setUp();
  await publish({ channels: ["news", "sport"], data: "secret" });
  await publish({ sessions: "all", data: "secret" });
  assertEquals(entries, [
    {
      level: "debug",
      event: "api.publish",
      fields: { name: "shop", address: CLIENT, channels: 2, bytes: 12, failed: 0 },
    },
    { level: "debug", event: "api.signal", fields: { name: "shop", address: CLIENT, reached: 0, bytes: 6 } },
  ]);
});

Deno.test("POST /api/publish notes where somebody who is logged in has published to, as it is told by hand", async () => {
  const { auth, send, entries } = setUp();
  const headers = { cookie: auth.login(KEYS.admin, CLIENT).cookie.split(";")[0]!, origin: "http://localhost" };
  const channels = Array.from({ length: 40 }, (_, at) => `c${at}`);
  for (const to of [{ users: ["4 2"] }, { channels }]) {
    const response = await send("POST", "/api/publish", { headers, body: { ...to, data: "secret" } });
    assertEquals(response.status, 200);
    await response.body?.cancel();
  }
  const fields = { name: "boss", address: CLIENT, bytes: 6, failed: 0 };
  assertEquals(entries, [
    { level: "info", event: "api.publish", fields: { ...fields, channels: 1, to: "$user/4%202" } },
    {
      level: "info",
      event: "api.publish",
      fields: { ...fields, channels: 40, bytes: 240, to: channels.slice(0, 32).join(",") },
    },
  ]);
});

Deno.test("POST /api/publish pollutes no prototype and believes none", async () => {
  const { publish, hub } = setUp();
  const response = await publish('{"__proto__":{"channel":"news","data":1}}');
  assertStringIncludes((await response.json()).detail, '"__proto__"');
  await publish('{"channel":"news","data":{"__proto__":{"polluted":1}}}');
  assertEquals(hub.published[0]?.data, '{"__proto__":{"polluted":1}}');
  assert(!("polluted" in {}));
});
