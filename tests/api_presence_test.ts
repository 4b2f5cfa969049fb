import { assert, assertEquals } from "@std/assert";
import { createApi } from "../lib/api.ts";
import type { Grant } from "../lib/auth.ts";
import { createRecorder, KEYS, setUp } from "./support/api.ts";
import { type Client, Stage } from "./support/stage.ts";

const RULES = ["open:* presence=on subscribe=everyone", "secret:* presence=on", "off:* subscribe=everyone"];
const API_KEY = [`boss:admin:${KEYS.admin}`, `shop:publish:${KEYS.publish}`, `eye:stats:${KEYS.stats}`];

interface Asked {
  readonly key?: keyof typeof KEYS;
  readonly body?: unknown;
}

/** Two edges, and the API of the first. */
class Served extends Stage {
  readonly recorder = createRecorder();
  readonly #api;

  constructor() {
    super({ edges: 2, config: { dev: false, apiKey: API_KEY, allowHost: ["localhost"], rule: RULES, apiRate: 1000 } });
    const { config, edge: { hub, auth, metrics } } = this;
    this.#api = createApi({ config, hub, auth, log: this.recorder.log, metrics });
  }

  // deno-lint-ignore no-explicit-any
  async ask(method: string, path: string, { key, body }: Asked = {}): Promise<{ status: number; body: any }> {
    const url = new URL(path, "http://localhost");
    const headers = {
      host: url.host,
      ...(key === undefined ? {} : { "x-api-key": KEYS[key] }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = (await this.#api(new Request(url, init), url, "192.0.2.7"))!;
    return { status: response.status, body: await response.json() };
  }

  async client(channel: string, user?: string, info?: string, edge = 0): Promise<Client> {
    const rights = { subscribe: () => true, publish: () => true };
    const grant: Grant | undefined = user === undefined
      ? undefined
      : { name: `user:${user}`, scopes: [], user: { id: user, ...rights, ...(info === undefined ? {} : { info }) } };
    const client = this.edges[edge]!.json({ channels: [channel], ...(grant === undefined ? {} : { grant }) });
    await client.socket.until(() => client.socket.ofType("subscribed").some((line) => line.channel === channel));
    // Answered behind everything that its edge has said so far.
    await this.edges[edge]!.hub.totals();
    return client;
  }
}

Deno.test("GET /api/presence of a channel is for whoever may hear it, where a rule has presence", async () => {
  await using served = new Served();
  const one = await served.client("open:1", "42", '{"name":"A","n":1.0}');
  const two = await served.client("open:1", undefined, undefined, 1);
  const { status, body } = await served.ask("GET", "/api/presence?channel=open:1&limit=1");
  const { since, ...entry } = body.present[0];
  assertEquals([status, body.channel, body.count, body.users, typeof since], [200, "open:1", 2, 1, "number"]);
  assertEquals(entry, { session: one.id, user: "42", info: { name: "A", n: 1 } });
  const rest = (await served.ask("GET", `/api/presence?channel=open:1&after=${body.next}`)).body;
  assertEquals([rest.present.map(({ session }: { session: string }) => session), rest.next], [[two.id], undefined]);
  assertEquals((await served.ask("GET", "/api/presence?channel=open:1&limit=0")).body, {
    ...{ channel: "open:1", count: 2, users: 1, present: [] },
  });
  const statuses = async (query: string, ...keys: (keyof typeof KEYS | undefined)[]) => {
    const answers = keys.map((key) => served.ask("GET", `/api/presence?${query}`, key === undefined ? {} : { key }));
    return (await Promise.all(answers)).map((answer) => answer.status);
  };
  assertEquals(await statuses("channel=secret:1", undefined, "stats", "publish", "admin"), [401, 403, 403, 200]);
  assertEquals(await statuses("channel=off:1", undefined, "admin"), [403, 403]);
  for (const query of ["limit=1", "channel=a b", "channel=open:1&limit=501", "channel=open:1&after=%3F", "x=1"]) {
    assertEquals(await statuses(query, "admin"), [400], query);
  }
});

Deno.test("GET /api/presence without a channel tells how many there are, for the scope stats", async () => {
  await using served = new Served();
  await served.client("open:1", "42");
  await served.client("open:2", "42", undefined, 1);
  await served.client("open:2", undefined, undefined, 1);
  const statuses = [undefined, "publish", "stats", "admin"] as const;
  const answers = await Promise.all(statuses.map((key) => served.ask("GET", "/api/presence", key ? { key } : {})));
  assertEquals(answers.map(({ status }) => status), [401, 403, 200, 200]);
  assertEquals(answers[2]!.body, { connections: 3, sessions: 3, users: 1 });
});

Deno.test("GET /api/users pages through the users of all edges, and GET /api/users/ID shows one", async () => {
  await using served = new Served();
  const key = "admin";
  const own = await served.client("open:1", "a/b c", '{"name":"A"}');
  await served.client("open:1", "a/b c", undefined, 1);
  await served.client("open:1", "z", undefined, 1);
  const first = (await served.ask("GET", "/api/users?limit=1", { key })).body;
  assertEquals([first.users[0].user, first.users[0].count, first.users[0].info, first.total, first.next], [
    ...["a/b c", 2, { name: "A" }, 2, "a/b c"],
  ]);
  const second = (await served.ask("GET", `/api/users?after=${encodeURIComponent(first.next)}`, { key })).body;
  assertEquals([second.users.map(({ user }: { user: string }) => user), second.next], [["z"], undefined]);
  assertEquals((await served.ask("GET", "/api/users?prefix=z", { key })).body.total, 1);
  for (const path of ["/api/users/a%2Fb%20c", "/api/users/a/b%20c"]) {
    const { body } = await served.ask("GET", path, { key });
    assertEquals([body.user, body.count, body.info, body.sessions.length], ["a/b c", 2, { name: "A" }, 2]);
    assertEquals([body.sessions[0].id, body.sessions[0].user, body.sessions[0].door], [own.id, "a/b c", "json"]);
  }
  assertEquals((await served.ask("GET", "/api/users/y", { key })).status, 404);
  assertEquals((await served.ask("GET", "/api/users/%FF", { key })).status, 400);
  for (const path of ["/api/users", "/api/users/z"]) {
    assertEquals((await served.ask("GET", path)).status, 401);
    assertEquals((await served.ask("GET", path, { key: "stats" })).status, 403);
  }
  for (const query of ["limit=0", "after=", "prefix=%00", "x=1"]) {
    assertEquals((await served.ask("GET", `/api/users?${query}`, { key })).status, 400, query);
  }
});

Deno.test("the operator's orders over the API are done on all edges, counted and logged", async () => {
  await using served = new Served();
  const key = "admin";
  const own = [await served.client("open:1", "42"), await served.client("open:1", "42", undefined, 1)];
  const other = await served.client("open:1", undefined, undefined, 1);
  const order = async (name: string, body: unknown) => (await served.ask("POST", `/api/${name}`, { key, body })).body;
  assertEquals(await order("subscribe", { channel: "secret:1", user: "42" }), { count: 2 });
  assertEquals(await order("subscribe", { channel: "secret:1", from: "open:1" }), { count: 1 });
  assertEquals(await order("unsubscribe", { channel: "secret:1", session: other.id }), { count: 1 });
  assertEquals(await order("unsubscribe", { channel: "secret:1" }), { count: 2 });
  assertEquals(other.socket.ofType("unsubscribed"), [{ type: "unsubscribed", channel: "secret:1" }]);
  assertEquals(await order("disconnect", { user: "42" }), { count: 2 });
  for (const { socket } of own) assertEquals(await socket.end(), { code: 4403, reason: "Closed by the operator." });
  assertEquals(await order("disconnect", { channel: "open:1" }), { count: 1 });
  assertEquals(await order("disconnect", { session: other.id }), { count: 0 });
  const logged = served.recorder.entries.filter(({ level }) => level === "info").map(({ event, fields }) => {
    return { event, ...fields } as Record<string, unknown>;
  });
  const who = { name: "boss", address: "192.0.2.7" };
  assertEquals(logged, [
    { event: "api.subscribe", ...who, user: "42", channel: "secret:1", count: 2 },
    { event: "api.subscribe", ...who, from: "open:1", channel: "secret:1", count: 1 },
    { event: "api.unsubscribe", ...who, session: other.id, channel: "secret:1", count: 1 },
    { event: "api.unsubscribe", ...who, channel: "secret:1", count: 2 },
    { event: "api.disconnect", ...who, user: "42", count: 2 },
    { event: "api.disconnect", ...who, channel: "open:1", count: 1 },
    { event: "api.disconnect", ...who, session: other.id, count: 0 },
  ]);
});

Deno.test("the operator's orders are for the scope admin, and name what is wrong", async () => {
  const { send } = setUp();
  const refused: readonly (readonly [path: string, body: unknown, field: string | undefined])[] = [
    ["disconnect", {}, undefined],
    ["disconnect", { user: "42", session: "1-a" }, undefined],
    ["disconnect", { user: "" }, "/user"],
    ["disconnect", { user: "a\nb" }, "/user"],
    ["disconnect", { session: "a/b" }, "/session"],
    ["disconnect", { channel: "a b" }, "/channel"],
    ["disconnect", { all: true }, "/all"],
    ["subscribe", { channel: "a" }, undefined],
    ["subscribe", { user: "42" }, "/channel"],
    ["subscribe", { channel: "$user/42", user: "42" }, "/channel"],
    ["subscribe", { channel: "$admin", user: "42" }, "/channel"],
    ["subscribe", { channel: "$queue/jobs", user: "42" }, "/channel"],
    ["subscribe", { channel: "a", from: 1 }, "/from"],
    ["unsubscribe", { channel: "$user/42" }, "/channel"],
    ["unsubscribe", { channel: "$session/1-a" }, "/channel"],
    ["unsubscribe", { channel: "a", user: "42", session: "1-a" }, undefined],
    ["unsubscribe", { channel: "a", from: "b" }, "/from"],
  ];
  for (const [name, body, field] of refused) {
    const response = await send("POST", `/api/${name}`, { key: KEYS.admin, body });
    const problem = await response.json();
    assertEquals([response.status, problem.field], [400, field], JSON.stringify(body));
  }
  for (const name of ["disconnect", "subscribe", "unsubscribe"]) {
    const body = { channel: "a", user: "42" };
    for (const [key, status] of [[undefined, 401], [KEYS.publish, 403], [KEYS.stats, 403]] as const) {
      const response = await send("POST", `/api/${name}`, { body, ...(key === undefined ? {} : { key }) });
      assert(response.status === status);
      await response.body?.cancel();
    }
  }
});
