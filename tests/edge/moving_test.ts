import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Door } from "../../lib/door.ts";
import { json } from "../../lib/doors/json.ts";
import { GongError } from "../../lib/errors.ts";
import { compareIds } from "../../lib/methods.ts";
import { settle } from "../support/delayed_paths.ts";
import { asMoved, Mover } from "../support/moving.ts";
import { numbered, Stage, type StageEdge, type StageOptions } from "../support/stage.ts";
import { endingIn, signToken, TOKEN_SECRET } from "../support/tokens.ts";
import { until } from "../support/until.ts";

interface Two {
  readonly stage: Stage;
  readonly one: StageEdge;
  readonly two: StageEdge;
}

function open(options: StageOptions = {}): Two {
  const stage = new Stage({ edges: 2, ...options });
  const [one, two] = stage.edges as [StageEdge, StageEdge];
  return { stage, one, two };
}

/** A client of the first edge that hears `a`. */
async function mover(edge: StageEdge, channels = ["a"], door: Door = json): Promise<Mover> {
  const client = edge.json({ channels, door });
  await client.socket.subscribed(channels.length);
  return new Mover(edge, client, door);
}

Deno.test("Edge.give() takes along what is queued, and Edge.receive() sends it before what comes then", async () => {
  const { stage, one, two } = open({ config: { outbox: 20_000, maxMessage: 2000 } });
  await using _ = stage;
  const client = await mover(one);
  client.socket.reads = "nothing";
  const texts = numbered(12).map((text) => text.padEnd(1000, "."));
  for (const text of texts) await stage.publish("a", text);
  await until(() => client.session.outbox.pending > 12_000);
  const [first] = client.sockets;
  const handed = first!.publications.length;
  assert(handed > 0 && handed < texts.length, `${handed} were handed over`);
  await client.move(two);
  await stage.publish("a", "end");
  await client.socket.until(() => client.heard("a").at(-1) === "end");
  assertEquals(client.heard("a"), [...texts, "end"]);
  assertEquals(first!.publications.length, handed);
  assertEquals((await stage.edge.hub.getSession(client.session.id))?.delivered, 13);
});

Deno.test("a session that moves says nothing: no word to its client, no other user, presence or figure", async () => {
  const { stage, one, two } = open({
    config: { rule: ["a presence=joins"], tokenSecret: [TOKEN_SECRET], dev: false, publicChannels: ["*"] },
  });
  await using _ = stage;
  const told: string[] = [];
  const door: Door = { ...json, left: () => void told.push("left"), opened: (s) => json.opened(s) };
  const watcher = two.json({ channels: ["$presence/a"] });
  await watcher.socket.subscribed();
  const client = await mover(one, ["a"], door);
  await client.session.authenticate(signToken({ channels: ["a", "room"], info: { name: "Ann" } }));
  const { id, since } = client.session;
  await until(async () => (await one.hub.presence("a", { limit: 10 })).present.some(({ user }) => user === "42"));
  await watcher.socket.until(() => watcher.socket.publications.length > 0);
  const before = [await one.hub.presence("a", { limit: 10 }), await one.hub.totals(), await one.hub.user("42")];
  const [first] = client.sockets;
  const sent = first!.sent.length;
  const joins = watcher.socket.publications.length;
  for (const to of [two, one, two]) await client.move(to);
  await settle();
  assertEquals([await one.hub.presence("a", { limit: 10 }), await one.hub.totals(), await one.hub.user("42")], before);
  assertEquals([first!.sent.length, first!.closed, told], [sent, undefined, []]);
  assertEquals(client.sockets.slice(1).map(({ sent }) => sent), [[], [], []]);
  const info = await one.hub.getSession(id);
  assertEquals([info?.edge, info?.since, info?.user, info?.channels], [2, since, "42", ["a", "$user/42"]]);
  assertEquals([client.session.may("subscribe", "room"), client.session.may("publish", "room")], [true, false]);
  assertEquals(client.session.may("subscribe", "$user/43"), false);
  assertEquals(await stage.figure("gong_sessions_opened_total", { door: "json" }), 2);
  assertEquals(await stage.figure("gong_sessions_closed_total"), 0);
  assertEquals(await stage.figure("gong_sessions_moved_total"), 3);
  assertEquals(await stage.figure("gong_sessions", { door: "json" }), 2);
  assertEquals(stage.hub.directory.places.size, 1);
  client.socket.vanish();
  await until(async () => (await one.hub.totals()).sessions === 1);
  assertEquals(stage.hub.directory.places.size, 0);
  assertEquals(watcher.socket.publications.length, joins);
  for (const { log } of [one, two]) assert(!log.events.some(({ event }) => /fault/.test(event)));
});

