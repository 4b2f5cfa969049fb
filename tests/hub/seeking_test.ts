import { assert, assertEquals, assertRejects } from "@std/assert";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { type NodeMethods, type Peers } from "../../lib/cluster/peers.ts";
import { GongError } from "../../lib/errors.ts";
import { Guard } from "../../lib/hub/guard.ts";
import { Places } from "../../lib/hub/places.ts";
import { Recoveries } from "../../lib/hub/recoveries.ts";
import { Returns } from "../../lib/hub/returns.ts";
import { Seeking } from "../../lib/hub/seeking.ts";
import { beforeEdgesOf } from "../../lib/methods.ts";
import { Metrics } from "../../lib/metrics.ts";
import { Turn } from "../../lib/turn.ts";
import type { Keepsake, Recovery } from "../../lib/types.ts";
import { NotedLog } from "../support/stage.ts";
import { until } from "../support/until.ts";

type Surrender = Parameters<NodeMethods["surrender"]>[0];

/** Nodes that ask each other, each answer as late as a test wants. */
class Net implements AsyncDisposable {
  readonly nodes = new Map<number, Node>();
  readonly left = new Map<string, string>();
  /** Who asked whom. */
  readonly asked: string[] = [];
  /** What an answer waits for. */
  delay: (from: number, to: number) => Promise<void> | undefined = () => undefined;
  /** What a request waits for. */
  onItsWay: () => Promise<void> | undefined = () => undefined;
  /** Words that something has come which do not come themselves. */
  lostThanks = 0;
  /** Whether what was left cannot be had. */
  isBrokerAway = false;

  add(): Node {
    const node = new Node(this, this.nodes.size + 1);
    this.nodes.set(node.number, node);
    return node;
  }

  async carry(from: number, to: number, order: Surrender | string): Promise<unknown> {
    if (typeof order === "string") {
      if (this.lostThanks-- > 0) throw new GongError("overloaded");
      return this.nodes.get(to)?.seeking.received(order);
    }
    this.asked.push(`${from} ${to}`);
    await this.onItsWay();
    const answer = await this.nodes.get(to)?.returns.surrender(order);
    await this.delay(from, to);
    if (!this.nodes.has(to)) throw new GongError("not_found");
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes.values()) await node.close();
  }
}

class Node {
  readonly edge: number;
  readonly guard = new Guard({ maxConnections: 100, maxPerAddress: 100, authFailures: 3 });
  readonly places = new Places();
  readonly recoveries: Recoveries;
  readonly returns: Returns;
  readonly seeking: Seeking;
  readonly #broker = createMemoryBroker(() => {});
  readonly #net: Net;
  #made = 0;

  constructor(net: Net, readonly number: number) {
    this.#net = net;
    this.edge = beforeEdgesOf(number) + 1;
    const { guard, places } = this;
    const peers: Pick<Peers, "node" | "others" | "request"> = {
      node: number,
      get others() {
        return [...net.nodes.keys()].filter((other) => other !== number);
      },
      request: (to, _method, order) => net.carry(number, to, order as Surrender | string) as never,
    };
    const recoveries = this.recoveries = new Recoveries({
      ...{ broker: this.#broker, log: new NotedLog(), turn: new Turn(), seconds: 60, most: 100 },
      keepsakes: {
        keep: (all: readonly Keepsake[]) => Promise.resolve(all.forEach(({ key, value }) => net.left.set(key, value))),
        take: (key) => {
          if (net.isBrokerAway) return Promise.reject(new GongError("overloaded"));
          const value = net.left.get(key);
          net.left.delete(key);
          return Promise.resolve(value);
        },
      },
      isThere: (session) => guard.get(places.edgeOf(session), session) !== undefined,
    });
    const seeking = this.seeking = new Seeking({
      recoveries,
      peers,
      metrics: new Metrics({ isolate: "hub" }),
      wait: 1,
    });
    this.returns = new Returns({
      ...{ recoveries, guard, places, seeking },
      rename: (edge, session, id) => guard.rename(edge, session, id),
      isElsewhere: () => false,
      supersede: (session) => Promise.resolve(this.end(session)),
    });
  }

  /** A new session. */
  admit(): string {
    const id = `${this.edge.toString(36)}-${++this.#made}`;
    this.guard.admit(this.edge, id, "::a");
    return id;
  }

  end(session: string): boolean {
    const isThere = this.guard.release(this.places.edgeOf(session), session) !== undefined;
    this.places.forget(session);
    this.recoveries.left(session);
    return isThere;
  }

  async remember(pid: string, session: string, state: string): Promise<void> {
    await this.returns.remember(this.edge, { pid, session, state });
  }

  /** Somebody comes back. */
  recall(pid: string, maker: Node, session = this.admit()) {
    return this.returns.recall(this.edge, { pid, session, adopt: true, maker: maker.edge });
  }

  async close(): Promise<void> {
    await this.recoveries.close();
    await this.#broker.close();
    this.#net.nodes.delete(this.number);
  }
}

/** With what it is refused. */
async function codeOf(recall: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => recall, GongError)).code;
}

