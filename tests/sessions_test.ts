import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { setImmediate } from "node:timers";
import type { Grant } from "../lib/auth.ts";
import { openBroker } from "../lib/brokers/mod.ts";
import { GongError } from "../lib/errors.ts";
import type { Draft } from "../lib/types.ts";
import { type Client, END, publishAll, Stage, type StageEdge } from "./support/stage.ts";

/** The code that a connect is refused with. */
function refusal(edge: StageEdge, address: string): string | undefined {
  try {
    edge.json({ address });
    return undefined;
  } catch (error) {
    return (error as GongError).code;
  }
}

/** Resolves when what the edges and the hub have told each other has arrived. */
async function settle(stage: Stage): Promise<void> {
  for (let n = 0; n < 3; n++) await Promise.all(stage.edges.map((edge) => edge.hub.readiness()));
}

Deno.test("sessions of one address are bounded over all edges, and make room when they go", async () => {
  await using stage = new Stage({ edges: 2, config: { maxPerAddress: 2 } });
  const [one, two] = stage.edges as [StageEdge, StageEdge];
  const first = one.json({ address: "a" });
  two.json({ address: "a" });
  await settle(stage);
  assertEquals([refusal(one, "a"), refusal(two, "a"), refusal(two, "b")], ["too_many", "too_many", undefined]);
  first.socket.vanish();
  await settle(stage);
  assertEquals(refusal(two, "a"), undefined);
  await settle(stage);
  assertEquals(refusal(one, "a"), "too_many");
});

Deno.test("sessions that come at once, too many for any edge to know, are closed with the refusal", async () => {
  await using stage = new Stage({ edges: 2, config: { maxConnections: 3 } });
  const clients = [1, 2, 3].flatMap(() => stage.edges.map((edge) => edge.json()));
  await settle(stage);
  const closed = clients.filter(({ socket }) => socket.closed);
  assertEquals(closed.map(({ socket }) => socket.closed!.code), [1013, 1013, 1013]);
  assertEquals(await stage.figure("gong_sessions"), 3);
  assertEquals(stage.edges.map((edge) => refusal(edge, "other")), ["overloaded", "overloaded"]);
  clients.find(({ socket }) => !socket.closed)!.socket.vanish();
  await settle(stage);
  assertEquals(refusal(stage.edges[1]!, "other"), undefined);
});

Deno.test("an edge that starts later knows where there is no room", async () => {
  await using stage = new Stage({ config: { maxPerAddress: 1, maxConnections: 2 } });
  stage.edge.json({ address: "a" });
  await settle(stage);
  const late = stage.startEdge();
  await settle(stage);
  assertEquals([refusal(late, "a"), refusal(late, "b"), refusal(late, "c")], ["too_many", undefined, undefined]);
  await settle(stage);
  assertEquals(refusal(late, "d"), "overloaded");
});

Deno.test("what an edge that is gone had admitted makes room", async () => {
  await using stage = new Stage({ edges: 2, config: { maxConnections: 2 } });
  stage.edge.json();
  stage.edge.json();
  await settle(stage);
  assertEquals(refusal(stage.edges[1]!, "a"), "overloaded");
  assertEquals(stage.hub.detach(1), 2);
  await stage.edges[1]!.hub.readiness();
  await stage.edges[1]!.hub.readiness();
  assertEquals(refusal(stage.edges[1]!, "a"), undefined);
  // What it still says is not heard.
  stage.edge.link.notify("admit", { id: "1-late", address: "late" });
  await new Promise((resolve) => setImmediate(resolve));
  await stage.edges[1]!.hub.readiness();
  assertEquals(refusal(stage.edges[1]!, "b"), undefined);
});

