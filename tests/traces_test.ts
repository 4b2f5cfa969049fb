import { assert, assertEquals } from "@std/assert";
import type { Draft, Position, Trace } from "../lib/types.ts";
import { END, publishAll, Stage } from "./support/stage.ts";

function draft(data: string, more: Partial<Draft> = {}): Draft {
  return { channel: "a", data, contentType: "text/plain", ...more };
}

function traced(id: string, data = id): Draft {
  return draft(data, { id, trace: true });
}

/** What is noted under an id, when every edge has said what it did: each one's port keeps its order. */
async function traces(stage: Stage, id: string): Promise<readonly Trace[]> {
  for (const { hub } of stage.edges) await hub.publication(id);
  return await stage.edge.hub.publication(id) ?? [];
}

/** The figures of that. */
async function figures(stage: Stage, id: string): Promise<unknown[]> {
  return (await traces(stage, id)).map((trace) => "refused" in trace ? trace.refused : [trace.queued, trace.dropped]);
}

Deno.test("a traced publication is counted once for each session of every edge", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two] = stage.edges;
  const clients = [one!.plain(), one!.json(), one!.json({ channels: ["b", "a"] }), two!.plain()];
  const others = [one!.plain({ channels: ["b"] })];
  const before = Date.now();
  const [result] = await stage.edge.hub.publish([traced("x")]);
  await publishAll(stage, "a", [], clients);
  await publishAll(stage, "b", [], others);
  const [trace, ...rest] = await traces(stage, "x");
  const { time, ...place } = trace!;
  assertEquals<unknown>(place, { channel: "a", ...result as Position, queued: 4, dropped: {} });
  assertEquals([time >= before && time <= Date.now(), rest], [true, []]);
  assertEquals(await stage.edge.hub.publication("y"), undefined);
  assertEquals(await stage.figure("gong_traces"), 1);
});

Deno.test("traced publications among others keep their place, and every one has its own figures", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = [stage.edge.plain(), stage.edge.json({ channels: ["a", "b"] }), stage.edges[1]!.plain()];
  const drafts = ["1", "x", "y", "2", "3", "z"].map((data) => /\d/.test(data) ? draft(data) : traced(data));
  drafts.splice(3, 0, { ...traced("x", "elsewhere"), channel: "b" });
  await stage.edge.hub.publish(drafts);
  await publishAll(stage, "a", [], clients);
  const own = ["1", "x", "y", "2", "3", "z", END];
  assertEquals([clients[0]!.socket.sent, clients[2]!.socket.sent], [own, own]);
  assertEquals(
    clients[1]!.socket.publications.map(({ data }) => data),
    ["1", "x", "y", "elsewhere", "2", "3", "z", END],
  );
  assertEquals(await figures(stage, "x"), [[3, {}], [1, {}]]);
  assertEquals(await figures(stage, "y"), [[3, {}]]);
  assertEquals(await figures(stage, "z"), [[3, {}]]);
  assertEquals(await stage.figure("gong_delivered_total"), 3 * 7 + 1);
});

Deno.test("a session that hears nothing of itself is not counted, live or from history", async () => {
  await using stage = new Stage();
  const clients = [stage.edge.json({ echo: false }), stage.edge.json()];
  for (const { socket } of clients) await socket.subscribed();
  await stage.edge.hub.publish([{ ...traced("x"), from: clients[0]!.id }]);
  await publishAll(stage, "a", [], clients);
  assertEquals(await figures(stage, "x"), [[1, {}]]);
  const [{ epoch }] = clients[1]!.socket.publications;
  for (const { socket } of clients) {
    socket.say('{"id":1,"unsubscribe":{"channel":"a"}}');
    await socket.answer(1);
    socket.say(`{"id":2,"subscribe":{"channel":"a","since":"${epoch}:0"}}`);
    await socket.answer(2);
  }
  await publishAll(stage, "a", [], clients);
  assertEquals(await figures(stage, "x"), [[2, {}]]);
});

Deno.test("a traced publication that a session gets from history is counted too, once for each time", async () => {
  await using stage = new Stage({ edges: 2 });
  const [result] = await stage.edge.hub.publish([draft("before"), traced("x"), draft("after")]);
  assertEquals(await figures(stage, "x"), [[0, {}]], "nobody listened");
  const { epoch } = result as Position;
  for (const [since, count] of [[0, 1], [1, 2], [2, 2]]) {
    for (const edge of stage.edges) {
      const { socket } = edge.connect();
      socket.say(`{"id":1,"subscribe":{"channel":"a","since":"${epoch}:${since}"}}`);
      await socket.answer(1);
      await socket.until(() => socket.publications.at(-1)?.data === "after");
    }
    assertEquals(await figures(stage, "x"), [[2 * count!, {}]]);
  }
});

