import { assertEquals } from "@std/assert";
import type { Grant } from "../lib/auth.ts";
import { sessionInfo, setUp } from "./support/api.ts";
import { signToken, TOKEN_SECRET } from "./support/tokens.ts";

Deno.test("POST /api/publish to users publishes to the channel of each, and says how many sessions there are", async () => {
  const { publish, hub } = setUp();
  hub.sessions = ["42", "42", "7", undefined].map((user, index) => {
    const info = sessionInfo(`1-${index}`);
    return user === undefined ? info : { ...info, user };
  });
  const response = await publish({ users: ["42", "zoë/1", "9"], data: { a: 1 }, event: "e", ttl: 5 });
  const { positions, reached } = await response.json();
  const channels = ["$user/42", "$user/zo%C3%AB/1", "$user/9"];
  assertEquals(positions.map(({ channel }: { channel: string }) => channel), channels);
  assertEquals(reached, 2);
  assertEquals(hub.published.map(({ channel }) => channel), channels);
  for (const { event, ttl, publisher, user, data } of hub.published) {
    assertEquals([event, ttl, publisher, user, data], ["e", 5, "shop", undefined, '{"a":1}']);
  }
});

Deno.test("POST /api/publish takes users in a batch too", async () => {
  const { publish, hub } = setUp();
  hub.sessions = [{ ...sessionInfo("1-a"), user: "7" }];
  const publications = [{ users: ["7"], data: "x" }, { channel: "news", data: "y" }, { users: [], data: "z" }];
  const { results } = await (await publish({ publications })).json();
  assertEquals(results[0], { positions: [{ channel: "$user/7", epoch: "e-$user/7", offset: 1 }], reached: 1 });
  assertEquals(results[1].reached, undefined);
  assertEquals(results[2].error.field, "/publications/2/users");
});

const WRONG: readonly [body: Record<string, unknown>, status: number, field?: string][] = [
  [{ users: [] }, 400, "/users"],
  [{ users: "42" }, 400, "/users"],
  [{ users: [42] }, 400, "/users/0"],
  [{ users: ["a", ""] }, 400, "/users/1"],
  [{ users: ["a", "b\n"] }, 400, "/users/1"],
  [{ users: ["x".repeat(123)] }, 400, "/users/0"],
  [{ users: ["ü".repeat(21)] }, 400, "/users/0"],
  [{ users: ["a", "a"] }, 400, "/users"],
  [{ users: Array.from({ length: 101 }, (_, index) => `${index}`) }, 400, "/users"],
  [{ users: ["a"], channel: "b" }, 400],
  [{ users: ["a"], sessions: ["b"] }, 400],
  [{ channel: "$user/42" }, 403, "/channel"],
];

Deno.test("POST /api/publish refuses users that are none, and a user's channel by its name", async () => {
  const { publish, hub } = setUp();
  for (const [body, status, field] of WRONG) {
    const response = await publish({ data: "x", ...body });
    assertEquals([response.status, (await response.json()).field], [status, field], JSON.stringify(body));
  }
  assertEquals(hub.calls.length, 0);
});

Deno.test("POST /api/publish reaches users and sessions as far as the token names them", async () => {
  const { api, auth, hub } = setUp();
  const names = ["$user/7", "$session/1-a"];
  const grant: Grant = {
    name: "user:42",
    scopes: [],
    user: { id: "42", subscribe: () => false, publish: (name) => names.includes(name) },
  };
  Object.assign(auth, { identify: () => grant });
  async function post(body: Record<string, unknown>): Promise<number> {
    const url = new URL("http://localhost/api/publish");
    const headers = { host: "localhost", "content-type": "application/json" };
    const request = new Request(url, { method: "POST", headers, body: JSON.stringify({ data: "x", ...body }) });
    return (await api(request, url, "192.0.2.1"))!.status;
  }
  assertEquals(await post({ users: ["7"] }), 200);
  assertEquals(await post({ users: ["7", "8"] }), 403);
  assertEquals(await post({ sessions: ["1-a"] }), 200);
  assertEquals(await post({ sessions: ["1-a", "1-b"] }), 403);
  assertEquals(await post({ sessions: "all" }), 403);
  assertEquals(hub.published.map(({ channel, user, publisher }) => [channel, user, publisher]), [
    ["$user/7", "42", "user:42"],
  ]);
  assertEquals(hub.signals.length, 1);
});

Deno.test("POST /api/publish takes a user's token where the channel allows it, and carries the user", async () => {
  const { send, hub } = setUp({ tokenSecret: [TOKEN_SECRET], rule: ["all publish=users"] });
  const headers = { authorization: `Bearer ${signToken({ publish: ["own"] })}` };
  const post = async (channel: string) => {
    const { status } = await send("POST", "/api/publish", { headers, body: { channel, data: "x" } });
    return status;
  };
  assertEquals([await post("own"), await post("all"), await post("other")], [200, 200, 403]);
  assertEquals(hub.published.map(({ user, publisher }) => [user, publisher]), [["42", "user:42"], ["42", "user:42"]]);
});

Deno.test("POST /api/publish takes from anybody what a rule says that everybody may publish", async () => {
  const { send } = setUp({ rule: ["wall publish=everyone"] });
  const post = async (channel: string) => {
    const { status } = await send("POST", "/api/publish", { body: { channel, data: "x" } });
    return status;
  };
  assertEquals([await post("wall"), await post("other")], [200, 401]);
});
