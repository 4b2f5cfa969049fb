import { assertEquals, assertRejects } from "@std/assert";
import { Asking } from "../../lib/cluster/asking.ts";
import { Nodes, type NodesOptions } from "../../lib/cluster/nodes.ts";
import { GongError } from "../../lib/errors.ts";
import { Metrics } from "../../lib/metrics.ts";
import type { Member, Membership } from "../../lib/types.ts";
import { type Redis, redisTest, startRedis } from "../support/redis.ts";
import { openNode } from "../support/redis_broker.ts";
import { NotedLog } from "../support/stage.ts";
import { until } from "../support/until.ts";

const SECRET = new Uint8Array(32).fill(1);
/** Of an answer that no connection gets. */
const SENT = Promise.resolve();

/** A node with what it was told. */
class TestNode implements AsyncDisposable {
  readonly events: string[] = [];
  readonly log = new NotedLog();
  readonly nodes: Nodes;

  constructor(membership: Membership, options: Partial<NodesOptions> = {}) {
    this.nodes = new Nodes({
      membership,
      lease: 1,
      listen: "127.0.0.1:0",
      address: "",
      version: "1",
      methods: {
        left: (node) => Promise.resolve(this.nodes.left(node)),
        totals: () => Promise.resolve({ connections: this.nodes.node, sessions: 0 }),
      },
      log: this.log,
      metrics: new Metrics({ isolate: "hub" }),
      onJoined: (node) => this.events.push(`joined ${node}`),
      onGone: (node) => this.events.push(`gone ${node}`),
      onReturned: () => this.events.push("returned"),
      ...options,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.nodes.close();
  }
}

/** A membership of its own connection, whose calls can be kept from Redis. */
async function join(redis: Redis, options: Partial<NodesOptions> = {}) {
  const opened = await openNode(redis.url, { brokerWait: 0.5 });
  const { membership } = opened.broker;
  const node = new TestNode(membership!, options);
  await node.nodes.start(SECRET);
  return {
    ...{ node, nodes: node.nodes, events: node.events },
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

redisTest("nodes find each other, ask each other, and take leave", async () => {
  await using redis = await startRedis();
  await using one = await join(redis);
  await using two = await join(redis);
  await using three = await join(redis);
  const [first, second, third] = [one, two, three].map(({ nodes }) => nodes.node) as [number, number, number];
  assertEquals([second, third], [first + 1, first + 2]);
  await until(() => one.nodes.others.length === 2 && two.nodes.others.length === 2);
  assertEquals(three.nodes.others, [first, second]);
  const answers = await one.nodes.askAll("totals", null);
  assertEquals(answers.map(({ node, answer }) => [node, answer.connections]).sort(([one], [two]) => one! - two!), [[
    second,
    second,
  ], [third, third]]);
  assertEquals((await three.nodes.request(first, "totals", null)).connections, first);
  await assertRejects(() => three.nodes.request(third + 6, "totals", null), GongError, "There is no such node.");
  await two.nodes.close();
  // Not when they look the next time: they are told.
  assertEquals([one, three].map(({ events }) => events.includes(`gone ${second}`)), [true, true]);
  await using four = await join(redis);
  assertEquals(four.nodes.node, third + 1, "no number is used twice");
  assertEquals(one.events.filter((event) => event === `gone ${third}`), []);
});

redisTest(
  "who says nothing any more is gone when its lease is over, and not before all others know of it",
  async () => {
    await using redis = await startRedis();
    await using one = await join(redis);
    await using broken = await openNode(redis.url);
    const { membership } = broken.broker;
    const member = { address: "http://127.0.0.1:1", version: "1", run: "x" };
    const node = await membership!.join(member, 0.75);
    await until(() => one.nodes.others.includes(node));
    await until(() => one.events.includes(`gone ${node}`));
    // One that was only slow is there again, and is told that it was not.
    const { wasOver, members } = await membership!.renew({ node, ...member }, 0.75);
    assertEquals([wasOver, members.map(({ node }) => node)], [true, [one.nodes.node, node]]);
    assertEquals((await membership!.renew({ node, ...member }, 0.75)).wasOver, false);
    await until(() => one.events.filter((event) => event === `joined ${node}`).length === 2);
  },
);

redisTest("Redis is away, and comes back empty: nobody is taken for gone", async () => {
  const redis = await startRedis();
  await using one = await join(redis, { lease: 2 });
  await using two = await join(redis, { lease: 2 });
  await using three = await join(redis, { lease: 2 });
  const all = [one, two, three];
  await until(() => all.every(({ nodes }) => nodes.others.length === 2));
  await redis.kill();
  await until(() => all.every(({ node }) => node.log.events.some(({ event }) => event === "node.unrenewed")));
  assertEquals((await one.nodes.askAll("totals", null)).length, 2, "they still reach each other");
  await using again = await startRedis({ port: redis.port });
  await until(() => all.every(({ events }) => events.includes("returned")));
  await until(async () => await again.command("ZCARD", "gong:{$nodes}") === 3);
  await using four = await join(again);
  assertEquals(four.nodes.node, three.nodes.node + 1, "numbers go on behind those that are taken");
  for (const { events } of all) assertEquals(events.filter((event) => event.startsWith("gone")), []);
});

redisTest("no node has the number of one that Redis has lost, also when it joins first", async () => {
  await using redis = await startRedis();
  await using opened = await openNode(redis.url);
  const membership = opened.broker.membership!;
  const members: Member[] = [];
  for (const run of ["one", "two", "three"]) {
    const member = { address: "http://127.0.0.1:1", version: "1", run };
    members.push({ node: await membership.join(member, 60), ...member });
    await redis.command("FLUSHALL");
  }
  for (const member of members) await membership.renew(member, 60);
  assertEquals((await membership.renew(members[0]!, 60)).members, members.toSorted((a, b) => a.node - b.node));
});

redisTest("a node that does not answer is left out, refused to who asks for it, and told of once", async () => {
  await using redis = await startRedis();
  await using one = await join(redis);
  await using two = await join(redis);
  await using broken = await openNode(redis.url);
  const node = await broken.broker.membership!.join({ address: "http://127.0.0.1:1", version: "1", run: "x" }, 60);
  await until(() => one.nodes.others.length === 2);
  for (let n = 0; n < 3; n++) {
    assertEquals((await one.nodes.askAll("totals", null)).map(({ node }) => node), [two.nodes.node]);
  }
  await assertRejects(() => one.nodes.request(node, "totals", null), GongError, "does not answer");
  assertEquals(one.node.log.events.filter(({ event }) => event === "node.silent").length, 1);
});

/** Two that ask each other, without leases. */
function twoAsking(
  methods: Partial<Record<string, (payload: unknown) => unknown>>,
  { secret = SECRET, ...more }: { secret?: Uint8Array<ArrayBuffer>; budget?: number } = {},
) {
  const counts: string[] = [];
  const faults: string[] = [];
  const requests: Request[] = [];
  const options = {
    methods,
    ...more,
    maxBody: 32 << 20,
    onFault: (_error: unknown, method: string) => faults.push(method),
    onAsked: (outcome: string) => counts.push(outcome),
  };
  const server = new Asking({ ...options, secret: SECRET, run: "server" });
  const client = new Asking({ ...options, secret, run: "client" });
  const listening = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request, { completed }) => {
      // A copy that nobody reads would hold a large one up.
      if (Number(request.headers.get("content-length")) < 1000) requests.push(request.clone());
      return await server.serve(request, completed);
    },
  );
  const member: Member = { node: 1, version: "1", run: "server", address: `http://127.0.0.1:${listening.addr.port}` };
  return {
    ...{ counts, faults, requests, server, member },
    ask: (method: string, payload: unknown, patience = 5000, to = member) => {
      return client.ask(to, method, payload, AbortSignal.timeout(patience));
    },
    [Symbol.asyncDispose]: () => listening.shutdown(),
  };
}

async function refused(asked: Promise<unknown>): Promise<string> {
  return await asked.then(() => "answered", (error) => error.code);
}

Deno.test("Asking: what is asked and answered comes through, bytes too, and refusals as what they are", async () => {
  await using two = twoAsking({
    echo: (payload) => payload,
    nothing: () => undefined,
    refuses: () => {
      throw new GongError("too_many", "no more", { retryAfter: 7 });
    },
    breaks: () => {
      throw new TypeError("secret");
    },
  });
  const payload = { text: "é\0🎉", bytes: Uint8Array.of(0, 255, 10), list: [1, null, { a: true }], nothing: undefined };
  assertEquals(await two.ask("echo", payload), { text: "é\0🎉", bytes: payload.bytes, list: [1, null, { a: true }] });
  assertEquals(await two.ask("nothing", null), undefined);
  const refusal: GongError = await two.ask("refuses", {}).then(() => undefined, (error) => error);
  assertEquals([refusal.code, refusal.message, refusal.retryAfter], ["too_many", "no more", 7]);
  const fault: GongError = await two.ask("breaks", {}).then(() => undefined, (error) => error);
  assertEquals([fault.code, /secret/.test(fault.message), two.faults], ["internal", false, ["breaks"]]);
  assertEquals(await refused(two.ask("constructor", {})), "not_found");
  assertEquals(await refused(two.ask("unheard", {})), "not_found");
  assertEquals(two.counts, ["answered", "answered", "refused", "refused", "refused", "refused"]);
});

Deno.test("Asking: who has not the secret, or repeats or changes what somebody said, is told nothing", async () => {
  let done = 0;
  await using two = twoAsking({ act: () => ++done });
  await using stranger = twoAsking({ act: () => ++done }, { secret: new Uint8Array(32).fill(2) });
  assertEquals(await refused(stranger.ask("act", {})), "overloaded");
  await two.ask("act", { a: 1 });
  assertEquals(done, 1);
  const [said] = two.requests;
  const head = said!.headers.get("gong-node")!;
  const body = await said!.text();
  const url = (method: string) => `${two.member.address}/${method}`;
  const attempts: [string, RequestInit][] = [
    [url("act"), { method: "POST", headers: { "gong-node": head }, body }],
    [url("other"), { method: "POST", headers: { "gong-node": head }, body }],
    [url("act"), { method: "POST", headers: { "gong-node": head.replace(" 1 ", " 2 ") }, body }],
    [url("act"), { method: "POST", headers: { "gong-node": head.replace("server", "another") }, body }],
    [url("act"), { method: "POST", body }],
    [url("act"), { method: "POST", headers: { "gong-node": "a b c d e f g" }, body }],
    [url("act"), {}],
  ];
  for (const [url, init] of attempts) {
    const response = await fetch(url, init);
    assertEquals([response.status, await response.text()], [403, "This is for nodes of the same cluster.\n"]);
  }
  // The next one, caught on its way and with another body.
  const caught = new Asking({ secret: SECRET, run: "client2", methods: {}, onFault: () => {}, onAsked: () => {} });
  await using trap = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request, info) => {
    const own = await request.text();
    const headers = { "gong-node": request.headers.get("gong-node")! };
    const response = await two.server.serve(
      new Request(url("act"), { method: "POST", headers, body: `${own} ` }),
      info.completed,
    );
    return new Response("{}", { status: response.status === 403 ? 200 : 500 });
  });
  const member = { ...two.member, address: `http://127.0.0.1:${trap.addr.port}` };
  assertEquals(
    await refused(caught.ask(member, "act", {}, AbortSignal.timeout(5000))),
    "overloaded",
    "nor is it taken for the node",
  );
  assertEquals(done, 1);
});

