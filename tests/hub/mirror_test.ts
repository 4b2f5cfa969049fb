import { setImmediate } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import type { Batch, Taken } from "../../lib/cluster/changes.ts";
import { GongError } from "../../lib/errors.ts";
import { Mirror } from "../../lib/hub/mirror.ts";
import { beforeEdgesOf } from "../../lib/methods.ts";
import { Roster } from "../../lib/hub/roster.ts";
import type { Draft, PresencePage, PublishResult } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";

/** Timers that fire when they are told to. */
class Clock {
  now = 1_700_000_000_000;
  readonly #due = new Set<{ at: number; callback: () => void }>();

  readonly timer = (wait: number, callback: () => void): () => void => {
    const entry = { at: this.now + wait, callback };
    this.#due.add(entry);
    return () => this.#due.delete(entry);
  };

  /** Lets so many milliseconds pass, and everything that comes of it. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await setImmediate();
      const next = [...this.#due].sort((one, other) => one.at - other.at)[0];
      if (!next || next.at > end) break;
      this.now = Math.max(this.now, next.at);
      this.#due.delete(next);
      next.callback();
    }
    this.now = end;
  }
}

/** A node: a roster and its mirror, and a way to the others that loses what it is told to lose. */
class Node {
  readonly roster: Roster;
  readonly mirror: Mirror;
  readonly published: Draft[] = [];

  constructor(readonly number: number, readonly net: Net) {
    this.roster = new Roster({
      ...{ maxConnections: 10_000, maxPerAddress: 10_000, authFailures: 3, bytes: 100_000, period: 0 },
      nameOf: (channel) => channel.startsWith("told") ? `$presence/${channel}` : undefined,
      publish: (draft) => Promise.resolve(net.publish(draft, number)),
      onChange: (change) => this.mirror.changed(change),
      now: () => net.clock.now,
    });
    this.mirror = new Mirror({
      peers: { node: number, request: (node, _method, batch) => net.carry(node, batch as never) as never },
      all: () => this.roster.all(),
      onForgotten: () => this.roster.returned(),
      timer: net.clock.timer,
    });
  }
}

class Net {
  readonly clock = new Clock();
  readonly nodes = new Map<number, Node>();
  readonly published: Draft[] = [];
  /** How many in a hundred requests are lost, and how many answers. */
  losses = 0;
  random = seeded(1);
  /** The node that nobody takes a publication of. */
  mute = 0;
  batches = 0;
  /** What happens as a batch is on its way. */
  meanwhile: (batch: Batch) => void = () => {};
  #made = 0;

