import { assertEquals, assertRejects } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { Stage } from "../support/stage.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";

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