Deno.test("over the memory watermark nobody new is let in, and those who are there stay", async () => {
  await using stage = new Stage();
  const client = stage.edge.plain();
  stage.hub.directory.tellAll("pressure", true);
  await settle(stage);
  assertEquals(refusal(stage.edge, "a"), "overloaded");
  await publishAll(stage, "a", [], [client]);
  stage.hub.directory.tellAll("pressure", false);
  await settle(stage);
  assertEquals(refusal(stage.edge, "a"), undefined);
});

Deno.test("a message reaches one session, some, or all, on every edge, and is not numbered", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = [1, 2].flatMap(() => stage.edges.map((edge) => edge.json()));
  await Promise.all(clients.map(({ socket }) => socket.subscribed()));
  const [a, b, c, d] = clients as [Client, Client, Client, Client];
  const { hub } = stage.edge;
  const message = (data: string) => ({ data, contentType: "text/plain" });
  assertEquals(await hub.signal([b.id], message("one")), 1);
  assertEquals(await hub.signal([a.id, d.id, a.id, "1-nobody", "x", "", "zz-1"], message("some")), 2);
  assertEquals(await hub.signal("all", message("all")), 4);
  assertEquals(await hub.signal([], message("nobody")), 0);
  await publishAll(stage, "a", [], clients);
  const got = clients.map(({ socket }) => socket.ofType("signal").map(({ data }) => data));
  assertEquals(got, [["some", "all"], ["one", "all"], ["all"], ["some", "all"]]);
  assertEquals(c.socket.publications.map(({ offset }) => offset), [1]);
});

Deno.test("sessions are listed page by page over all edges, each once, in one order", async () => {
  await using stage = new Stage({ edges: 3 });
  const clients = Array.from({ length: 20 }, (_, n) => stage.edges[n % 3]!.plain());
  const { hub } = stage.edges[1]!;
  for (const limit of [1, 3, 6, 7, 19, 20, 50]) {
    const ids: string[] = [];
    for (;;) {
      const page = await hub.listSessions(ids.length === 0 ? { limit } : { limit, after: ids.at(-1)! });
      assertEquals(page.total, 20);
      assert(page.sessions.length <= limit);
      ids.push(...page.sessions.map(({ id }) => id));
      if (page.next === undefined) break;
      assertEquals(page.next, ids.at(-1));
    }
    const byEdge = clients.toSorted((x, y) => x.id[0]!.localeCompare(y.id[0]!)).map(({ id }) => id);
    assertEquals(ids, byEdge, `${limit} a page`);
  }
  const after = clients[3]!.id;
  clients[3]!.socket.vanish();
  const { sessions } = await hub.listSessions({ limit: 50, after });
  assertEquals(sessions.some(({ id }) => id === clients[6]!.id), true, "after one who is gone");
});

Deno.test("a session is looked up and closed by id, from any edge", async () => {
  await using stage = new Stage({ edges: 2 });
  const { id, socket } = stage.edge.json({ channels: ["a", "b"], address: "2001:db8::/64" });
  await socket.subscribed(2);
  await stage.publish("a", "x");
  await socket.until(() => socket.publications.length === 1);
  const { hub } = stage.edges[1]!;
  const info = await hub.getSession(id);
  assert(info);
  const { since, ...rest } = info;
  assert(Math.abs(Date.now() - since) < 60_000);
  assertEquals(rest, {
    ...{ id, door: "json", address: "2001:db8::/64", userAgent: "", channels: ["a", "b"] },
    ...{ pending: 0, delivered: 1, edge: 1 },
  });
  for (const nobody of ["1-nobody", "9-nobody", "nobody", "", "-"]) {
    assertEquals(await hub.getSession(nobody), undefined, nobody);
    assertEquals(await hub.closeSession(nobody, 4403, "Closed."), false, nobody);
  }
  assertEquals(await hub.closeSession(id, 4403, "Closed by the operator."), true);
  assertEquals(socket.closed, { code: 4403, reason: "Closed by the operator." });
  assertEquals([await hub.getSession(id), await hub.closeSession(id, 4403, "Again.")], [undefined, false]);
});