Deno.test("Asking: requests may come out of order, and each counts once", async () => {
  let done = 0;
  const methods = { act: () => ++done };
  const options = { secret: SECRET, methods, onFault: () => {}, onAsked: () => {} };
  const server = new Asking({ ...options, run: "server" });
  const client = new Asking({ ...options, run: "client" });
  const caught: Request[] = [];
  await using trap = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const headers = { "gong-node": request.headers.get("gong-node")! };
    caught.push(new Request(request.url, { method: "POST", headers, body: await request.text() }));
    return new Response();
  });
  const member = { node: 1, version: "1", run: "server", address: `http://127.0.0.1:${trap.addr.port}` };
  for (let n = 0; n < 20; n++) await client.ask(member, "act", {}, AbortSignal.timeout(5000)).catch(() => {});
  for (const request of [...caught].reverse()) assertEquals((await server.serve(request.clone(), SENT)).status, 200);
  for (const request of caught) assertEquals((await server.serve(request.clone(), SENT)).status, 403);
  assertEquals(done, 20);
});

Deno.test("Asking: what is asked of others does not count", async () => {
  await using two = twoAsking({ act: () => true });
  const other = { ...two.member, run: "other" };
  for (const to of [other, other, two.member]) await refused(two.ask("act", {}, 5000, to));
  const heads = two.requests.map(({ headers }) => headers.get("gong-node")!.split(" "));
  assertEquals(heads.map(([, to, count]) => [to, count]), [["other", "1"], ["other", "2"], ["server", "1"]]);
});

