import { assert, assertEquals, assertRejects } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { type DelayedPaths, settle, type Way } from "../support/delayed_paths.ts";
import { Mover } from "../support/moving.ts";
import { type Client, Stage, type StageEdge } from "../support/stage.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";
import { until } from "../support/until.ts";

function open(edges = 2): { stage: Stage; one: StageEdge; two: StageEdge } {
  const stage = new Stage({
    edges,
    config: {
      rule: ["a presence=on"],
      dev: false,
      publicChannels: ["*"],
      allowPublish: ["*"],
      tokenSecret: [TOKEN_SECRET],
    },
  });
  return { stage, one: stage.edges[0]!, two: stage.edges[1]! };
}

/** One that hears nothing yet. */
function comer(edge: StageEdge): Client {
  return edge.json({ channels: [] });
}

async function listener(edge: StageEdge): Promise<Client> {
  const client = edge.json({});
  await client.socket.subscribed();
  return client;
}

/** Lets everything go on, until nothing comes any more. */
async function passAll(paths: DelayedPaths, ways: readonly Way[] = ["to hub", "to edge", "batch"]): Promise<void> {
  for (let n = 0; n < 20; n++) {
    for (const way of ways) while (paths.waiting(way) > 0) await paths.pass(way);
    await settle();
  }
}

Deno.test("Session.recall() has what was remembered, and the id of the session that had it, on another edge too", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const first = await listener(one);
  await first.session.remember("secret", "state");
  first.socket.vanish();
  let last = first.id;
  for (const edge of [two, one, one, two]) {
    const { session, socket } = comer(edge);
    assertEquals(await session.recall("secret"), "state");
    assertEquals(session.id, first.id);
    assertEquals((await one.hub.getSession(first.id))?.edge, edge.number);
    session.subscribe("a");
    await socket.subscribed();
    socket.say(`{"id":1,"publish":{"channel":"a","data":"x"}}`);
    await socket.until(() => socket.publications.length > 0);
    assertEquals(socket.publications[0].from, first.id);
    last = session.id;
    // This one ends by itself, or is ended by the next.
    if (edge === one) socket.vanish();
  }
  assertEquals(await one.hub.signal([last], { data: "x", contentType: "text/plain" }), 1);
  assertEquals((await one.hub.totals()).sessions, 1);
  assertEquals((await one.hub.presence("a", { limit: 10 })).present.map(({ session }) => session), [first.id]);
  assertEquals((await one.hub.listSessions({ limit: 10 })).sessions.map(({ id }) => id), [first.id]);
});

Deno.test("Session.recall() ends the session that is there still, without a word", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const first = await listener(one);
  await first.session.remember("secret", "state");
  const said = first.socket.sent.length;
  const { session } = comer(two);
  assertEquals(await session.recall("secret"), "state");
  assertEquals([first.session.hasLeft, session.id], [true, first.id]);
  await first.socket.end();
  assertEquals(first.socket.sent.length, said);
  assertEquals(await stage.figure("gong_sessions_closed_total", { reason: "recovered" }), 1);
  assertEquals((await one.hub.totals()).sessions, 1);
  assertEquals(await session.recall("secret"), "state");
  assertEquals(session.hasLeft, false);
});

Deno.test("Session.recall() follows a session that has moved, or is moving", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const first = await listener(one);
  await first.session.remember("secret", "state");
  const mover = new Mover(one, first);
  await mover.move(two);
  const moving = mover.move(one);
  const { session } = comer(two);
  assertEquals(await session.recall("secret"), "state");
  await moving.catch(() => {});
  assertEquals([mover.session.hasLeft, session.id], [true, first.id]);
  assertEquals((await one.hub.totals()).sessions, 1);
});

Deno.test("of several who come back at once the last has the place, and there is one session", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const first = await listener(one);
  await first.session.remember("secret", "state");
  const comers = [one, two, one, two].map(comer);
  const states = await Promise.allSettled(comers.map(({ session }) => session.recall("secret")));
  assert(states.some((result) => result.status === "fulfilled" && result.value === "state"));
  await until(() => comers.filter(({ session }) => session.id === first.id && !session.hasLeft).length === 1);
  const left = comers.filter(({ session }) => !session.hasLeft).length;
  await until(async () => (await one.hub.totals()).sessions === left);
  assertEquals((await one.hub.getSession(first.id))?.id, first.id);
});

