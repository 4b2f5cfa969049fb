import { assert, assertEquals, assertRejects } from "@std/assert";
import { GongError } from "../../static/gong.js";
import { type Gong as Server, startGong } from "../support/gong.ts";
import { endingIn, signToken, TOKEN_SECRET } from "../support/tokens.ts";
import { Heard } from "./client.ts";

const TRANSPORTS = ["websocket", "sse", "polling"] as const;
const KEY = "correct-horse-battery";
const RIGHTS = { channels: ["room:*"], publish: ["room:*", "$user/*", "$session/*"] };

let server: Server;
Deno.test.beforeAll(async () => {
  const rules = ["--rule", "room:* presence=joins", "--rule", "lobby subscribe=everyone presence=on"];
  const settings = ["--isolates", "2", "--api-key", KEY, "--token-secret", TOKEN_SECRET, "--ping", "500ms", ...rules];
  server = await startGong(settings, { dev: false });
});
Deno.test.afterAll(async () => await server.kill());

async function push(user: string, data: unknown): Promise<number> {
  const response = await fetch(`${server.url}/api/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": KEY },
    body: JSON.stringify({ users: [user], data }),
  });
  return (await response.json()).reached;
}

/** A user of its own, with a client that has its inbox open. */
async function open(name: string, transport: typeof TRANSPORTS[number]): Promise<{ user: string; heard: Heard }> {
  const user = `${name}-${crypto.randomUUID().slice(0, 8)}`;
  const heard = new Heard(server.url, { transports: [transport], token: () => signToken({ sub: user, ...RIGHTS }) });
  const there = heard.event("subscribed", ({ channel }) => channel === `$user/${user}`);
  heard.gong.subscribe("$user", heard.hear);
  await there;
  return { user, heard };
}

for (const transport of TRANSPORTS) {
  Deno.test(`a user is reached over ${transport}, and has what came while it was away`, async () => {
    const { user, heard } = await open("reached", transport);
    using _ = heard;
    await push(user, 1);
    await heard.count(1);
    // What a page in the back-forward cache does.
    globalThis.dispatchEvent(new Event("pagehide"));
    await heard.reaches("waiting");
    await push(user, 2);
    await push(`not-${user}`, "foreign");
    heard.gong.connect();
    await heard.count(2);
    await push(user, 3);
    await heard.count(3);
    assertEquals(
      heard.messages.map(({ channel, data }) => [channel, data]),
      [1, 2, 3].map((n) => [`$user/${user}`, n]),
    );
    assertEquals([heard.lost, heard.errors], [[], []]);
  });

  Deno.test(`a user whose token ends over ${transport} goes on with the next, and loses nothing`, async () => {
    const user = `ends-${transport}`;
    const channel = `room:ends:${transport}`;
    let asked = 0;
    const token = () => signToken({ sub: user, ...RIGHTS, ...++asked < 2 ? { exp: endingIn(2) } : {} });
    using heard = new Heard(server.url, { transports: [transport], token });
    using other = new Heard(server.url, { token: signToken({ sub: "other", ...RIGHTS }) });
    await heard.listen(channel);
    for (let n = 1; asked < 2 || n <= 20; n++) {
      await other.gong.publish(channel, n);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { offset } = await other.gong.publish(channel, "last");
    await heard.count(offset);
    assertEquals(heard.messages.map(({ offset }) => offset), Array.from({ length: offset }, (_, index) => index + 1));
    assertEquals([heard.lost, heard.errors], [[], []]);
  });

  Deno.test(`watch() hears over ${transport} who joins and leaves, and presence() tells who is there`, async () => {
    const { user, heard } = await open("watches", transport);
    using _ = heard;
    const channel = `room:watched:${transport}`;
    const joined: unknown[] = [];
    const left: unknown[] = [];
    const there = heard.event("subscribed", ({ channel: name }) => name === `$presence/${channel}`);
    const come = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    heard.gong.watch(channel, (joins) => {
      joined.push(...joins.joined.map(({ user }) => user));
      left.push(...joins.left.map(({ user }) => user));
      if (joined.length > 0) come.resolve();
      if (left.length > 0) gone.resolve();
    });
    await there;
    const token = signToken({ sub: `guest of ${user}`, info: { name: "Ann" }, ...RIGHTS });
    {
      using guest = new Heard(server.url, { token });
      await guest.listen(channel);
      await come.promise;
      const { count, users, present } = await heard.gong.presence(channel);
      assertEquals([count, users, present.map(({ user, info }) => [user, info])], [1, 1, [[
        `guest of ${user}`,
        { name: "Ann" },
      ]]]);
    }
    await gone.promise;
    assertEquals([joined, left], [[`guest of ${user}`], [`guest of ${user}`]]);
    assertEquals((await heard.gong.presence(channel, { limit: 0 })).count, 0);
  });

  Deno.test(`send() reaches users over ${transport}, with who has sent it`, async () => {
    const { user, heard } = await open("sends", transport);
    const { user: peer, heard: other } = await open("peer", "websocket");
    using _ = heard;
    using __ = other;
    const { reached } = await heard.gong.send({ users: [peer] }, { hello: peer });
    await other.count(1);
    assertEquals([reached, other.data, other.messages[0]!.user], [1, [{ hello: peer }], user]);
  });
}

Deno.test("one client asks another by its session or its user, and is answered", async () => {
  const { user, heard } = await open("asks", "websocket");
  const { user: peer, heard: other } = await open("answers", "websocket");
  using _ = heard;
  using __ = other;
  other.gong.addEventListener("signal", async ({ data, user, answer }) => {
    await answer?.({ to: user, twice: data * 2 });
    await assertRejects(() => answer!("again"), GongError);
  });
  for (const target of [{ users: [peer] }, { sessions: [other.gong.session!] }]) {
    const { reached, data, from, user: by } = await heard.gong.ask(target, 21);
    assertEquals([reached, data, from, by], [1, { to: user, twice: 42 }, other.gong.session, peer]);
  }
  const gone = await assertRejects(() => heard.gong.ask({ users: ["nobody"] }, 1), GongError);
  assertEquals(gone.code, "not_found");
  const silent = await assertRejects(() => other.gong.ask({ users: [user] }, 1, { timeout: 200 }), GongError);
  assertEquals([silent.code, silent.retry], ["timeout", true]);
});

Deno.test("presence() says what it may not tell", async () => {
  using nobody = new Heard(server.url);
  assertEquals((await nobody.gong.presence("lobby")).count, 0);
  for (const channel of ["room:1", "broadcast"]) {
    const error = await assertRejects(() => nobody.gong.presence(channel), GongError);
    assert(["unauthorized", "forbidden"].includes(error.code), `${channel}: ${error.code}`);
  }
});

Deno.test("a token that the server does not take ends the client, with an error that says so", async () => {
  for (const transport of TRANSPORTS) {
    using heard = new Heard(server.url, {
      transports: [transport],
      token: signToken({}, "another-secret-of-32-characters-or-more"),
    });
    const refused = heard.event("error");
    heard.gong.subscribe("broadcast", heard.hear);
    const { error } = await refused;
    assertEquals([error.message, error.retry, heard.gong.phase], ["The token is not valid.", false, "closed"]);
  }
});
