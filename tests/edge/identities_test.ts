import { assertEquals, assertRejects } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import type { Credentials } from "../../lib/auth/credentials.ts";
import { json } from "../../lib/doors/json.ts";
import { type ErrorCode, GongError } from "../../lib/errors.ts";
import { Stage } from "../support/stage.ts";
import { endingIn, signToken, TOKEN_SECRET } from "../support/tokens.ts";

const KEY = "a-key-of-enough-characters";

function open(settings: { maxSubscriptions?: number } = {}): Stage {
  return new Stage({
    config: {
      dev: false,
      publicChannels: ["a", "open"],
      tokenSecret: [TOKEN_SECRET],
      apiKey: [`ops:admin:${KEY}`],
      ...settings,
    },
  });
}

Deno.test("Session.authenticate() makes nobody a user, who hears the own channel and may what the token says", async () => {
  await using stage = open();
  const { session, socket, id } = stage.edge.json();
  await socket.subscribed();
  const token = signToken({ channels: ["room"], publish: ["room"], info: { name: "Ann" } });
  socket.say(`{"id":1,"subscribe":{"channel":"room"}}`);
  assertEquals((await socket.answer(1)).error.code, "forbidden");
  const { user, until } = await session.authenticate(token);
  assertEquals([user, session.user, session.until], ["42", "42", until]);
  socket.say(`{"id":2,"subscribe":{"channel":"room"}}`);
  await socket.answer(2);
  assertEquals(session.channels, ["a", "$user/42", "room"]);
  socket.say(`{"id":3,"publish":{"channel":"room","data":"x"}}`);
  await socket.until(() => socket.publications.length > 0);
  assertEquals([socket.publications[0].user, socket.publications[0].from], ["42", id]);
  assertEquals((await stage.edge.hub.user("42"))?.sessions, [id]);
  assertEquals((await stage.edge.hub.user("42"))?.info, '{"name":"Ann"}');
});

Deno.test("Session.authenticate() ends what a newer token does not allow, in force or under way, but not what was imposed", async () => {
  await using stage = open();
  const { session, socket } = stage.edge.json();
  await session.authenticate(signToken({ channels: ["*"] }));
  for (const channel of ["kept", "lost", "imposed"]) session.subscribe(channel);
  await socket.until(() => session.channels.length === 5);
  session.imposed = new Set(["imposed"]);
  const newer = session.authenticate(signToken({ channels: ["kept"] }));
  socket.say(`{"id":1,"subscribe":{"channel":"late"}}`);
  await newer;
  await socket.until(() => socket.ofType("unsubscribed").length === 2);
  assertEquals([...session.channels].sort(), ["$user/42", "a", "imposed", "kept"]);
  assertEquals(socket.ofType("unsubscribed").map(({ channel }) => channel).sort(), ["late", "lost"]);
});

Deno.test("Session.authenticate() closes a session of the plain door that loses a channel", async () => {
  await using stage = open();
  const { session, socket } = stage.edge.plain();
  await session.authenticate(signToken({ channels: ["room"] }));
  session.subscribe("room");
  await session.authenticate(signToken());
  assertEquals((await socket.end()).code, 4403);
});

Deno.test("Session.authenticate() leaves a session whose it is, and as it was when a token is not valid", async () => {
  await using stage = open();
  const refusal = async (grant: Parameters<typeof stage.edge.json>[0], token: string) => {
    const { session } = stage.edge.json(grant);
    const before = session.grant;
    const { code } = await assertRejects(() => session.authenticate(token), GongError);
    assertEquals(session.grant, before);
    return code;
  };
  const user = { id: "7", subscribe: () => true, publish: () => true };
  assertEquals(await refusal({ grant: { name: "user:7", scopes: [], user } }, signToken()), "conflict");
  assertEquals(await refusal({ grant: { name: "ops", scopes: ["admin"] } }, signToken()), "conflict");
  assertEquals(await refusal({}, signToken({ exp: 1 })), "unauthorized");
});