Deno.test("Session.recall() says nothing to another user, and leaves the session alone", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const first = await listener(one);
  await first.session.authenticate(signToken({}));
  await first.session.remember("secret", "state");
  for (const sub of [undefined, "43"]) {
    const { session, id } = comer(two);
    if (sub !== undefined) await session.authenticate(signToken({ sub }));
    assertEquals(await session.recall("secret"), undefined);
    assertEquals([session.id, first.session.hasLeft], [id, false]);
  }
  assertEquals(await comer(two).session.recall("another"), undefined);
  const door = { ...comer(two).session.door, subscribesInbox: true } as const;
  const own = two.json({ channels: [], door });
  await own.session.authenticate(signToken({}));
  assertEquals([await own.session.recall("secret"), own.session.id], ["state", first.id]);
  assertEquals((await one.hub.user("42"))?.sessions, [first.id]);
});

Deno.test("Session.recall() leaves who hears something already its own id", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const first = await listener(one);
  await first.session.remember("secret", "state");
  const second = await listener(two);
  assertEquals(await second.session.recall("secret"), "state");
  assertEquals([second.session.id, first.session.hasLeft], [second.id, true]);
});

Deno.test("Session.forget() leaves nothing, and what is another's is left alone", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const first = await listener(one);
  await first.session.remember("one", "1");
  await first.session.remember("two", "2");
  first.session.forget("one");
  await first.session.remember("three", "3");
  const { session } = comer(two);
  assertEquals([await session.recall("one"), await session.recall("two")], [undefined, "2"]);
});

Deno.test("a session that ends while it recalls leaves nothing, also when the hub has given it the other's id", async () => {
  await using stage = new Stage({ config: { dev: true } });
  const { edge, paths } = stage.startDelayedEdge();
  const first = await listener(stage.edge);
  await first.session.remember("secret", "state");
  const { session, socket } = comer(edge);
  const recalled = session.recall("secret");
  await passAll(paths, ["to hub"]);
  assertEquals(first.session.hasLeft, true);
  socket.vanish();
  await passAll(paths, ["to hub"]);
  await passAll(paths);
  assertEquals(await recalled, undefined);
  assertEquals((await stage.edge.hub.totals()).sessions, 0);
  assertEquals(stage.hub.directory.places.size, 0);
  const again = comer(stage.edge);
  assertEquals([await again.session.recall("secret"), again.session.id], ["state", first.id]);
});

Deno.test("Session.remember() is refused for a session that is no more", async () => {
  const { stage, one } = open();
  await using _ = stage;
  const { session } = await listener(one);
  session.close("forbidden");
  assertEquals((await assertRejects(() => session.remember("x", "y"), GongError)).code, "not_found");
});

Deno.test("Session.recall() takes over from an edge that has ended, and not from one that does not answer", async () => {
  await using stage = new Stage({ config: { dev: true } });
  const { edge: two, paths } = stage.startDelayedEdge();
  const first = two.json({});
  await passAll(paths);
  const remembered = first.session.remember("secret", "state");
  await passAll(paths);
  await remembered;
  const { session } = comer(stage.edge);
  assertEquals((await assertRejects(() => session.recall("secret"), GongError)).code, "overloaded");
  const recalled = session.recall("secret");
  stage.hub.detach(2);
  assertEquals([await recalled, session.id], ["state", first.id]);
});

Deno.test("Hub.start() answers a seal that survives what the broker survives, and so does what is remembered", async () => {
  const folder = await Deno.makeTempDir();
  const config = { broker: `sqlite:${folder}/gong.db` };
  const seals: Uint8Array[] = [];
  let id = "";
  {
    await using stage = new Stage({ config });
    seals.push(await stage.hub.start(), await stage.hub.start());
    const first = await listener(stage.edge);
    await first.session.remember("secret", "state");
    id = first.id;
  }
  {
    await using stage = new Stage({ edges: 2, config });
    seals.push(await stage.hub.start());
    for (const edge of [...stage.edges].reverse()) {
      const { session } = comer(edge);
      assertEquals([await session.recall("secret"), session.id], ["state", id]);
    }
    assertEquals((await stage.edge.hub.listSessions({ limit: 5 })).sessions.map((session) => session.id), [id]);
  }
  assertEquals(seals.map(({ length }) => length), [32, 32, 32]);
  assertEquals(new Set(seals.map((seal) => seal.join())).size, 1);
  await using other = new Stage();
  assert((await other.hub.start()).join() !== seals[0]!.join());
  await Deno.remove(folder, { recursive: true });
});