Deno.test("an edge that does not answer is left out of what is asked of all, and refused where it is asked alone", async () => {
  await using stage = new Stage();
  stage.edge.json();
  const never = () => new Promise<never>(() => {});
  stage.startSilentEdge(9, {
    sessions: never,
    session: never,
    closeSession: never,
    signal: never,
    beat: never,
    samples: never,
  });
  const { directory } = stage.hub;
  const [page, reached, samples] = await Promise.all([
    directory.list({ limit: 9 }),
    directory.signal({ sessions: "all", signal: { data: "x", contentType: "text/plain" } }),
    directory.samples(),
    assertRejects(() => directory.get("9-x"), GongError),
    assertRejects(() => directory.close({ id: "9-x", code: 4403, reason: "" }), GongError),
  ]);
  assertEquals([page.total, reached, samples.some(({ name }) => name === "gong_sessions")], [1, 1, true]);
});

Deno.test("what an edge had counted stays in the totals when it is gone, what it held does not", async () => {
  await using stage = new Stage({ edges: 2 });
  const client = stage.edges[1]!.plain();
  await publishAll(stage, "a", ["x"], [client]);
  assertEquals([await stage.figure("gong_delivered_total"), await stage.figure("gong_sessions")], [2, 1]);
  stage.hub.detach(2);
  assertEquals([await stage.figure("gong_delivered_total"), await stage.figure("gong_sessions")], [2, 0]);
  assertEquals(await stage.figure("gong_sessions_opened_total"), 1);
});

Deno.test("shed() closes the sessions with the most pending, until enough is free", async () => {
  await using stage = new Stage();
  const sizes = [1000, 50_000, 0, 20_000];
  const clients = sizes.map((_, n) => stage.edge.plain({ channels: [`c${n}`] }));
  for (const { socket } of clients) socket.reads = "nothing";
  for (const [n, size] of sizes.entries()) if (size > 0) await stage.publish(`c${n}`, "x".repeat(size));
  await Promise.all(clients.map(({ socket }, n) => socket.frames(sizes[n]! > 0 ? 1 : 0)));
  stage.hub.directory.tellAll("shed", 60_000);
  await settle(stage);
  assertEquals(clients.map(({ socket }) => socket.closed?.code), [undefined, 1013, undefined, 1013]);
  assertEquals(await stage.figure("gong_sessions_closed_total", { reason: "overloaded" }), 2);
});

Deno.test("draining sends what is queued, closes everybody with 1001 and waits for their sockets", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = [stage.edge.json(), stage.edges[1]!.json()];
  await Promise.all(clients.map(({ socket }) => socket.subscribed()));
  const [{ socket, session }] = clients as [Client, Client];
  socket.answers = false;
  session.write('{"type":"last"}');
  let isDrained = false;
  const drained = stage.hub.directory.drain(60).then(() => isDrained = true);
  await Promise.all(clients.map((client) => client.socket.end()));
  assertEquals(clients.map((client) => client.socket.closed!.code), [1001, 1001]);
  assertEquals(socket.ofType("last").length, 1);
  assertThrows(() => stage.edge.json(), GongError, "going away");
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  assertEquals(isDrained, false);
  socket.vanish(true);
  await drained;
  assertEquals(await stage.figure("gong_sessions_closed_total", { reason: "going_away" }), 2);
});

Deno.test("a session that is drained takes nothing in any more, but what it has published is answered first", async () => {
  await using stage = new Stage();
  const { edge, paths } = stage.startDelayedEdge();
  const { socket } = edge.json({ channels: [] });
  socket.say('{"id":1,"publish":{"channel":"a","data":"in time"}}');
  const drained = edge.edge.methods().drain(60);
  socket.say('{"id":2,"publish":{"channel":"a","data":"too late"}}');
  assertEquals(socket.closed, undefined);
  const pump = setInterval(() => {
    for (const way of ["to hub", "to edge"] as const) if (paths.waiting(way) > 0) void paths.pass(way);
  });
  try {
    await socket.end();
  } finally {
    clearInterval(pump);
  }
  assertEquals((await socket.answer(1)).ok.offset, 1);
  assertEquals([socket.closed?.code, socket.ofType("close").at(-1).retryAfter], [1001, 1]);
  assertEquals(socket.lines.filter((line) => JSON.parse(line).id === 2), []);
  await drained;
});

