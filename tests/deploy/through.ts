/**
 * Clients that reach a cluster through a proxy of `deploy/`.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Client } from "../support/client.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { AUTHORITY, type Front } from "../support/front.ts";
import type { Gong } from "../support/gong.ts";
import { numbered, publish } from "../support/publish.ts";
import { connectSocket, type SocketClient } from "../support/socketio/client.ts";
import { type Library, LIBRARY_4 } from "../support/socketio/library.ts";

/** What nodes behind a proxy are started with. */
export const PROXIED = ["--trusted-proxies", "127.0.0.1", "--public-url", "https://localhost"];

/** Ports of the two nodes. */
export function portsOf({ nodes: [one, two] }: Cluster): readonly [number, number] {
  return [one!.port, two!.port];
}

/** What trusts the certificate of the tests. */
export function trust(): Deno.HttpClient {
  return Deno.createHttpClient({ caCerts: [AUTHORITY] });
}

/** A WebSocket through the proxy. @throws when the handshake is refused */
export async function connectThrough(front: Front, path: string): Promise<Client> {
  const http = trust();
  const socket = new WebSocket(`${front.ws}${path}`, { client: http });
  const client = new Client(socket);
  client.closed.then(() => http.close());
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = (event) => reject(new Error(`no connection to ${path}: ${(event as ErrorEvent).message}`));
  });
  socket.onerror = null;
  // What opens a session of the JSON door.
  for (const type of ["welcome", "subscribed"]) {
    if (path.includes("since=")) break;
    assertEquals(JSON.parse(await nextLine(client)).type, type);
  }
  return client;
}

const unread = new WeakMap<Client, string[]>();

/** A frame holds one line or more. */
export async function nextLine(client: Client): Promise<string> {
  const lines = unread.get(client) ?? [];
  unread.set(client, lines);
  while (lines.length === 0) lines.push(...(await client.nextText()).split("\n").filter((line) => line !== ""));
  return lines.shift()!;
}

/** How many sessions of a door each node has. */
export function sessionsAt(nodes: readonly Pick<Gong, "url">[], door: string): Promise<number[]> {
  return Promise.all(nodes.map(async ({ url }) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(new RegExp(`^gong_sessions\\{door="${door}"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  }));
}

/** A library that trusts the certificate of the tests. */
export const TRUSTING: Library = {
  ...LIBRARY_4,
  open: (url, options) => LIBRARY_4.open(url, { ...options, ca: AUTHORITY }),
};

/**
 * Clients of Socket.IO whose requests come to either node: those that poll only hear everything once and in order, and those
 * that go on with a WebSocket get one, wherever their polls were answered.
 */
export async function talkAnywhere(cluster: Cluster, front: Front): Promise<void> {
  await using stack = new AsyncDisposableStack();
  for (const transports of [["polling"], ["polling", "websocket"]]) {
    const namespace = `/far-${transports.length}`;
    const clients = [];
    for (let n = 0; n < 6; n++) {
      clients.push(stack.use(await connectSocket(front, { library: TRUSTING, transports, namespace })));
    }
    for (const client of clients) await client.uses(transports.at(-1)!);
    for (const [n, client] of clients.entries()) await client.ask("hello", n);
    for (const client of clients) {
      assertEquals(await client.nextFew(6), Array.from({ length: 6 }, (_, n) => ["hello", n]));
      assertEquals(client.ends, []);
    }
  }
  const relayed = await Promise.all(cluster.nodes.map(async ({ url }) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(/^gong_relayed_total\{outcome="answered"\} (\d+)$/m.exec(text)?.[1] ?? 0);
  }));
  assert(relayed.every((count) => count > 0), `${relayed} were relayed`);
}

/**
 * Stops a node while clients of Socket.IO poll by whichever. Those of the other node notice nothing of it, and its own go on
 * there where they were.
 */
export async function stopBehind(start: (nodes: readonly [number, number]) => Promise<Front>): Promise<void> {
  await using cluster = await startCluster({ args: PROXIED });
  const [one, two] = cluster.nodes as [Gong, Gong];
  await using front = await start(portsOf(cluster));
  await using stack = new AsyncDisposableStack();
  const options = { library: TRUSTING, transports: ["polling"], namespace: "/news" };
  const connect = async () => stack.use(await connectSocket(front, options));
  const clients = await Promise.all(Array.from({ length: 12 }, connect));
  const edgeOf = async ({ socket: { id } }: SocketClient): Promise<number> => {
    return (await (await fetch(`${one.url}/api/sessions/${id}`)).json()).edge;
  };
  const ids = clients.map(({ socket }) => socket.id);
  const places = await Promise.all(clients.map(edgeOf));
  const own = await edgeOf(stack.use(await connectSocket(one)));
  assertEquals(new Set(places).size, 2, "both have some");
  assertEquals(await two.stop(), 0);
  await publish(one, [{ channel: "news", data: "after" }]);
  for (const [index, client] of clients.entries()) {
    assertEquals(await client.nextFew(1), [["message", "after"]]);
    if (places[index] === own) assertEquals([client.connects, client.ends], [[false], []]);
    else assertEquals([client.connects.at(-1), client.socket.id], [true, ids[index]]);
  }
}

/**
 * Kills the node that a client is on. New connections are none the worse for it, and the client goes on at the other node
 * from its cursor.
 */
export async function dieAndResume(start: (nodes: readonly [number, number]) => Promise<Front>): Promise<void> {
  await using cluster = await startCluster({ args: PROXIED });
  await using front = await start(portsOf(cluster));
  const client = await connectThrough(front, "/push?format=json&channel=log");
  const counts = await sessionsAt(cluster.nodes, "json");
  assertEquals(counts.toSorted(), [0, 1]);
  const [own, other] = counts[0] === 1 ? cluster.nodes : cluster.nodes.toReversed();
  assert(own && other);

  const before = await publish(other, numbered(["log"], 3));
  const heard: number[] = [];
  while (heard.length < 3) heard.push(JSON.parse(await nextLine(client)).offset);
  const { epoch, offset } = before.at(-1)!.position;
  await own.kill();
  await client.closed;
  await publish(other, numbered(["log"], 3, "after "));

  using http = trust();
  for (let times = 0; times < 6; times++) {
    const poll = await fetch(`${front.url}/poll?channel=log&timeout=0`, { client: http });
    assertEquals(poll.status, 200);
    await poll.body?.cancel();
    await using back = await connectThrough(front, `/push?format=json&since=log@${epoch}:${offset}`);
    const lines = [];
    while (lines.length < 5) lines.push(JSON.parse(await nextLine(back)));
    const [welcome, subscribed, ...publications] = lines;
    assertEquals([welcome.type, subscribed.type, subscribed.recovered], ["welcome", "subscribed", true]);
    assertEquals(publications.map((one) => one.offset), [4, 5, 6]);
  }
  assertEquals(heard, [1, 2, 3]);
}
