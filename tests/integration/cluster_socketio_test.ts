/** Each version of the real client over three nodes, whose requests go to the next node each. */
import { assert, assertEquals } from "@std/assert";
import { startCluster } from "../support/cluster.ts";
import { ask, Poller, Wire } from "../support/engine_client.ts";
import type { Gong } from "../support/gong.ts";
import { publish } from "../support/publish.ts";
import { redisTest } from "../support/redis.ts";
import { RoundRobin } from "../support/round_robin.ts";
import { connectSocket, LIBRARIES, SPEAKERS } from "../support/socketio/mod.ts";
import { plain, shape } from "../support/socketio/plain.ts";
import { until } from "../support/until.ts";

const ARGS = ["--eio3", "--lease", "2"];
/** A ping is a second away: a poll waits that long. */
const PINGS = ["--ping", "1", "--ping-timeout", "5"];

/** A figure of a node, all its labels added up. */
async function figure({ url }: Pick<Gong, "url">, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

redisTest(
  "clients of Socket.IO whose requests reach whichever node talk, are in rooms, get bytes, and leave",
  async (t) => {
    await using cluster = await startCluster({ nodes: 3, args: [...ARGS, ...PINGS] });
    await using front = new RoundRobin(cluster.nodes);
    for (const [place, { name, library, transports, last }] of SPEAKERS.entries()) {
      const channel = `far-${place}`;
      const options = { library, transports, namespace: `/${channel}` };
      await t.step(`${name} hears everything once and in order`, async () => {
        await using one = await connectSocket(front, options);
        await using other = await connectSocket(front, options);
        if (last === "polling") await one.uses(last);
        for (let n = 1; n <= 30; n++) one.emit("count", n);
        const expected = Array.from({ length: 30 }, (_, n) => ["count", n + 1]);
        for (const client of [one, other]) assertEquals(await client.nextFew(30), expected);
        // Nothing is said until there is a ping, and then there is.
        await new Promise((resolve) => setTimeout(resolve, 1500));
        const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
        const args = ["before", { deep: [bytes] }, bytes];
        const [position] = await other.ask("bytes", ...shape(args, library.toBytes));
        assertEquals(position.offset, 31);
        for (const client of [one, other]) assertEquals(plain(await client.nextFew(1)), [["bytes", ...args]]);
        await one.ask("join", "room");
        await other.ask("to", "room", "news", 1);
        assertEquals(await one.nextFew(1), [["news", 1]]);
        await publish(cluster.nodes[place % 3]!, [{ channel, data: "all" }]);
        for (const client of [one, other]) assertEquals(await client.nextFew(1), [["message", "all"]]);
        assertEquals([one.ends, other.ends, one.heard.length, other.heard.length], [[], [], 33, 32]);
      });
    }
    await t.step("a large POST is taken, and one for a session that there is not is not even read", async () => {
      const { client, post } = await openFar(cluster.nodes[0]!, cluster.nodes[1]!);
      assertEquals((await post("40")).text, "ok");
      assertEquals((await post(`42["x","${"\\n".repeat(25_000)}"]`)).text, "ok");
      assertEquals((await client.post("1")).text, "ok");
      const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({ start: (rest) => rest.enqueue(Uint8Array.of(52)) });
      assertEquals(codeOf(await post(endless)), [400, 1]);
    });
    const sessions = () => Promise.all(cluster.nodes.map((node) => figure(node, 'gong_sessions{door="socketio"}')));
    await until(async () => (await sessions()).every((count) => count === 0), () => "not all have left");
    for (const node of cluster.nodes) assert(await figure(node, 'gong_relayed_total{outcome="answered"}') > 0);
  },
);

/** A poller of one node, and what asks for its session at another. */
async function openFar(home: Gong, other: Gong, more: Record<string, string> = {}) {
  const client = await Poller.open(`${home.url}/socket.io/`, 4, more);
  const url = `${other.url}/socket.io/`;
  return {
    client,
    poll: (init: RequestInit = {}) => ask(url, client.query, init),
    post: (body: BodyInit, headers: Record<string, string> = {}) => {
      return ask(url, client.query, { method: "POST", body, headers });
    },
  };
}

function codeOf({ status, text }: { readonly status: number; readonly text: string }): [number, number] {
  return [status, JSON.parse(text).code];
}

redisTest("a session that another node has is answered for as its own node does, refusals too", async (t) => {
  await using cluster = await startCluster({ args: ["--max-message", "1KiB", ...ARGS] });
  const [one, two] = cluster.nodes as [Gong, Gong];
  const sessions = () => figure(one, 'gong_sessions{door="socketio"}');
  const gone = () => until(async () => await sessions() === 0, () => "the session is there yet");

  await t.step("a client that leaves a poll ends its session", async () => {
    const { client, poll, post } = await openFar(one, two);
    assertEquals((await post("40")).text, "ok");
    assert((await poll()).text.startsWith("40{"));
    const leave = new AbortController();
    const polled = poll({ signal: leave.signal }).catch((error) => error.name);
    // It has to be there before it is left.
    await until(async () => await figure(one, 'gong_node_requests_total{outcome="answered"') >= 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertEquals(await sessions(), 1);
    leave.abort();
    assertEquals(await polled, "AbortError");
    await gone();
    assertEquals(codeOf(await client.poll()), [400, 1]);
    assertEquals(codeOf(await poll()), [400, 1]);
  });

  await t.step("a second poll by another node ends the session", async () => {
    const { client, poll } = await openFar(one, two);
    const answers = await Promise.all([client.poll(), poll()]);
    answers.sort((a, b) => a.status - b.status);
    assertEquals([answers[0].status, answers[0].text, ...codeOf(answers[1])], [200, "1", 400, 3]);
    await gone();
  });

  await t.step("a body that is too large, or no payload, ends the session", async () => {
    for (const [body, status] of [["4".repeat(20_000), 413], ["abc", 400]] as const) {
      const { poll, post } = await openFar(one, two);
      assertEquals(codeOf(await post(body)), [status, 3]);
      assertEquals(codeOf(await poll()), [400, 1]);
      await gone();
    }
  });

  await t.step("what is slow to come by one node is not overtaken by what comes by another", async () => {
    const { client, post } = await openFar(one, two);
    const body = new TransformStream<Uint8Array<ArrayBuffer>>();
    const writer = body.writable.getWriter();
    void writer.write(new TextEncoder().encode("4")).catch(() => {});
    const answered = () => figure(two, 'gong_relayed_total{outcome="answered"}');
    const before = await answered();
    const slow = post(body.readable);
    // From when its node knows of the first one.
    await until(async () => await answered() > before);
    assertEquals(codeOf(await client.post("40")), [400, 3]);
    await writer.close().catch(() => {});
    assertEquals(codeOf(await slow), [400, 1]);
    await gone();
  });

  await t.step("payloads of bytes of Engine.IO 3 come as they are", async () => {
    const client = await Poller.open(`${one.url}/socket.io/`, 3);
    const url = `${two.url}/socket.io/`;
    const bytes = Uint8Array.of(0, 255, 128);
    const poll = async () => (await fetch(`${url}?${new URLSearchParams(client.query)}`)).bytes();
    await poll();
    // Each is 0 for text or 1 for bytes, its length by digits, and 255 before it.
    const text = new TextEncoder().encode('451-["bytes",{"_placeholder":true,"num":0}]');
    const packets = [[0, 4, 3, 255, ...text], [1, 4, 255, 4, ...bytes]];
    const headers = { "content-type": "application/octet-stream" };
    const said = await ask(url, client.query, { method: "POST", body: Uint8Array.from(packets.flat()), headers });
    assertEquals([said.status, said.text], [200, "ok"]);
    const heard = await poll();
    assertEquals(heard.subarray(-bytes.length - 4), Uint8Array.of(1, 4, 255, 4, ...bytes));
    await ask(url, client.query, { method: "POST", body: "1:1" });
    await gone();
  });

  await t.step("a WebSocket for it is not upgraded, and it goes on by polls", async () => {
    const { client, poll, post } = await openFar(one, two);
    const wire = await Wire.open(`${two.url}/socket.io/`, { ...client.query, transport: "websocket" });
    assertEquals(wire.isOpen, false);
    assertEquals((await post("40")).text, "ok");
    assert((await poll()).text.startsWith("40{"));
    await post("1");
    await gone();
  });
});

redisTest(
  "a node is killed, or stands still: polls of its sessions are told by others that these are unknown",
  async () => {
    await using cluster = await startCluster({ nodes: 3, args: ARGS });
    const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
    const killed = await openFar(one, three);
    const still = await openFar(two, three);
    const polls = [killed.poll(), still.poll()];
    // Also before they are there they are answered the same.
    await new Promise((resolve) => setTimeout(resolve, 200));
    two.signal("SIGSTOP");
    await one.kill();
    // At once: its connection ends, and nothing listens there any more.
    assertEquals(codeOf(await polls[0]!), [400, 1]);
    assertEquals(codeOf(await killed.poll()), [400, 1]);
    assertEquals(await killed.post("4").then(({ status }) => status === 400 || status === 503), true);
    // When its lease is over.
    assertEquals(codeOf(await polls[1]!), [400, 1]);
    assertEquals(codeOf(await still.post("4")), [400, 1]);
    two.signal("SIGCONT");
  },
);

redisTest("clients that poll sessions of a node that is killed begin anew at another one", async () => {
  await using cluster = await startCluster({ nodes: 3, args: ARGS });
  await using front = new RoundRobin(cluster.nodes);
  const options = { transports: ["polling"], namespace: "/news" };
  const clients = await Promise.all(LIBRARIES.map((library) => connectSocket(front, { ...options, library })));
  const [one, ...others] = cluster.nodes as [Gong, Gong, Gong];
  front.nodes = others;
  await one.kill();
  // Handshakes came to each node in its turn.
  await until(() => clients.some(({ connects }) => connects.length === 2), () => "nobody has begun anew");
  await until(() => clients.every(({ socket }) => socket.connected), () => "not all are back");
  await publish(others[0]!, [{ channel: "news", data: "all" }]);
  for (const client of clients) await until(() => client.heard.at(-1)?.args[0] === "all");
  for (const client of clients) await client[Symbol.asyncDispose]();
});

redisTest("a node that ends lets polls of other nodes' sessions go, and nothing of theirs ends with it", async () => {
  await using cluster = await startCluster({ nodes: 3, args: ARGS });
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  await using front = new RoundRobin([one]);
  await using stack = new AsyncDisposableStack();
  const options = { transports: ["polling"], namespace: "/news" };
  const clients = await Promise.all(Array.from({ length: 9 }, async (_, n) => {
    return stack.use(await connectSocket(front, { ...options, library: LIBRARIES[n % 3]! }));
  }));
  // From now on each poll waits at another node than its session's.
  front.nodes = [two];
  await publish(one, [{ channel: "news", data: "before" }]);
  for (const client of clients) assertEquals(await client.nextFew(1), [["message", "before"]]);
  // Each polls again at once, which nobody is told of.
  await new Promise((resolve) => setTimeout(resolve, 500));
  front.nodes = [three];
  const start = performance.now();
  assertEquals(await two.stop(), 0);
  assert(performance.now() - start < 9000, "nobody is waited for until the drain is over");
  await publish(one, [{ channel: "news", data: "after" }]);
  for (const client of clients) {
    assertEquals(await client.nextFew(1), [["message", "after"]]);
    assertEquals([client.connects.length, client.ends], [1, []]);
  }
});
