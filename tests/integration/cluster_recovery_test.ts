/** Coming back by another node: who was cut off has its id and its rooms again, and each message once and in order. */
import { assert, assertEquals } from "@std/assert";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { Commander, type Line } from "../support/commands.ts";
import type { Gong } from "../support/gong.ts";
import { publish } from "../support/publish.ts";
import { redisTest } from "../support/redis.ts";
import { RoundRobin } from "../support/round_robin.ts";
import { Counter, heardAll } from "../support/socketio/counts.ts";
import { connectSocket, type SocketClient, WAYS } from "../support/socketio/mod.ts";
import { until } from "../support/until.ts";

const ARGS = ["--eio3", "--lease", "2", "--request-rate", "100000", "--api-rate", "100000"];
/** Of a cut connection of polling only pings tell. */
const PINGS = ["--ping", "4s", "--ping-timeout", "4s"];
const TIMES = 4;

/** It has always recovered, after the first time, and is who it was. */
function assertRecovered(client: SocketClient, times: number): void {
  assertEquals(client.connects, [false, ...Array(times).fill(true)], JSON.stringify(client.ends));
  assertEquals(new Set(client.ids).size, 1, "its id is the same");
}

function idOf({ id }: Line): string {
  return id;
}

/** The node that has the session. */
async function nodeWith(cluster: Cluster, id: string): Promise<number> {
  const found = await Promise.all(cluster.nodes.map(async ({ url }) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(/^gong_sessions\{door="socketio"\} (\d+)$/m.exec(text)?.[1] ?? 0);
  }));
  assertEquals(found.reduce((sum, count) => sum + count), 1, `only ${id} is there`);
  return found.indexOf(1);
}

redisTest("a client whose connection drops is where it was at whichever node it comes back", async (t) => {
  await using cluster = await startCluster({ nodes: 3, args: [...ARGS, ...PINGS] });
  for (const { way, transports } of WAYS) {
    await t.step(way, async () => {
      await using front = new RoundRobin(cluster.nodes);
      const [one, two] = [`one-${transports.length}${transports[0]}`, `two-${transports.length}${transports[0]}`];
      await using first = await connectSocket(front, { transports, namespace: `/${one}` });
      await using second = await connectSocket(front, { namespace: `/${two}`, beside: first });
      await first.ask("join", "room");
      const { nodes } = cluster;
      await using counts = new Counter(nodes[0]!, one);
      await using others = new Counter(nodes[1]!, two);
      const news: number[] = [];
      for (let times = 1; times <= TIMES; times++) {
        await Promise.all([counts.more(5), others.more(5)]);
        await first.drop();
        await publish(nodes[times % 3]!, [{ channel: `${one}/room`, data: times, event: "news" }]);
        news.push(times);
        await Promise.all([first.connected(times + 1), second.connected(times + 1)]);
        // Whoever asks for it by its id finds it, wherever it is.
        for (const { url } of nodes) {
          await until(async () => {
            const response = await fetch(`${url}/api/sessions/${first.socket.id}`);
            await response.body?.cancel();
            return response.ok;
          }, () => `${first.socket.id} is not found`);
        }
      }
      await heardAll(first, await counts.stop());
      await heardAll(second, await others.stop());
      const heard = () => first.heard.filter(({ event }) => event === "news").map(({ args: [data] }) => data);
      await until(() => heard().length >= news.length);
      assertEquals(heard(), news);
      for (const client of [first, second]) assertRecovered(client, TIMES);
    });
  }
});

redisTest("a session that came back at another node is signalled, seen with its user, and closed there", async () => {
  await using cluster = await startCluster({ nodes: 3, args: ["--rule", "away presence=on", ...ARGS] });
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  await using front = new RoundRobin([one]);
  const options = { transports: ["websocket"], namespace: "/away", auth: { user: "ann" } };
  await using client = await connectSocket(front, options);
  const { id } = client.socket;
  front.nodes = [two];
  await client.drop();
  await client.connected(2);
  assertEquals([client.connects, client.socket.id], [[false, true], id]);
  assertEquals(await nodeWith(cluster, id), 1);
  for (const node of [one, two, three]) {
    await using commander = await Commander.open(node, "channel=other&user=bob");
    let reached = 0;
    await until(async () => {
      const { ok } = await commander.command({ send: { sessions: [id], data: `from ${node.port}` } });
      return (reached = ok.reached) === 1;
    }, () => `${reached} reached`);
    await until(() => client.heard.some(({ args }) => JSON.stringify(args).includes(`from ${node.port}`)));
    const user = await (await fetch(`${node.url}/api/users/ann`)).json();
    assertEquals([user.sessions.map(idOf), user.count], [[id], 1]);
    const presence = await (await fetch(`${node.url}/api/presence?channel=away`)).json();
    assertEquals(presence.present.map(({ session }: Line) => session), [id]);
  }
  const closed = await fetch(`${three.url}/api/sessions/${id}`, { method: "DELETE" });
  assert(closed.ok, `${closed.status} ${await closed.text()}`);
  await until(() => client.ends.length === 2, () => JSON.stringify(client.ends));
});

redisTest("a node that ends leaves what it remembers to the others, and one that is killed does not", async () => {
  await using cluster = await startCluster({ nodes: 3, args: ARGS });
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  await using front = new RoundRobin([one]);
  const options = { transports: ["websocket"], namespace: "/news", auth: { user: "ann" } };
  await using client = await connectSocket(front, options);
  await client.ask("join", "room");
  // Nobody lets it in meanwhile.
  front.nodes = [{ port: 1 }];
  await one.stop();
  await publish(three, [{ channel: "news/room", data: 1 }]);
  front.nodes = [two];
  await client.connected(2);
  assertEquals(await client.nextFew(1), [["message", 1]]);
  assertRecovered(client, 1);
  // It is the second node's now.
  front.nodes = [{ port: 1 }];
  await client.drop();
  await publish(three, [{ channel: "news/room", data: 2 }]);
  front.nodes = [three];
  await client.connected(3);
  assertEquals(await client.nextFew(1), [["message", 2]]);
  assertRecovered(client, 2);
  front.nodes = [two];
  await three.kill();
  await client.connected(4);
  assertEquals(client.connects.at(-1), false);
  await publish(two, [{ channel: "news", data: 3 }]);
  assertEquals(await client.nextFew(1), [["message", 3]]);
  assert(new Set(client.ids).size === 2, "it is another one");
});

redisTest("what is remembered is gone on with once: who comes later with the same ends who came before", async () => {
  await using cluster = await startCluster({ nodes: 3, args: ARGS });
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  const options = { transports: ["websocket"], namespace: "/news", auth: { user: "ann" } };
  await using first = await connectSocket(one, options);
  // Who is ended does not end the next one in turn.
  first.socket.io.reconnection(false);
  const { _pid: pid } = first.socket as unknown as { _pid: string };
  // Of somebody else it is not, and stays.
  const thief = await connectSocket(two, { ...options, auth: { user: "eve", pid } });
  assert(thief.socket.id !== first.socket.id);
  await thief[Symbol.asyncDispose]();
  assertEquals(first.ends, []);
  const second = await connectSocket(two, { ...options, auth: { user: "ann", pid } });
  second.socket.io.reconnection(false);
  await until(() => first.ends.length > 0, () => "the first one goes on");
  assertEquals(second.ids, [first.ids[0]]);
  const third = await connectSocket(three, { ...options, auth: { user: "ann", pid } });
  await until(() => second.ends.length > 0, () => "the second one goes on");
  assertEquals(third.ids, [first.ids[0]]);
  for (const client of [second, third]) await client[Symbol.asyncDispose]();
});