Deno.test("Asking: a body that is too large is refused, and nothing of it is kept", async () => {
  await using two = twoAsking({ take: (payload) => (payload as { data: string }).data.length });
  assertEquals(await two.ask("take", { data: "x".repeat(20 << 20) }, 60_000), 20 << 20);
  assertEquals(await refused(two.ask("take", { data: "x".repeat(33 << 20) }, 60_000)), "overloaded");
  assertEquals(two.counts.at(-1), "rejected");
});

Deno.test("Asking: what many ask together is bounded, and what is small gets through", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const came = Promise.withResolvers<void>();
  const hold = () => {
    came.resolve();
    return promise;
  };
  await using two = twoAsking({ hold, echo: (payload) => payload }, { budget: 100_000 });
  const large = "x".repeat(70_000);
  const held = two.ask("hold", large);
  await came.promise;
  assertEquals(await refused(two.ask("echo", large)), "overloaded");
  assertEquals(await two.ask("echo", "small"), "small");
  assertEquals(two.counts, ["refused", "answered"]);
  resolve();
  await held;
  assertEquals(await two.ask("echo", large), large);
});

Deno.test("Asking: nothing is read of what says nothing of who it is, nor more than a node may answer", async () => {
  const client = new Asking({
    ...{ secret: SECRET, run: "client", methods: {}, maxBody: 1 << 20 },
    ...{ onFault: () => {}, onAsked: () => {} },
  });
  for (const headers of [{}, { "gong-code": "x" }]) {
    const ended = Promise.withResolvers<void>();
    const endless = () => {
      const pull = (controller: ReadableStreamDefaultController) => controller.enqueue(new Uint8Array(65_536));
      return new Response(new ReadableStream({ pull, cancel: () => ended.resolve() }), { headers });
    };
    await using other = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, endless);
    const member = { node: 1, version: "1", run: "server", address: `http://127.0.0.1:${other.addr.port}` };
    const { signal } = new AbortController();
    assertEquals(await refused(client.ask(member, "act", {}, signal)), "overloaded");
    await ended.promise;
  }
});

Deno.test("Asking: an answer that does not come in time is a refusal", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using two = twoAsking({ wait: () => promise });
  assertEquals(await refused(two.ask("wait", {}, 50)), "overloaded");
  resolve();
});