Deno.test("a session that has moved is said to hear what it heard, before its new edge does", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const client = await mover(one, ["a", "b"]);
  await client.move(two);
  assertEquals([client.session.channels, client.session.info(2).channels], [[], ["a", "b"]]);
  await until(() => client.session.channels.length === 2);
  assertEquals(client.session.info(2).channels, ["a", "b"]);
});

Deno.test("Edge.receive() ends a session with its token, and closes one whose login has ended meanwhile", async () => {
  const { stage, one, two } = open({ config: { dev: false, publicChannels: ["a"], tokenSecret: [TOKEN_SECRET] } });
  await using _ = stage;
  const client = await mover(one);
  await client.session.authenticate(signToken({ exp: endingIn(5) }));
  await client.move(two);
  assertEquals((await client.socket.end()).code, 4401);
  const grant = { name: "ops", scopes: [], login: "l1" } as const;
  const admin = one.json({ grant });
  await admin.socket.subscribed();
  const moving = new Mover(one, admin);
  two.auth.revoke("l1");
  await moving.move(two);
  assertEquals((await moving.socket.end()).code, 4401);
  assertEquals(moving.told, ["arrived"]);
});

Deno.test("Edge.receive() keeps what was imposed, and does not hear itself as it wished", async () => {
  const { stage, one, two } = open({ config: { dev: false, publicChannels: ["a"], tokenSecret: [TOKEN_SECRET] } });
  await using _ = stage;
  const client = one.json({ echo: false, formerly: ["1-before"] });
  await client.socket.subscribed();
  const moving = new Mover(one, client);
  assertEquals(await one.hub.subscribeSessions({ session: client.id }, "b"), 1);
  await client.socket.subscribed(2);
  await moving.move(two);
  await moving.session.authenticate(signToken({}));
  assertEquals(await one.hub.unsubscribeSessions({ session: client.id }, "b"), 1);
  const publish = (from: string, data: string) => {
    return one.hub.publish([{ channel: "a", data, from, contentType: "text/plain" }]);
  };
  await publish(client.id, "own");
  await publish("1-before", "own too");
  await publish("1-other", "other's");
  await moving.socket.until(() => moving.heard("a").length > 0);
  assertEquals(moving.heard("a"), ["other's"]);
});

Deno.test("Edge.give() waits until its door has settled and every subscription is told, and what was posted is dealt with", async () => {
  const { stage, one, two } = open({ config: { dev: true } });
  await using _ = stage;
  const refused: string[] = [];
  const gate = Promise.withResolvers<void>();
  const door: Door = {
    ...json,
    settled: () => gate.promise,
    refused: (_, { code }) => void refused.push(code),
    pack: () => ({ refused: [...refused] }),
  };
  const client = await mover(one, ["a"], door);
  client.session.subscribe("b");
  client.session.post({ channel: "a", data: "{}", contentType: "text/plain", id: "x".repeat(3) });
  const given = two.edge.whereabouts.take(1, "sid");
  let isGiven = false;
  given.then(() => isGiven = true);
  await settle();
  await settle();
  assertEquals([isGiven, client.session.hasLeft], [false, false]);
  gate.resolve();
  const moved = asMoved(await given);
  assertEquals(moved.session.positions.map(([channel, { offset }]) => [channel, offset]), [["a", 1], ["b", 0]]);
  assertEquals(client.session.hasLeft, true);
  client.arrive(two, moved);
  await stage.publish("b", "end");
  await client.socket.until(() => client.heard("b").length > 0);
  assertEquals(client.lines.filter(({ type }) => type === "subscribed").length, 2);
});

Deno.test("Edge.give() rejects when the session ends meanwhile, and when what is under way does not end", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const client = await mover(one);
  const given = assertRejects(() => client.move(two), GongError);
  client.session.close("forbidden");
  assertEquals((await given).code, "not_found");
  const other = await mover(one, ["a"], { ...json, settled: () => new Promise(() => {}) });
  assertEquals((await assertRejects(() => other.move(two), GongError)).code, "overloaded");
  assertEquals(other.session.hasLeft, false);
  await stage.publish("a", "still here");
  await other.socket.until(() => other.heard("a").length > 0);
});