Deno.test("draining gives up on sockets that will not go", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.json();
  socket.answers = false;
  await stage.hub.directory.drain(0.05);
  assertEquals(socket.closed?.code, 1001);
});

Deno.test("a session that is drained before its socket opens is closed as soon as it does", async () => {
  await using stage = new Stage();
  const { socket, session } = stage.edge.json({ closed: true });
  const drained = stage.hub.directory.drain(60);
  await settle(stage);
  assertEquals([session.hasLeft, socket.closed], [true, undefined]);
  socket.open();
  assertEquals(socket.closed?.code, 1001);
  await drained;
});

Deno.test("a session whose socket never opens is gone after two pings", async () => {
  await using stage = new Stage({ config: { ping: 0.1 } });
  const { session, socket } = stage.edge.json({ closed: true });
  assertEquals((await stage.edge.log.until("session.close")).reason, "stalled");
  await settle(stage);
  assert(session.hasLeft);
  assertEquals([stage.hub.isHosted("a"), await stage.figure("gong_sessions")], [false, 0]);
  socket.vanish();
});

Deno.test("what a session hears before its socket opens waits for it", async () => {
  await using stage = new Stage();
  const [waiting, open] = [stage.edge.json({ closed: true }), stage.edge.json()];
  await publishAll(stage, "a", ["x"], [open]);
  assertEquals(waiting.socket.sent, []);
  waiting.socket.open();
  assertEquals(waiting.socket.sent.length, 1);
  assertEquals(waiting.socket.lines.map((line) => JSON.parse(line)).map(({ type, data }) => type ?? data), [
    ...["welcome", "subscribed", "x", END],
  ]);
});

Deno.test("the hub ends in the middle of publishing without a fault", async () => {
  await using stage: Stage = new Stage({
    openBroker: (config, announce) =>
      openBroker(config, (publications) => {
        announce(publications);
        // Announced, but not yet on the bus.
        void stage.hub.close();
      }),
  });
  stage.edge.plain();
  await stage.publish("a", "x");
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
});

Deno.test("what a session publishes is its own and, where it has a key, its key's", async () => {
  const drafts: Draft[] = [];
  await using stage = new Stage({
    openBroker(config, announce) {
      const broker = openBroker(config, announce);
      const publish = broker.publish.bind(broker);
      return Object.assign(broker, {
        publish(...[given, options]: Parameters<typeof publish>) {
          drafts.push(...given);
          return publish(given, options);
        },
      });
    },
  });
  const grant: Grant = { name: "shop", scopes: ["publish"] };
  const clients = [stage.edge.plain(), stage.edge.plain({ grant }), stage.edge.json(), stage.edge.json({ grant })];
  for (const [n, { socket, session }] of clients.entries()) {
    const data = `from ${n}`;
    socket.say(
      session.door.name === "plain"
        ? data
        : JSON.stringify({ id: 1, publish: { channel: "a", data, ttl: 0.5, id: `${n}`, tags: { publisher: "x" } } }),
    );
    await socket.until(() => socket.lines.some((line) => line.includes(data)));
  }
  assertEquals(drafts.map(({ from }) => from), clients.map(({ id }) => id));
  assertEquals(drafts.map(({ publisher, ttl, id }) => ({ publisher, ttl, id })), [
    { publisher: undefined, ttl: undefined, id: undefined },
    { publisher: "shop", ttl: undefined, id: undefined },
    { publisher: undefined, ttl: 0.5, id: "2" },
    { publisher: "shop", ttl: 0.5, id: "3" },
  ]);
});
