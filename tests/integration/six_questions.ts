/**
 * What one wants of a push server, asked by clients over real WebSockets.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Commander, type Line } from "../support/commands.ts";
import type { Gong } from "../support/gong.ts";
import { until } from "../support/until.ts";

/** Servers that are asked. */
export interface Asked extends AsyncDisposable {
  readonly nodes: readonly Gong[];
  /** Isolates of all of them. */
  readonly edges: number;
}

/** Registers the six questions: clients and back-ends come to one node after the other. */
export function sixQuestions(
  where: string,
  start: (args: readonly string[]) => Promise<Asked>,
  needs: { readonly ignore?: boolean } = {},
): void {
  let nodes: readonly Gong[];
  let edges: number;
  let asked: Asked | undefined;
  let came = 0;
  Deno.test.beforeAll(async () => {
    if (needs.ignore) return;
    asked = await start(["--rule", "room:* presence=on"]);
    ({ nodes, edges } = asked);
  });
  Deno.test.afterAll(async () => await asked?.[Symbol.asyncDispose]());

  const next = () => nodes[came++ % nodes.length]!;
  const test = (title: string, run: () => Promise<void>) =>
    Deno.test({ ...needs, name: `${where}: ${title}`, fn: run });

  /** Waits until every node knows of so many sessions of the user. */
  async function untilAlike(user: string, count: number): Promise<void> {
    for (const node of nodes) {
      let last: unknown;
      await until(async () => {
        const response = await fetch(`${node.url}/api/users?prefix=${user}`);
        last = await response.json();
        return (last as { users: { count: number }[] }).users[0]?.count === count;
      }, () => JSON.stringify(last));
    }
  }

  /** Clients of which at least one is on each isolate. */
  async function openBoth(stack: AsyncDisposableStack, count: number, query = ""): Promise<Commander[]> {
    const open = async () => stack.use(await Commander.open(next(), query));
    const clients = await Promise.all(Array.from({ length: count }, open));
    while (new Set(clients.map(({ edge }) => edge)).size < edges) clients.push(await open());
    return clients;
  }

  async function api(path: string, body?: unknown): Promise<Line> {
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`${next().url}${path}`, body === undefined ? {} : post);
    const answer = await response.json();
    assertEquals(response.status, 200, JSON.stringify(answer));
    return answer;
  }

  /** That nothing came of what nobody has asked for. */
  function assertNothing(clients: readonly Commander[]): void {
    assertEquals(clients.flatMap(({ left }) => left), []);
  }

  test("one: how to reply to one client that has said something", async () => {
    await using stack = new AsyncDisposableStack();
    const [customer, ...others] = await openBoth(stack, 6, "channel=orders");
    const [server] = others;
    const { ok } = await customer!.command({ publish: { channel: "orders", data: { tea: 2 } } });
    const order = await server!.publication();
    assertEquals([order.offset, order.from, order.data], [ok.offset, customer!.session, { tea: 2 }]);
    const reply = { sessions: [order.from], data: { order: order.offset, ready: true } };
    assertEquals(await server!.command({ send: reply }), { ok: { reached: 1 } });
    const signal = await customer!.ofType("signal");
    assertEquals(signal, { type: "signal", data: reply.data, from: server!.session });
    // The back-end does so too.
    assertEquals(await api("/api/publish", { sessions: [order.from], data: "from the back-end" }), { reached: 1 });
    assertEquals((await customer!.ofType("signal")).data, "from the back-end");
    for (const client of [customer!, ...others.slice(1)]) await client.publication();
    assertNothing([customer!, ...others]);
  });

  test("two: how to push to all", async () => {
    await using stack = new AsyncDisposableStack();
    const clients = await openBoth(stack, 8, "channel=broadcast");
    const { positions } = await api("/api/publish", { channel: "broadcast", data: "hear, hear" });
    for (const client of clients) {
      const { offset, data } = await client.publication();
      assertEquals([offset, data], [positions[0].offset, "hear, hear"]);
    }
    // To everybody who is connected, whatever they listen to.
    const silent = await openBoth(stack, 4);
    const { reached } = await api("/api/publish", { sessions: "all", data: "we close at five" });
    assert(reached >= clients.length + silent.length, `${reached}`);
    for (const client of [...clients, ...silent]) {
      assertEquals((await client.ofType("signal")).data, "we close at five");
    }
    assertNothing([...clients, ...silent]);
  });

  test("three: how many are online, and who", async () => {
    await using stack = new AsyncDisposableStack();
    const room = "room:online";
    const [watcher] = await openBoth(stack, 2);
    const ann = [...await openBoth(stack, 2, `channel=${room}&user=ann`)];
    const bob = stack.use(await Commander.open(next(), `channel=${room}&user=bob`));
    const guest = stack.use(await Commander.open(next(), `channel=${room}`));
    const expected = ann.length + 2;
    const presence = async () => (await watcher!.command({ presence: { channel: room } })).ok;
    await until(async () => (await presence()).count === expected, async () => JSON.stringify(await presence()));
    const { users, present } = await presence();
    assertEquals(users, 2);
    const who = present.map(({ session, user }: Line) => `${session} ${user}`).sort();
    assertEquals(
      who,
      [...ann.map(({ session }) => `${session} ann`), `${bob.session} bob`, `${guest.session} undefined`].sort(),
    );
    const counted = await watcher!.command({ presence: { channel: room, limit: 0 } });
    assertEquals(counted, { ok: { count: expected, users: 2, present: [] } });
    assertEquals((await watcher!.command({ presence: { channel: "other" } })).error.code, "forbidden");
    let totals: Line;
    await until(async () => {
      totals = await api("/api/presence");
      return totals.users >= 2 && totals.sessions >= expected;
    }, () => JSON.stringify(totals));
    await bob[Symbol.asyncDispose]();
    await until(async () => (await presence()).users === 1, async () => JSON.stringify(await presence()));
  });

  test("four: how to push to users of one's choice, also to those who come later", async () => {
    await using stack = new AsyncDisposableStack();
    const seven = await openBoth(stack, 2, "user=7");
    const eight = stack.use(await Commander.open(next(), "user=8"));
    const nobody = stack.use(await Commander.open(next()));
    for (const client of [...seven, eight]) assertEquals((await client.ofType("subscribed")).recovered, true);
    const heard = async (client: Commander) => {
      const { channel, data } = await client.publication();
      return [channel, data];
    };
    await untilAlike("7", seven.length);
    const users = ["7", "later"];
    const pushed = await api("/api/publish", { users, data: "from the back-end" });
    assertEquals(pushed.reached, seven.length);
    assertEquals(pushed.positions.map(({ channel }: Line) => channel), ["$user/7", "$user/later"]);
    for (const client of seven) assertEquals(await heard(client), ["$user/7", "from the back-end"]);
    const sent = await eight.command({ send: { users, data: "from a client" } });
    assertEquals([sent.ok.reached, sent.ok.positions.length], [seven.length, 2]);
    for (const client of seven) assertEquals(await heard(client), ["$user/7", "from a client"]);
    const late = stack.use(await Commander.open(next(), `user=later&since=$user/later@${pushed.positions[1].epoch}:0`));
    await late.ofType("subscribed");
    assertEquals([await heard(late), await heard(late)], [
      ["$user/later", "from the back-end"],
      ["$user/later", "from a client"],
    ]);
    assertNothing([...seven, eight, nobody, late]);
  });

  test("five: how to push periodically", async () => {
    await using stack = new AsyncDisposableStack();
    const [ticker, ...others] = await openBoth(stack, 4, "channel=ticks");
    assertEquals(await ticker!.command({ every: { channel: "ticks", seconds: 1, data: "tick" } }), {
      ok: { seconds: 1 },
    });
    for (const client of [ticker!, ...others]) {
      const ticks = [await client.publication(), await client.publication(), await client.publication()];
      assertEquals(
        ticks.map(({ offset, data, from }) => [offset, data, from]),
        [1, 2, 3].map((n) => [n, "tick", ticker!.session]),
      );
    }
    // What one does meanwhile does not disturb it, and each client may have one of its own.
    assertEquals(await others[0]!.command({ every: { seconds: 1, data: "mine" } }), { ok: { seconds: 1 } });
    for (let n = 0; n < 2; n++) assertEquals((await others[0]!.ofType("signal")).from, others[0]!.session);
    assertEquals(await ticker!.command({ stop: {} }), { ok: { stopped: true } });
    assertEquals(await ticker!.command({ stop: {} }), { ok: { stopped: false } });
    // It ends with its session.
    const going = stack.use(await Commander.open(next()));
    assertEquals(await going.command({ every: { channel: "gone", seconds: 1, data: "x" } }), { ok: { seconds: 1 } });
    await going[Symbol.asyncDispose]();
    const top = async () => (await api("/api/history?channel=gone")).offset;
    await until(async () => await top() > 0);
    const before = await top();
    for (let n = 0; n < 2; n++) await others[0]!.ofType("signal");
    assertEquals(await top(), before);
  });

  test("six: how clients talk to each other", async () => {
    await using stack = new AsyncDisposableStack();
    const [ann, ...rest] = await openBoth(stack, 4, "user=ann2");
    const bob = rest.find(({ edge }) => edge !== ann!.edge)!;
    const messages = { sessions: [bob.session], data: { text: "lunch?" } };
    assertEquals(await ann!.command({ send: messages }), { ok: { reached: 1 } });
    assertEquals(await bob.ofType("signal"), { type: "signal", data: messages.data, from: ann!.session, user: "ann2" });
    const asking = ann!.command({ ask: { sessions: [bob.session], data: "when?" } });
    const { reply, ...question } = await bob.ofType("signal");
    assertEquals(question, { type: "signal", data: "when?", from: ann!.session, user: "ann2" });
    assertEquals(await bob.command({ answer: { reply, data: "noon" } }), { ok: {} });
    assertEquals(await asking, { ok: { reached: 1, data: "noon", from: bob.session, user: "ann2" } });
    assertEquals((await bob.command({ answer: { reply, data: "one" } })).error.code, "not_found");
    const unanswered = ann!.command({ ask: { sessions: [bob.session], data: "sure?", timeout: 0.2 } });
    await bob.ofType("signal");
    assertEquals((await unanswered).error.code, "timeout");
    await bob[Symbol.asyncDispose]();
    const nobody = async () =>
      (await ann!.command({ ask: { sessions: [bob.session], data: "?", timeout: 0.2 } })).error.code;
    await until(async () => await nobody() === "not_found");
  });
}