Deno.test("a session that is too slow for a traced publication is counted as dropped", async () => {
  await using stage = new Stage({ edges: 2, config: { outbox: 10_000 } });
  const clients = stage.edges.map((edge) => edge.plain());
  const slow = stage.edges[1]!.json();
  await slow.socket.subscribed();
  slow.socket.reads = "nothing";
  const text = "x".repeat(4000);
  for (const id of ["1", "2", "3", "4"]) await stage.edge.hub.publish([traced(id, text)]);
  assertEquals((await slow.socket.end()).code, 1013);
  await publishAll(stage, "a", [], clients);
  const found = [];
  for (const id of ["1", "2", "3", "4"]) found.push(...await figures(stage, id));
  assertEquals(found, [[3, {}], [3, {}], [2, { slow: 1 }], [2, {}]]);
});

Deno.test("a traced publication that is repeated is counted once, and both times are noted", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = stage.edges.map((edge) => edge.plain());
  const results = [];
  for (const { hub } of [...stage.edges, ...stage.edges]) results.push(...await hub.publish([traced("x")]));
  await publishAll(stage, "a", [], clients);
  const [first, ...others] = results as Position[];
  assertEquals<unknown>(others, others.map(() => ({ ...first, repeated: true })));
  assertEquals(clients.map(({ socket }) => socket.sent), [["x", END], ["x", END]]);
  assertEquals(await figures(stage, "x"), [[2, {}], [2, {}]]);
  const [conflict] = await stage.edge.hub.publish([traced("x", "other data")]);
  assertEquals("error" in conflict!, true);
  assertEquals((await figures(stage, "x")).at(-1), "conflict");
});

Deno.test("a traced publication that is refused is noted with its code", async () => {
  await using stage = new Stage({ config: { maxChannels: 1 } });
  const client = stage.edge.plain({ channels: ["b"] });
  await publishAll(stage, "b", [], [client]);
  const [result] = await stage.edge.hub.publish([traced("x")]);
  assertEquals("error" in result! && result.error.code, "overloaded");
  assertEquals(await figures(stage, "x"), ["overloaded"]);
});

Deno.test("no publication is refused for notes: they go when channels that are heard have no other room", async () => {
  const budget = 1 << 20;
  await using stage = new Stage({ config: { historyBudget: budget, historyBytes: budget, historyCount: 10_000 } });
  const client = stage.edge.plain();
  for (let n = 0; n < 200; n++) await stage.edge.hub.publish([{ ...traced(`${n}`), channel: "unheard" }]);
  const noted = await stage.figure("gong_traces");
  assert(noted > 50 && noted < 150, `${noted} in a sixteenth of 1 MiB`);
  const text = "x".repeat(10_000);
  const results = [];
  for (let n = 0; n < 110; n++) results.push(...await stage.edge.hub.publish([draft(text)]));
  assertEquals(results.filter((result) => "error" in result), []);
  await publishAll(stage, "a", [], [client]);
  assert(await stage.figure("gong_traces") < noted / 4);
});

Deno.test("an edge tells the hub once a turn what became of traced publications", async () => {
  await using stage = new Stage();
  const told: string[][] = [];
  const { link } = stage.edge;
  const notify = link.notify.bind(link);
  link.notify = (method, payload) => {
    if (method === "traced") told.push((payload as { id: string }[]).map(({ id }) => id));
    notify(method, payload);
  };
  const clients = [stage.edge.plain(), stage.edge.json()];
  await stage.edge.hub.publish([traced("1"), draft("-"), traced("2"), { ...traced("3"), channel: "unheard" }]);
  await publishAll(stage, "a", ["no trace"], clients);
  assertEquals(told, [["1", "2"]]);
});

Deno.test("HubClient.history() reads page by page what a channel keeps, and makes nobody listen", async () => {
  await using stage = new Stage();
  const { hub } = stage.edge;
  const [first] = await stage.publish("a", "1", "2", "3");
  const { epoch } = first as Position;
  const oldest = await hub.history("a", { last: Number.MAX_SAFE_INTEGER }, { count: 2 });
  assertEquals(oldest.publications.map(({ data }) => data), ["1", "2"]);
  assertEquals([oldest.top, oldest.recovered], [{ epoch, offset: 3 }, true]);
  const rest = await hub.history("a", { epoch, offset: 2 }, { count: 2 });
  assertEquals(rest.publications.map(({ data }) => data), ["3"]);
  assertEquals((await hub.history("a", { epoch: "other", offset: 2 }, {})).recovered, false);
  assertEquals(stage.hub.isHosted("a"), false);
});

Deno.test("HubClient.history() of the admin page's feed says where it stands, and has nothing", async () => {
  await using stage = new Stage();
  stage.hub.feed("{}");
  const { hub } = stage.edge;
  const { top, publications, recovered } = await hub.history("$admin", { last: 10 }, {});
  assertEquals([top.offset, publications, recovered], [1, [], true]);
  assertEquals((await hub.history("$admin", top, {})).recovered, true);
  assertEquals((await hub.history("$admin", { ...top, offset: 0 }, {})).recovered, false);
});