Deno.test("Seeking follows what was given from node to node, and asks no others where that is known", async () => {
  await using net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  one.end(first);
  for (const node of [two, three, two, one]) {
    assertEquals(await node.recall("pid", one), { state: "state", session: first });
    assert(node.guard.get(node.edge, first), "it is there by that id");
  }
  assertEquals(net.asked, ["2 1", "3 1", "3 2", "2 3", "1 2"]);
  // The last one has it, and nobody else.
  assertEquals([one, two, three].map(({ recoveries: { size } }) => size), [1, 0, 0]);
  assertEquals(two.guard.get(two.edge, first), undefined);
});

Deno.test("Seeking waits for what is on its way to another node, which then gives it on: nobody has it twice", async () => {
  await using net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  one.end(first);
  const late = Promise.withResolvers<void>();
  net.delay = (from, to) => from === 2 && to === 1 ? late.promise : undefined;
  const before = two.recall("pid", one);
  await until(() => net.asked.length > 0);
  const after = three.recall("pid", one);
  await until(() => net.asked.includes("3 2"));
  late.resolve();
  const found = [await before, await after];
  assertEquals(found[1], { state: "state", session: first });
  // It may have been there for a moment.
  assert(found[0] === undefined || two.guard.get(two.edge, first) === undefined);
  assertEquals([one, two, three].map(({ recoveries: { size } }) => size), [0, 0, 1]);
});

Deno.test("Seeking finds what a node has left that has ended, and what was on its way to that one", async () => {
  await using net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  one.end(first);
  await one.close();
  assertEquals(await two.recall("pid", one), { state: "state", session: first });
  two.end(first);
  // The third one ends as it gets it.
  const late = Promise.withResolvers<void>();
  net.delay = (from, to) => from === 3 && to === 2 ? late.promise : undefined;
  const lost: Promise<unknown> = three.recall("pid", one).catch((error) => error.code);
  while (!net.asked.includes("3 2")) await new Promise((resolve) => setTimeout(resolve, 1));
  const closing = three.close();
  late.resolve();
  await closing;
  assertEquals(await lost, "going_away");
  assertEquals(await two.recall("pid", one), { state: "state", session: first });
});

Deno.test("Seeking gets again what did not come, and nobody else does; what has come it gets no more", async () => {
  await using net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  one.end(first);
  // Given, and lost on its way.
  let losses = 1;
  net.delay = () => losses-- > 0 ? Promise.reject(new GongError("overloaded")) : undefined;
  assertEquals(await two.recall("pid", one), { state: "state", session: first });
  assertEquals(net.asked, ["2 1", "2 1"]);
  two.recoveries.forget("pid");
  assertEquals(await two.recall("pid", one), undefined, "it is known to have come");
  // All is lost.
  const second = one.admit();
  await one.remember("other", second, "state");
  one.end(second);
  losses = Infinity;
  assertEquals(await codeOf(two.recall("other", one)), "overloaded");
  losses = 0;
  assertEquals(await three.recall("other", one), undefined);
  assertEquals(await two.recall("other", one), { state: "state", session: second });
});

