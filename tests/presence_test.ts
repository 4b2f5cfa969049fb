import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Grant } from "../lib/auth.ts";
import { GongError } from "../lib/errors.ts";
import type { HubClient, PresencePage } from "../lib/types.ts";
import { type Client, Stage, type StageEdge } from "./support/stage.ts";
import { until } from "./support/until.ts";

const RULES = ["room:* presence=joins", "quiet:* presence=on", "* presence=off"];

function grantOf(id: string, info?: string): Grant {
  const user = { id, subscribe: () => true, publish: () => true, ...(info === undefined ? {} : { info }) };
  return { name: `user:${id}`, scopes: [], user };
}

function stageOf(edges = 2): Stage {
  return new Stage({ edges, config: { rule: RULES, maxSubscriptions: 3 } });
}

async function hears(edge: StageEdge, channel: string, user?: string): Promise<Client> {
  const client = edge.json({ channels: [channel], ...(user === undefined ? {} : { grant: grantOf(user) }) });
  await client.socket.until(() => client.socket.ofType("subscribed").some((line) => line.channel === channel));
  return client;
}

/** The page as soon as it has so many: what edges tell is on its way. */
async function pageOf(hub: HubClient, channel: string, count: number): Promise<PresencePage> {
  let page = await hub.presence(channel, { limit: 500 });
  while (page.count !== count) page = await hub.presence(channel, { limit: 500 });
  return page;
}

function idsOf({ present }: PresencePage): string[] {
  return present.map(({ session }) => session);
}

Deno.test("presence has the sessions of all edges, in the order of joining, until they end, and none where it is off", async () => {
  await using stage = stageOf();
  const [first, second] = stage.edges as [StageEdge, StageEdge];
  const clients = [
    await hears(first, "quiet:1", "42"),
    await hears(second, "quiet:1", "42"),
    await hears(first, "quiet:1"),
  ];
  await hears(first, "off");
  const page = await pageOf(second.hub, "quiet:1", 3);
  assertEquals([page.users, idsOf(page)], [1, clients.map(({ id }) => id)]);
  assertEquals(page.present.map(({ user }) => user), ["42", "42", undefined]);
  assertEquals(await second.hub.presence("off", { limit: 10 }), { count: 0, users: 0, present: [] });
  clients[0]!.socket.vanish();
  clients[2]!.session.unsubscribe("quiet:1");
  assertEquals(idsOf(await pageOf(second.hub, "quiet:1", 1)), [clients[1]!.id]);
});

Deno.test("the sessions of an edge that is gone are present no longer, nor are its users there", async () => {
  await using stage = stageOf();
  const [first, second] = stage.edges as [StageEdge, StageEdge];
  await hears(first, "quiet:1", "42");
  const left = await hears(second, "quiet:1", "43");
  await pageOf(second.hub, "quiet:1", 2);
  assertEquals(stage.hub.detach(first.number), 1);
  assertEquals(idsOf(await second.hub.presence("quiet:1", { limit: 10 })), [left.id]);
  assertEquals(await second.hub.totals(), { connections: 1, sessions: 1, users: 1 });
  assertEquals([await second.hub.reach(["42", "43"]), await second.hub.user("42")], [1, undefined]);
  assertEquals([await stage.figure("gong_users"), await stage.figure("gong_present")], [1, 1]);
});

Deno.test("the command presence takes the right to hear the channel, and a rule with presence", async () => {
  await using stage = new Stage({
    config: { dev: false, rule: ["quiet:* presence=on subscribe=users", "open subscribe=everyone"] },
  });
  const known = stage.edge.json({ channels: ["quiet:1"], grant: grantOf("42", '{"name":"A"}') });
  await known.socket.subscribed();
  await pageOf(stage.edge.hub, "quiet:1", 1);
  known.socket.say('{"id":1,"presence":{"channel":"quiet:1"}}');
  const { since, ...entry } = (await known.socket.answer(1)).ok.present[0];
  assertEquals([typeof since, entry], ["number", { session: known.id, user: "42", info: { name: "A" } }]);
  known.socket.say('{"id":2,"presence":{"channel":"open"}}');
  assertEquals((await known.socket.answer(2)).error, { code: "forbidden", message: "open has no presence." });
  const nobody = stage.edge.json({ channels: [] });
  nobody.socket.say('{"id":3,"presence":{"channel":"quiet:1","limit":0}}');
  assertEquals((await nobody.socket.answer(3)).error.code, "forbidden");
});