  add(): Node {
    const node = new Node(++this.#made, this);
    for (const other of this.nodes.values()) {
      other.mirror.joined(node.number);
      node.mirror.joined(other.number);
    }
    this.nodes.set(node.number, node);
    return node;
  }

  /** The node is killed: the others notice. */
  kill(node: Node): void {
    this.nodes.delete(node.number);
    node.mirror.close();
    node.roster.close();
    for (const other of this.nodes.values()) {
      other.mirror.gone(node.number);
      other.roster.releaseNode(node.number);
    }
  }

  async carry(node: number, batch: Batch): Promise<Taken> {
    await Promise.resolve();
    this.batches++;
    this.meanwhile(batch);
    const target = this.nodes.get(node);
    const take = () => !!target && this.nodes.has(batch.node) && target.roster.elsewhere.take(structuredClone(batch));
    if (!target || this.random.int(100) < this.losses) {
      // What is given up may arrive all the same, late.
      if (this.random.int(2) === 0) this.clock.timer(this.random.int(2000), take);
      throw new GongError("overloaded");
    }
    const isTaken = take();
    if (this.random.int(100) < this.losses) throw new GongError("overloaded");
    return isTaken;
  }

  /** As a broker takes ids. */
  publish(draft: Draft, node: number): PublishResult {
    if (node === this.mute) return { error: new GongError("overloaded").toRefusal() };
    if (draft.id !== undefined && this.published.some(({ id }) => id === draft.id)) {
      return { error: new GongError("conflict").toRefusal() };
    }
    this.published.push(draft);
    return { epoch: "e", offset: this.published.length };
  }

  /** Has all nodes publish now who has come and gone. */
  async flush(): Promise<void> {
    for (const { roster } of this.nodes.values()) await roster.flush();
  }

  close(): void {
    for (const node of this.nodes.values()) {
      node.mirror.close();
      node.roster.close();
    }
  }
}

function answersOf({ roster }: Node): unknown {
  const pages = ["a", "told"].map((channel): PresencePage => roster.presence.page(channel, { limit: 1000 }));
  const { users, total } = roster.users.page({ limit: 1000 });
  // In which order they became the user's, and whose info is the newest, each node knows as it heard of it.
  const sorted = users.map(({ user, sessions, count }) => ({ user, count, sessions: [...sessions].sort() }));
  return { pages, users: sorted, total, size: roster.users.size };
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`Mirror: all nodes answer the same, and the truth, whatever is lost and whoever dies (seed ${seed})`, async () => {
    const net = new Net();
    net.random = seeded(seed);
    const { int } = seeded(seed + 100);
    /** Who is there: node, and what it is. */
    const truth = new Map<string, { node: Node; user?: string; channels: Set<string> }>();
    for (let n = 0; n < 3; n++) net.add();
    let made = 0;
    for (let round = 0; round < 40; round++) {
      net.losses = round % 2 === 0 ? 30 : 0;
      for (let step = 0; step < 30; step++) {
        const nodes = [...net.nodes.values()];
        const node = nodes[int(nodes.length)]!;
        const own = [...truth].filter(([, { node: one }]) => one === node);
        const [id, known] = own[int(own.length)] ?? [];
        const dice = int(100);
        if (dice < 35) {
          const session = `${node.number}-${++made}`;
          const user = int(3) === 0 ? undefined : `u${int(6)}`;
          node.roster.admit(1, { id: session, address: "::1", ...user === undefined ? {} : { user } });
          truth.set(session, { node, channels: new Set(), ...user === undefined ? {} : { user } });
        } else if (!known || id === undefined) continue;
        else if (dice < 65) {
          const channel = ["a", "told"][int(2)]!;
          const isThere = int(3) > 0;
          node.roster.present(1, { session: id, channel, isThere });
          if (isThere) known.channels.add(channel);
          else known.channels.delete(channel);
        } else if (dice < 75) {
          known.user = `u${int(6)}`;
          node.roster.identify(1, { id, user: known.user, info: `${int(3)}` });
        } else if (dice < 97) {
          node.roster.release(1, id);
          truth.delete(id);
        } else if (dice < 98) {
          // It was taken for gone, by some or all, and was only slow.
          for (const other of nodes) if (other !== node && int(3) > 0) other.roster.releaseNode(node.number);
          node.mirror.returned();
        } else if (dice === 98 && nodes.length > 2) {
          net.kill(node);
          for (const [id, { node: one }] of truth) if (one === node) truth.delete(id);
        } else if (nodes.length < 4) net.add();
        if (int(4) === 0) await net.clock.pass(int(200));
      }
      net.losses = 0;
      await net.clock.pass(20_000);
      const [first, ...others] = [...net.nodes.values()];
      for (const other of others) assertEquals(answersOf(other), answersOf(first!), `round ${round}`);
      for (const channel of ["a", "told"]) {
        const there = [...truth].filter(([, { channels }]) => channels.has(channel));
        const { count, users, present } = first!.roster.presence.page(channel, { limit: 1000 });
        assertEquals(present.map(({ session }) => session).sort(), there.map(([id]) => id).sort());
        assertEquals([count, users], [there.length, new Set(there.flatMap(([, { user }]) => user ?? [])).size]);
      }
      const users = Map.groupBy([...truth].filter(([, { user }]) => user !== undefined), ([, { user }]) => user!);
      assertEquals(first!.roster.users.size, users.size);
      for (const [user, sessions] of users) {
        const ids = sessions.map(([id]) => id).sort();
        assertEquals([...first!.roster.users.sessionsOf(user)].sort(), ids);
      }
    }
    net.close();
  });
}

Deno.test("Mirror: who leaves with a node is told of once, and who was only slow is told of again", async () => {
  const net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  for (const [node, id] of [[one, "1-a"], [one, "1-b"], [two, "2-a"]] as const) {
    node!.roster.admit(1, { id, address: "::1" });
    node!.roster.present(1, { session: id, channel: "told", isThere: true });
  }
  await net.clock.pass(1000);
  await net.flush();
  const told = () => net.published.map(({ data }) => JSON.parse(String(data)));
  const names = (entries: { session: string }[]) => entries.map(({ session }) => session).sort();
  assertEquals(names(told().flatMap(({ joined }) => joined)), ["1-a", "1-b", "2-a"]);
  net.published.length = 0;
  net.kill(one!);
  await net.clock.pass(1000);
  assertEquals(told().map(({ left, count }) => [names(left), count]), [[["1-a", "1-b"], 1]], "by one of two");
  net.published.length = 0;
  three!.roster.releaseNode(two!.number);
  two!.mirror.returned();
  await net.clock.pass(1000);
  await net.flush();
  assertEquals(told().map(({ left, joined }) => [names(left), names(joined)]), [[["2-a"], []], [[], ["2-a"]]]);
  net.published.length = 1;
  net.kill(two!);
  assertEquals(told().map(({ left }) => names(left)), [["2-a"], ["2-a"]], "the second time is another time");
  net.close();
});

for (
  const [title, happens, times] of [
    ["was taken for gone by nobody says nothing of that", "nothing", 0],
    ["was taken for gone by one of two says once more who is there", "one", 1],
    ["was taken for gone by both says it once too", "both", 1],
    ["was taken for gone, and comes back twice before anybody knows it, says it too", "again", 1],
    ["was taken for gone by one that is gone itself, perhaps, says it too", "unknown", 1],
  ] as const
) {
  Deno.test(`Mirror: a node that ${title}`, async () => {
    const net = new Net();
    const [one, two, three] = [net.add(), net.add(), net.add()];
    one!.roster.admit(1, { id: "1-a", address: "::1" });
    one!.roster.present(1, { session: "1-a", channel: "told", isThere: true });
    await net.clock.pass(1000);
    await one!.roster.flush();
    net.published.length = 0;
    // What is answered to the first batch is lost: that it was taken anew has to be said again.
    const lost = new Set<number>();
    const carry = net.carry.bind(net);
    net.carry = async (node, batch) => {
      const taken = await carry(node, batch);
      // One has it sooner than the other.
      if (node === three!.number) await new Promise<void>((resolve) => net.clock.timer(1000, resolve));
      if (batch.begins && !lost.has(node)) {
        lost.add(node);
        throw new GongError("overloaded");
      }
      return taken;
    };
    if (["one", "both", "again"].includes(happens)) two!.roster.releaseNode(one!.number);
    if (happens === "both") three!.roster.releaseNode(one!.number);
    one!.mirror.returned();
    if (happens === "again") {
      await net.clock.pass(0);
      one!.mirror.returned();
    }
    if (happens === "unknown") net.kill(two!);
    for (let n = 0; n < 20; n++) {
      await net.clock.pass(500);
      await one!.roster.flush();
    }
    const joined = net.published.flatMap(({ data }) => JSON.parse(String(data)).joined);
    assertEquals(joined.map(({ session }) => session), times === 1 ? ["1-a"] : []);
    assertEquals(answersOf(three!), answersOf(one!));
    net.close();
  });
}

for (const isMute of [false, true]) {
  const title = isMute ? "and had not said so any more is told of by the others" : "and had said so is told of no more";
  Deno.test(`Mirror: whoever has left shortly before the node was killed ${title}`, async () => {
    const net = new Net();
    const [one, two] = [net.add(), net.add()];
    const left = () => net.published.flatMap(({ data }) => JSON.parse(String(data)).left);
    for (const session of ["1-a", "1-b", "1-c", "1-d"]) {
      one!.roster.admit(1, { id: session, address: "::1" });
      one!.roster.present(1, { session, channel: "told", isThere: true });
    }
    await net.clock.pass(1000);
    await one!.roster.flush();
    net.mute = isMute ? one!.number : 0;
    one!.roster.release(1, "1-a");
    one!.roster.present(1, { session: "1-b", channel: "told", isThere: false });
    // This one comes back, and that has to be known too.
    for (const isThere of [false, true]) one!.roster.present(1, { session: "1-c", channel: "told", isThere });
    // Nobody has heard of this one, and nobody has to.
    one!.roster.admit(1, { id: "1-e", address: "::1" });
    for (const isThere of [true, false]) one!.roster.present(1, { session: "1-e", channel: "told", isThere });
    await one!.roster.flush();
    await net.clock.pass(1000);
    assertEquals(left().length, isMute ? 0 : 2);
    net.mute = 0;
    net.kill(one!);
    await net.clock.pass(1000);
    assertEquals(left().map(({ session }) => session).sort(), ["1-a", "1-b", "1-c", "1-d"]);
    assertEquals(two!.roster.presence.size, 0);
    net.close();
  });
}

Deno.test("Mirror: a batch that comes late, when it was repeated and is history, changes nothing", async () => {
  const net = new Net();
  const batches: Batch[] = [];
  net.meanwhile = (batch) => batches.push(batch);
  const [one, two] = [net.add(), net.add()];
  one!.roster.admit(1, { id: "1-a", address: "::1", user: "a" });
  await net.clock.pass(1000);
  one!.roster.release(1, "1-a");
  one!.roster.admit(1, { id: "1-b", address: "::1", user: "b" });
  await net.clock.pass(1000);
  for (const batch of batches.filter(({ node }) => node === one!.number)) {
    assert(two!.roster.elsewhere.take(batch) !== false);
    assertEquals(answersOf(two!), answersOf(one!));
  }
  // Nor does the number begin anew for a node that was taken for gone without reason.
  one!.mirror.joined(two!.number);
  one!.roster.release(1, "1-b");
  await net.clock.pass(1000);
  assertEquals(answersOf(two!), answersOf(one!));
  net.close();
});

Deno.test("Mirror: a session that moves to another edge while all there is is told is not left out", async () => {
  const net = new Net();
  const one = net.add();
  for (const edge of [1, 2]) {
    for (let n = 0; n < 1500; n++) one.roster.admit(edge, { id: `${edge}-${n}`, address: "::1", user: `${edge}-${n}` });
  }
  // As soon as those of the first edge have been told, the last one of the second goes there.
  net.meanwhile = ({ changes }) => {
    if (changes.some(([, id]) => id === "2-0")) one.roster.move(2, 1, "2-1499");
  };
  const two = net.add();
  await net.clock.pass(1000);
  assertEquals(two.roster.users.size, 3000);
  assertEquals(two.roster.users.sessionsOf("2-1499"), ["2-1499"]);
  net.close();
});

Deno.test("Mirror: flush() resolves when the others know everything, or do not answer", async () => {
  const net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  await net.clock.pass(1000);
  for (let n = 0; n < 2500; n++) one!.roster.admit(1, { id: `1-${n}`, address: "::1", user: `${n}` });
  const begun = net.clock.now;
  let flushed = Infinity;
  void one!.mirror.flush(1000).then(() => flushed = net.clock.now);
  await net.clock.pass(0);
  assertEquals(
    [flushed, two!.roster.users.size, three!.roster.users.size],
    [begun, 2500, 2500],
    "nothing is waited for",
  );
  // One is silent, and nobody has noticed yet.
  net.nodes.delete(three!.number);
  one!.roster.release(1, "1-0");
  flushed = Infinity;
  void one!.mirror.flush(1000).then(() => flushed = net.clock.now);
  await net.clock.pass(5000);
  assertEquals([flushed, two!.roster.users.size], [begun + 1000, 2499]);
  net.close();
  three!.mirror.close();
});

Deno.test("Mirror: sessions of nobody that are nowhere are not told of, and a quiet cluster says little", async () => {
  const net = new Net();
  const [one, two] = [net.add(), net.add()];
  await net.clock.pass(1000);
  const before = net.batches;
  for (let n = 0; n < 500; n++) one!.roster.admit(1, { id: `1-${n}`, address: "::1" });
  await net.clock.pass(1000);
  for (let n = 0; n < 500; n++) one!.roster.release(1, `1-${n}`);
  await net.clock.pass(1000);
  assertEquals(net.batches, before);
  await net.clock.pass(60_000);
  assertEquals(net.batches - before <= 2 * 13, true, `${net.batches - before}`);
  assertEquals(answersOf(two!), answersOf(one!));
  net.close();
});

Deno.test("Mirror: all nodes know where a session is that is not where its id was made, and when it is no more", async () => {
  const net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const [home, away] = [beforeEdgesOf(1) + 1, beforeEdgesOf(2) + 1];
  const id = `${home.toString(36)}-a`;
  const known = () => [one, two, three].map(({ roster }) => roster.elsewhere.nodeOf(id));
  two.roster.admit(away, { id: "new", address: "::a" });
  two.roster.rename(away, two.roster.guard.get(away, "new")!, id);
  await net.clock.pass(1000);
  assertEquals(known(), [2, undefined, 2]);
  // Who comes later is told too.
  const four = net.add();
  await net.clock.pass(1000);
  assertEquals(four.roster.elsewhere.nodeOf(id), 2);
  // On the next node before the last one has told that it is gone.
  three.roster.admit(beforeEdgesOf(3) + 1, { id: "newer", address: "::a" });
  three.roster.rename(beforeEdgesOf(3) + 1, three.roster.guard.get(beforeEdgesOf(3) + 1, "newer")!, id);
  await net.clock.pass(1000);
  two.roster.release(away, id);
  await net.clock.pass(1000);
  assertEquals([...known(), four.roster.elsewhere.nodeOf(id)], [3, 3, undefined, 3]);
  net.kill(three);
  await net.clock.pass(1000);
  assertEquals(known().slice(0, 2), [undefined, undefined]);
  // Where its id was made nobody has to be told of it.
  one.roster.admit(home, { id: "newest", address: "::a" });
  one.roster.rename(home, one.roster.guard.get(home, "newest")!, id);
  await net.clock.pass(1000);
  assertEquals([two.roster.elsewhere.nodeOf(id), four.roster.elsewhere.nodeOf(id)], [undefined, undefined]);
  net.close();
});

Deno.test("Mirror: a node that tells late that a session came and went does not hide where it is by then", () => {
  const net = new Net();
  const [one, two, three] = [net.add(), net.add(), net.add()];
  const { elsewhere } = three.roster;
  const tell = (node: Node, sequence: number, changes: Batch["changes"]) => {
    const all = sequence === 1 ? { begins: true, ends: true } as const : {};
    assert(elsewhere.take({ node: node.number, run: `${node.number}`, sequence, changes, ...all }) !== false);
  };
  tell(one, 1, []);
  tell(two, 1, [["here", "9-a"]]);
  tell(one, 2, [["here", "9-a"], ["gone", "9-a"]]);
  assertEquals(elsewhere.nodeOf("9-a"), two.number);
  tell(two, 2, [["gone", "9-a"]]);
  assertEquals(elsewhere.nodeOf("9-a"), undefined);
  net.close();
});