Deno.test("a session whose door cannot be packed ends", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const pack = () => {
    throw new TypeError("a fault");
  };
  const client = await mover(one, ["a"], { ...json, pack });
  assertEquals((await assertRejects(() => client.move(two), GongError)).code, "internal");
  await until(async () => (await one.hub.totals()).sessions === 0);
});

Deno.test("a session whose client goes away while it is handed over is no more", async () => {
  const { stage, one, two } = open();
  await using _ = stage;
  const client = await mover(one);
  const [socket] = client.sockets;
  const { engine } = one.edge;
  one.edge.engine = {
    ...engine!,
    give: async (sid) => {
      await engine!.give(sid);
      socket!.vanish();
      throw new GongError("not_found");
    },
  };
  assertEquals((await assertRejects(() => client.move(two), GongError)).code, "not_found");
  await until(async () => (await one.hub.totals()).sessions === 0);
});

Deno.test("orders and signals find a session that moves, wherever it is just then", async () => {
  // Whichever comes first: the order, or that the session is handed over; and at each way between hub and edges.
  for (const first of ["order", "take"]) {
    await using stage = new Stage({ config: {} });
    const { edge: one, paths: ways } = stage.startDelayedEdge();
    const { edge: two, paths: others } = stage.startDelayedEdge();
    const pass = async (done: () => boolean, order = [ways, others]) => {
      for (let n = 0; !done() && n < 200; n++) {
        for (const paths of order) {
          for (const way of ["to hub", "to edge", "batch"] as const) {
            if (paths.waiting(way) > 0) await paths.pass(way);
          }
        }
        await settle();
      }
      assert(done(), `${first} has come to no end`);
    };
    const client = one.json({});
    await pass(() => client.session.channels.length === 1);
    const moving = new Mover(one, client);
    let isThere = false;
    const signal = { data: "hello", contentType: "text/plain" };
    const results: unknown[] = [];
    const orders = async () => {
      const { hub } = stage.edge;
      results.push(
        ...await Promise.all([
          hub.signal([client.id], signal),
          hub.subscribeSessions({ session: client.id }, "b"),
          hub.subscribeSessions({ channel: "a" }, "c"),
          hub.getSession(client.id).then((info) => info?.id),
        ]),
      );
    };
    const [a, b] = first === "order"
      ? [orders, () => moving.move(two).then(() => isThere = true)]
      : [() => moving.move(two).then(() => isThere = true), orders];
    void a();
    await settle();
    if (first === "take") {
      // It has been handed over, and nobody knows yet.
      await pass(() => client.session.hasLeft || moving.sockets.length > 1, [others, ways]);
    }
    void b();
    // The order is on the way to where it was.
    if (first === "take") await until(() => ways.waiting("to edge") > 0);
    await pass(() => isThere && results.length === 4, first === "take" ? [others, ways] : [ways, others]);
    assertEquals(results, [1, 1, 1, client.id], first);
    assertEquals(moving.lines.filter(({ type }) => type === "signal").length, 1, first);
    await pass(() => moving.session.channels.length === 3);
    assertEquals([...moving.session.channels].sort(), ["a", "b", "c"], first);
    let closed: number | undefined;
    stage.edge.hub.disconnect({ channel: "c" }, "over").then((count) => closed = count);
    await pass(() => closed !== undefined);
    assertEquals([closed, moving.socket.closed?.code], [1, 4403], first);
  }
});

Deno.test("an order finds a session that comes with the same message", async () => {
  await using stage = new Stage();
  const { edge: one, paths: ways } = stage.startDelayedEdge();
  const { edge: two, paths: others } = stage.startDelayedEdge();
  const passAll = async (isOver: () => boolean, all = [ways, others]) => {
    for (let n = 0; n < 100 && !isOver(); n++) {
      for (const paths of all) {
        for (const way of ["to edge", "to hub"] as const) {
          if (!isOver() && paths.waiting(way) > 0) await paths.pass(way);
        }
      }
      await settle();
    }
    assert(isOver());
  };
  const client = one.json({});
  await passAll(() => client.session.channels.length === 1);
  const moving = new Mover(one, client);
  const moved = moving.move(two);
  await passAll(() => client.session.hasLeft && ways.waiting("to hub") > 0);
  while (ways.waiting("to hub") > 0) ways.edgePort.pass();
  for (let n = 0; n < 50 && stage.hub.directory.places.edgeOf(client.id) !== 3; n++) await Promise.resolve();
  const signal = { data: "hello", contentType: "text/plain" };
  const reached = stage.hub.directory.signal({ sessions: [client.id], signal });
  await settle();
  assertEquals(others.waiting("to edge"), 1);
  await passAll(() => moving.lines.some(({ type }) => type === "signal"));
  await passAll(() => others.waiting("to hub") === 0);
  assertEquals(await reached, 1);
  await moved;
});