Deno.test("who follows $presence/NAME knows who is there, and hears of no channel without joins", async () => {
  await using stage = stageOf();
  const [first, second] = stage.edges as [StageEdge, StageEdge];
  const watcher = await hears(first, "$presence/room:1");
  const clients = [await hears(first, "room:1", "42"), await hears(second, "room:1"), await hears(second, "room:1")];
  await hears(second, "quiet:1");
  const followed = () => {
    const there = new Set<string>();
    for (const { data } of watcher.socket.publications) {
      for (const { session } of data.joined) there.add(session);
      for (const { session } of data.left) assert(there.delete(session), "nobody leaves who was not there");
      assertEquals(data.count, there.size);
    }
    return [...there].sort();
  };
  const expected = clients.map(({ id }) => id).sort();
  await watcher.socket.until(() => followed().length === 3);
  assertEquals(followed(), expected);
  clients[1]!.socket.vanish();
  await watcher.socket.until(() => followed().length === 2);
  assertEquals(followed(), expected.filter((id) => id !== clients[1]!.id));
  const [{ user, from, offset }] = watcher.socket.publications;
  assertEquals([user, from, offset], [undefined, undefined, 1]);
  const { top } = await first.hub.history("$presence/quiet:1", { last: 10 }, {});
  assertEquals(top.offset, 0);
});

Deno.test("disconnect() closes the sessions of a user, one session, or all that hear a channel", async () => {
  await using stage = stageOf();
  const [first, second] = stage.edges as [StageEdge, StageEdge];
  const own = [await hears(first, "a", "42"), await hears(second, "b", "42")];
  const others = [await hears(first, "a", "43"), await hears(second, "a"), await hears(second, "b")];
  const { hub } = first;
  assertEquals(await hub.disconnect({ user: "42" }, "Closed by the operator."), 2);
  for (const { socket } of own) {
    assertEquals(await socket.end(), { code: 4403, reason: "Closed by the operator." });
  }
  assertEquals(await hub.disconnect({ session: others[2]!.id }, "over"), 1);
  assertEquals(await hub.disconnect({ session: others[2]!.id }, "over"), 0);
  assertEquals(await hub.disconnect({ channel: "a" }, "over"), 2);
  assertEquals(await hub.totals(), { connections: 0, sessions: 0, users: 0 });
});

Deno.test("subscribeSessions() has sessions hear a channel whatever their rights, but for those that are full", async () => {
  await using stage = new Stage({
    edges: 2,
    config: { dev: false, publicChannels: ["a", "b", "c"], maxSubscriptions: 3 },
  });
  const [first, second] = stage.edges as [StageEdge, StageEdge];
  const free = await hears(first, "a");
  const other = await hears(second, "a");
  const full = second.json({ channels: ["a", "b", "c"] });
  await full.socket.subscribed(3);
  assertEquals(await first.hub.subscribeSessions({ channel: "a" }, "secret"), 2);
  for (const { socket } of [free, other]) await socket.subscribed(2);
  assertEquals(await first.hub.subscribeSessions({ channel: "a" }, "secret"), 0);
  assertEquals(full.session.channels, ["a", "b", "c"]);
  assertEquals([...free.session.imposed!], ["secret"]);
  await stage.publish("secret", "told");
  await free.socket.until(() => free.socket.publications.length > 0);
  assertEquals(free.socket.publications[0].data, "told");
  assertEquals(await first.hub.unsubscribeSessions({ session: free.id }, "secret"), 1);
  assertEquals(free.socket.ofType("unsubscribed"), [{ type: "unsubscribed", channel: "secret" }]);
  assertEquals([[...free.session.channels], [...free.session.imposed!]], [["a"], []]);
  assertEquals(await first.hub.unsubscribeSessions({ channel: "a" }, "a"), 3);
  assert(other.socket.isOpen);
});

Deno.test("subscribeSessions() imposes nothing where the hub refuses the channel", async () => {
  await using stage = new Stage({ config: { maxChannels: 1 } });
  const { edge } = stage;
  const { session } = await hears(edge, "a");
  assertEquals(await edge.hub.subscribeSessions({ session: session.id }, "b"), 1);
  // What it hears by its own right later is judged by that.
  await until(() => session.imposed!.size === 0);
  assertEquals([session.channels, session.hasLeft], [["a"], false]);
});

Deno.test("unsubscribeSessions() ends a session of the plain door, which has no word for it", async () => {
  await using stage = stageOf(1);
  const { edge } = stage;
  const plain = edge.plain({ grant: grantOf("42") });
  await until(() => plain.session.channels.length > 0);
  assertEquals(await edge.hub.unsubscribeSessions({ user: "42" }, "a"), 1);
  assertEquals((await plain.socket.end()).code, 4403);
});

Deno.test("totals() counts sockets that do not go as connections, as edges last told of them", async () => {
  await using stage = stageOf(1);
  await hears(stage.edge, "a");
  stage.startSilentEdge(7, { samples: () => [{ name: "gong_stuck_sockets", labels: {}, value: 4 }] });
  await stage.hub.directory.samples();
  assertEquals(await stage.edge.hub.totals(), { connections: 5, sessions: 1, users: 0 });
});

Deno.test("presence() of the hub refuses an `after` that it has not made", async () => {
  await using stage = stageOf(1);
  const error = await assertRejects(() => stage.edge.hub.presence("quiet:1", { limit: 1, after: "?" }), GongError);
  assertEquals(error.code, "bad_request");
});