Deno.test("Session.authenticate() of several at once lets the last one count", async () => {
  await using stage = open();
  const { session } = stage.edge.json();
  const outcomes = await Promise.allSettled(["1", "2", "3"].map((sub) => session.authenticate(signToken({ sub }))));
  assertEquals(outcomes.map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
  assertEquals(session.user, "3");
});

Deno.test("Session.authenticate() does nothing for a session that has left meanwhile", async () => {
  await using stage = open();
  const { session, socket } = stage.edge.json();
  const answer = session.authenticate(signToken());
  socket.vanish();
  await answer;
  assertEquals([session.channels, await stage.edge.hub.user("42")], [[], undefined]);
});

Deno.test("the channel of a user is not counted among those that a session may hear, whenever it became the user's", async () => {
  await using stage = open({ maxSubscriptions: 1 });
  const { session, socket } = stage.edge.json();
  await session.authenticate(signToken({ channels: ["*"] }));
  await socket.subscribed(2);
  assertEquals(session.channels, ["a", "$user/42"]);
  socket.say(`{"id":1,"subscribe":{"channel":"b"}}`);
  assertEquals((await socket.answer(1)).error.code, "too_many");
  session.unsubscribe("a");
  socket.say(`{"id":2,"subscribe":{"channel":"b"}}`);
  assertEquals((await socket.answer(2)).ok.recovered, true);
});

Deno.test("Session.identify() makes nobody a user by a token, as authenticate() does", async () => {
  await using stage = open();
  const { session, socket, id } = stage.edge.json();
  await socket.subscribed();
  const token = signToken({ channels: ["room"], info: { name: "Ann" } });
  for (const said of [{ bearer: token }, { token }, { bearer: token, token }]) await session.identify(said);
  assertEquals([session.user, typeof session.until], ["42", "number"]);
  await socket.subscribed(2);
  session.subscribe("room");
  await socket.subscribed(3);
  assertEquals(session.channels, ["a", "$user/42", "room"]);
  const user = await stage.edge.hub.user("42");
  assertEquals([user?.sessions, user?.info], [[id], '{"name":"Ann"}']);
});

Deno.test("Session.identify() makes nobody a key's, whose user there is none, and judges what it hears", async () => {
  await using stage = open();
  const { session, socket } = stage.edge.json();
  await socket.subscribed();
  await session.identify({ key: KEY });
  assertEquals([session.grant, session.user, session.inbox], [
    { name: "ops", scopes: ["admin"] },
    undefined,
    undefined,
  ]);
  session.subscribe("$user/7");
  await socket.subscribed(2);
  assertEquals(session.channels, ["a", "$user/7"]);
});

Deno.test("Session.identify() ends what is not allowed any more to whoever it is now, but not what was imposed", async () => {
  await using stage = open();
  const user = stage.edge.json();
  await user.session.authenticate(signToken({ channels: ["*"] }));
  for (const channel of ["lost", "imposed"]) user.session.subscribe(channel);
  await user.socket.subscribed(4);
  user.session.imposed = new Set(["imposed"]);
  await user.session.identify({ token: signToken() });
  await user.socket.until(() => user.socket.ofType("unsubscribed").length === 1);
  assertEquals(user.session.channels, ["a", "$user/42", "imposed"]);

  await using lesser = new Stage({ config: { dev: false, publicChannels: ["a"], apiKey: [`ops:stats:${KEY}`] } });
  const { session, socket } = lesser.edge.json({ grant: { name: "ops", scopes: ["admin"] }, channels: ["a", "lost"] });
  await socket.subscribed(2);
  await session.identify({ bearer: KEY });
  await socket.until(() => socket.ofType("unsubscribed").length === 1);
  assertEquals([session.grant?.scopes, session.channels], [["stats"], ["a"]]);
});

Deno.test("Session.identify() changes nothing where nothing is said, and stands in no question's way", async () => {
  await using stage = open();
  const { session } = stage.edge.json();
  const grant: Grant = { name: "ops", scopes: ["admin"], login: "x", until: Date.now() + 60_000 };
  const known = stage.edge.json({ grant });
  await known.session.identify({});
  assertEquals(known.session.grant, grant);
  const asked = session.authenticate(signToken());
  await session.identify({});
  assertEquals(session.grant, undefined);
  assertEquals((await asked).user, "42");
});

Deno.test("Session.identify() leaves a session whose it is, and as it was when nothing valid is said", async () => {
  await using stage = open();
  const user = { id: "7", subscribe: () => true, publish: () => true };
  const ofUser: Grant = { name: "user:7", scopes: [], user };
  const login: Grant = { name: "desk", scopes: ["stats"], login: "x", until: Date.now() + 60_000 };
  const table: [grant: Grant | undefined, said: Credentials, code: ErrorCode][] = [
    [ofUser, { token: signToken() }, "conflict"],
    [ofUser, { key: KEY }, "conflict"],
    [login, { key: KEY }, "conflict"],
    [login, { bearer: signToken() }, "conflict"],
    [undefined, { bearer: "no-such-key-as-this-one" }, "unauthorized"],
    [undefined, { token: signToken({ exp: 1 }) }, "unauthorized"],
    [undefined, { key: KEY, token: signToken() }, "bad_request"],
    [undefined, { user: "42" }, "bad_request"],
  ];
  for (const [grant, said, expected] of table) {
    const { session } = stage.edge.json(grant ? { grant } : {});
    const { code } = await assertRejects(() => session.identify(said), GongError);
    assertEquals([code, session.grant, session.channels.includes("$user/42")], [expected, grant, false]);
  }
  for (
    const [grant, said] of [[ofUser, { token: signToken({ sub: "7" }) }], [{ ...login, name: "ops" }, { key: KEY }]]
  ) {
    const { session } = stage.edge.json({ grant: grant as Grant });
    await session.identify(said as Credentials);
    assertEquals([session.grant?.login, session.grant?.name], [undefined, (grant as Grant).name]);
  }
});

Deno.test("Session.identify() of several at once lets the last one count, also before an earlier token is checked", async () => {
  await using stage = open();
  const { session } = stage.edge.json();
  const outcomes = await Promise.allSettled([
    session.authenticate(signToken({ sub: "1" })),
    session.identify({ token: signToken({ sub: "2" }) }),
    session.identify({ key: KEY }),
  ]);
  assertEquals(outcomes.map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
  assertEquals(session.grant?.name, "ops");
});

Deno.test("Session.identify() leaves a session alone that has left meanwhile", async () => {
  await using stage = open();
  const { session, socket } = stage.edge.json();
  const answer = session.identify({ token: signToken() });
  socket.vanish();
  await answer;
  assertEquals([session.grant, session.channels, await stage.edge.hub.user("42")], [undefined, [], undefined]);
});

Deno.test("Session.identify() has a session end when what it has shown does, and not when the login before would have", async () => {
  await using stage = open();
  const nobody = stage.edge.json();
  const login: Grant = { name: "ops", scopes: ["admin"], login: "x", until: Date.now() + 2500 };
  const admin = stage.edge.json({ grant: login });
  await admin.session.identify({ key: KEY });
  await nobody.session.identify({ token: signToken({ exp: endingIn(5) }) });
  assertEquals(await nobody.socket.end(), { code: 4401, reason: "The token has expired." });
  // The login's time was over before.
  assertEquals(admin.socket.closed, undefined);
});

Deno.test("a door that subscribes the inbox itself is not given it, neither at the beginning nor when it is somebody", async () => {
  await using stage = open();
  const door = { ...json, subscribesInbox: true } as const;
  const user = { id: "7", subscribe: () => true, publish: () => true };
  const known = stage.edge.json({ door, channels: ["a", "$user/7"], grant: { name: "user:7", scopes: [], user } });
  const later = stage.edge.json({ door });
  await later.session.authenticate(signToken({ channels: ["*"] }));
  later.session.subscribe("room");
  await Promise.all([known.socket.subscribed(), later.socket.subscribed(2)]);
  assertEquals([known.session.channels, later.session.channels], [["a"], ["a", "room"]]);
  later.session.subscribe("$user/42");
  await later.socket.subscribed(3);
  assertEquals(later.session.channels, ["a", "room", "$user/42"]);
});