Deno.test("what a session has posted before it moved is refused where it is then", async () => {
  const { stage, one, two } = open({ config: { dev: false, publicChannels: ["a"] } });
  await using _ = stage;
  const refused: string[] = [];
  const client = await mover(one, ["a"], { ...json, refused: (_, { code }) => void refused.push(code) });
  await client.move(two);
  // As from the edge that had it: other data under the same id.
  const draft = { channel: "a", id: "1", contentType: "text/plain", from: client.session.id };
  for (const data of ["x", "y"]) one.link.notify("post", { ...draft, data });
  await until(() => refused.length > 0);
  assertEquals(refused, ["conflict"]);
});

Deno.test("pages of sessions have each once, in the order of their ids, also those that have moved", async () => {
  const { stage, one, two } = open({ edges: 3 });
  await using _ = stage;
  const three = stage.edges[2]!;
  const movers: Mover[] = [];
  for (let n = 0; n < 12; n++) movers.push(await mover([one, two, three][n % 3]!));
  const ids = movers.map(({ session }) => session.id).sort(compareIds);
  for (const [n, client] of movers.entries()) {
    // Each edge answers for the one that moves.
    client.edge.edge.engine = new Mover(client.edge, client).edge.edge.engine;
    if (n % 4 < 2) await client.move([two, three, one][n % 3]!);
  }
  for (const limit of [1, 2, 5, 12, 50]) {
    const found: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await one.hub.listSessions({ limit, ...(after === undefined ? {} : { after }) });
      assertEquals(page.total, 12);
      found.push(...page.sessions.map(({ id }) => id));
      after = page.next;
      if (after === undefined) break;
    }
    assertEquals(found, ids, `${limit} a page`);
  }
});

Deno.test("an edge that ends in the middle leaves nothing of the session behind", async () => {
  for (const killed of ["owner before", "owner after", "taker before", "taker after"]) {
    await using stage = new Stage({ config: { rule: ["a presence=on"] } });
    const { edge: one, paths: ways } = stage.startDelayedEdge();
    const { edge: two, paths: others } = stage.startDelayedEdge();
    const passAll = async (which = [ways, others]) => {
      for (let n = 0; n < 40; n++) {
        for (const paths of which) {
          for (const way of ["to hub", "to edge", "batch"] as const) {
            if (paths.waiting(way) > 0) await paths.pass(way);
          }
        }
        await settle();
      }
    };
    const client = one.json({});
    await passAll();
    const moving = new Mover(one, client);
    const outcome = moving.move(two).then(() => "moved", (error) => GongError.from(error).code);
    await settle();
    // The question is with the owner, and its answer is on the way.
    while (!client.session.hasLeft) {
      for (const paths of [others, ways]) {
        if (paths.waiting("to hub") > 0 && !client.session.hasLeft) await paths.pass("to hub");
      }
      if (ways.waiting("to edge") > 0) await ways.pass("to edge");
    }
    await settle();
    if (killed === "owner before") stage.hub.detach(2);
    if (killed === "taker before") stage.hub.detach(3);
    await passAll(killed.startsWith("owner") ? [ways] : [ways]);
    if (killed === "owner after") stage.hub.detach(2);
    if (killed === "taker after") stage.hub.detach(3);
    await passAll();
    const isThere = killed === "owner after";
    const count = isThere ? 1 : 0;
    const totals = await stage.edge.hub.totals();
    assertEquals([totals.sessions, (await stage.edge.hub.presence("a", { limit: 1 })).count], [count, count], killed);
    assertEquals(stage.hub.directory.places.size, count, killed);
    if (killed.startsWith("owner")) assertEquals(await outcome, isThere ? "moved" : "not_found", killed);
  }
});

Deno.test("Session.changed() has a seat again, with the outlet that the carrier has then", async () => {
  const { stage, one } = open();
  await using _ = stage;
  const { session, socket } = one.json();
  await socket.subscribed();
  await stage.publish("a", "1");
  await socket.until(() => socket.publications.length === 1);
  assert(session.seat >= 0);
  const others: unknown[] = [];
  Object.defineProperty(socket, "outlet", { value: { send: (data: unknown) => void others.push(data) } });
  session.changed();
  assert(session.seat >= 0);
  await stage.publish("a", "2");
  await until(() => others.length === 1);
  assertEquals(socket.publications.length, 1);
});