Deno.test("Seeking looks once for what two ask at one node, and the later one has it", async () => {
  await using net = new Net();
  const [one, two] = [net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  const sessions = [two.admit(), two.admit()];
  const found = await Promise.all(sessions.map((session) => two.recall("pid", one, session)));
  assertEquals(found, [{ state: "state", session: first }, { state: "state", session: first }]);
  assertEquals(net.asked, ["2 1"]);
  assertEquals([...two.guard.sessions()].length, 1, "the other one was ended");
  const unknown: Recovery[] = await Promise.all([two.recall("other", one), two.recall("other", two)]) as never;
  assertEquals(unknown, [undefined, undefined] as never);
});

Deno.test("Seeking does not wait for a node that stands still where another one has it", async () => {
  await using net = new Net();
  const [one, two, three, four] = [net.add(), net.add(), net.add(), net.add()];
  const first = three.admit();
  await three.remember("pid", first, "state");
  const never = Promise.withResolvers<void>();
  net.delay = (_from, to) => to === four.number ? never.promise : undefined;
  assertEquals(await two.recall("pid", one), { state: "state", session: first });
  never.resolve();
});

Deno.test("Seeking has a client come again while the maker or the broker says nothing, and asks nobody anew", async () => {
  await using net = new Net();
  const [one, two] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  const aborted = new GongError("overloaded", undefined, { cause: new DOMException("", "AbortError") });
  net.delay = (_from, to) => to === 1 ? Promise.reject(aborted) : undefined;
  assertEquals(await codeOf(two.recall("pid", one)), "overloaded");
  assertEquals(net.asked, ["2 1", "2 1", "2 3"]);
  net.delay = () => undefined;
  assertEquals(await two.recall("pid", one), { state: "state", session: first });
  net.isBrokerAway = true;
  assertEquals(await codeOf(two.recall("unknown", one)), "overloaded");
  net.isBrokerAway = false;
  assertEquals(await two.recall("unknown", one), undefined);
  // Where nothing listens any more nothing is to be had.
  const refused = new GongError("overloaded", undefined, { cause: new TypeError("Connection refused") });
  net.delay = (_from, to) => to === 1 ? Promise.reject(refused) : undefined;
  assertEquals(await two.recall("unknown", one), undefined);
});

Deno.test("Seeking leaves room for the clients of other addresses", async () => {
  await using net = new Net();
  const [one, two] = [net.add(), net.add()];
  const late = Promise.withResolvers<void>();
  net.delay = () => late.promise;
  const seek = (pid: number, address: string) => {
    return two.seeking.seek({ pid: String(pid), session: "s", address, maker: one.edge });
  };
  const searches = Array.from({ length: 250 }, (_, n) => seek(n, "::a"));
  assertEquals(await codeOf(seek(250, "::a")), "overloaded");
  searches.push(seek(250, "::b"));
  late.resolve();
  await Promise.all(searches);
  assertEquals(await seek(251, "::a"), undefined);
});

Deno.test("Seeking says that something has come until that is heard, and never gets it from where it was before", async () => {
  await using net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "old");
  net.lostThanks = 3;
  await two.recall("pid", one);
  const order = { pid: "pid", session: "s", node: 2 };
  assert(one.seeking.unreceived(order));
  await until(() => one.seeking.unreceived(order) === undefined);
  // It goes on before that is heard.
  const second = one.admit();
  await one.remember("other", second, "old");
  net.lostThanks = Infinity;
  await two.recall("other", one);
  await three.recall("other", one);
  await three.remember("other", second, "new");
  assertEquals(await two.recall("other", one), { state: "new", session: second });
});

Deno.test("Seeking ends where two nodes look for the same at each other, and one of them has it", async () => {
  await using net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  two.seeking.gave("pid", 3, { session: first, state: "old" });
  two.seeking.received("pid");
  three.seeking.gave("pid", 2, { session: first, state: "state" });
  net.onItsWay = () => until(() => net.asked.length >= 2);
  const found = await Promise.all([two.recall("pid", one), three.recall("pid", one)]);
  assert(found.some((recovery) => recovery?.state === "state"), JSON.stringify(found));
  assertEquals([two, three].reduce((sum, { recoveries: { size } }) => sum + size, 0), 1);
});

Deno.test("Seeking has a client come again while that is still on its way which another node was given", async () => {
  await using net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  const late = Promise.withResolvers<void>();
  net.delay = (from) => from === 2 ? late.promise : undefined;
  const before = two.recall("pid", one);
  await until(() => net.asked.includes("2 1"));
  assertEquals(await codeOf(three.recall("pid", one)), "overloaded");
  late.resolve();
  assertEquals(await before, { state: "state", session: first });
  assertEquals(await three.recall("pid", one), { state: "state", session: first });
});

Deno.test("Returns.remember() is refused where another node has taken it since it was recalled", async () => {
  await using net = new Net();
  const [one, two] = [net.add(), net.add()];
  const first = one.admit();
  await one.remember("pid", first, "state");
  const busy = one.admit();
  const order = { pid: "pid", session: busy, adopt: false, maker: one.edge };
  assertEquals(await one.returns.recall(one.edge, order), { state: "state", session: busy });
  assertEquals(await two.recall("pid", one), { state: "state", session: first });
  assertEquals(await codeOf(one.remember("pid", busy, "stale")), "not_found");
  assertEquals([one.recoveries.size, two.recoveries.size], [0, 1]);
});
