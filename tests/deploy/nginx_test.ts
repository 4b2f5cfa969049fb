import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { SessionInfo } from "../../lib/types.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { AUTHORITY, type Front } from "../support/front.ts";
import { findProgram } from "../support/programs.ts";
import { nginxTest, startNginx, testNginx } from "../support/nginx.ts";
import { publish } from "../support/publish.ts";
import { connectSocket } from "../support/socketio/client.ts";
import { until } from "../support/until.ts";
import {
  connectThrough,
  dieAndResume,
  nextLine,
  portsOf,
  PROXIED,
  sessionsAt,
  stopBehind,
  talkAnywhere,
  trust,
  TRUSTING,
} from "./through.ts";

let cluster: Cluster;
let nginx: Front;
let client: Deno.HttpClient;

Deno.test.beforeAll(async () => {
  if (findProgram("nginx") === undefined && Deno.env.get("CI") === undefined) return;
  cluster = await startCluster({ args: PROXIED });
  nginx = await startNginx(portsOf(cluster));
  client = trust();
});
Deno.test.afterAll(async () => {
  client?.close();
  await nginx?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

/** A request through it. */
function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${nginx.url}${path}`, { ...init, client });
}

nginxTest("nginx takes deploy/nginx.conf", async () => {
  const { success, said } = await testNginx(portsOf(cluster));
  assert(success, said);
});

nginxTest("WebSockets pass nginx to either node, and hear what is published at one", async () => {
  // It takes the one with fewer connections: two reach both.
  await using one = await connectThrough(nginx, "/push?format=json&channel=both");
  await using other = await connectThrough(nginx, "/push?format=json&channel=both");
  assertEquals(await sessionsAt(cluster.nodes, "json"), [1, 1]);
  await publish(cluster.nodes[0]!, [{ channel: "both", data: "hello" }]);
  for (const each of [one, other]) assertEquals(JSON.parse(await nextLine(each)).data, "hello");
  one.send('{"id":1,"publish":{"channel":"both","data":"back"}}\n');
  assertEquals(JSON.parse(await nextLine(other)).data, "back");
});

for (const door of ["sse", "stream"]) {
  nginxTest(`/${door} comes through nginx as it is written, not when a buffer is full`, async () => {
    const response = await ask(`/${door}?channel=${door}`);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    async function hears(word: string): Promise<void> {
      while (!heard.includes(word)) {
        const { value, done } = await reader.read();
        assert(!done, heard);
        heard += value;
      }
    }
    // The answer has no end, so that whatever is read was not kept until then.
    for (const word of ["first", "second"]) {
      await publish(cluster.nodes[0]!, [{ channel: door, data: word }]);
      await hears(word);
    }
    await reader.cancel();
  });
}

nginxTest("a poll waits behind nginx, and goes on at whichever node from its cursor", async () => {
  const first = ask("/poll?channel=polled&timeout=20");
  await until(async () => (await sessionsAt(cluster.nodes, "poll")).includes(1));
  await publish(cluster.nodes[1]!, [{ channel: "polled", data: 1 }]);
  const { publications, cursor } = await (await first).json();
  assertEquals(publications.map(({ data }: { data: unknown }) => data), [1]);
  await publish(cluster.nodes[0]!, [{ channel: "polled", data: 2 }]);
  for (let times = 0; times < 4; times++) {
    const again = await (await ask(`/poll?timeout=20&since=${cursor}`)).json();
    assertEquals([again.publications.map(({ data }: { data: unknown }) => data), again.recovered], [[2], true]);
  }
});

for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
  nginxTest(`Socket.IO connects through nginx by ${transports.join(", then ")}`, async () => {
    await using socket = await connectSocket(nginx, { library: TRUSTING, transports, namespace: "/sio" });
    await socket.uses(transports.at(-1)!);
    await publish(cluster.nodes[1]!, [{ channel: "sio", data: transports.length }]);
    assertEquals(await socket.nextFew(1), [["message", transports.length]]);
    assert("offset" in (await socket.ask("said", 1))[0]);
  });
}

nginxTest("nginx hands on the doors alone, and that to no other name", async () => {
  for (const path of ["/admin", "/api/stats", "/api/publish", "/metrics", "/ready", "/health", "/", "/pushed"]) {
    const response = await ask(path);
    assertEquals([path, response.status, response.headers.get("server")], [path, 404, "nginx"]);
    await response.body?.cancel();
  }
  assertEquals((await (await ask("/session?channel=a")).text()).startsWith("{"), true);
  const other = await fetch(`https://127.0.0.1:${nginx.port}/push`, { client }).then(({ status }) => status, () => 0);
  assertEquals(other, 0);
});

nginxTest("who is counted is the client that nginx has seen, whatever it says it is", async () => {
  const headers = { "x-forwarded-for": "198.51.100.7" };
  const response = await ask("/stream?channel=whose", { headers });
  // The answer may come before its session is counted.
  let addresses: string[] = [];
  await until(async () => {
    const { sessions } = await (await fetch(`${cluster.nodes[0]!.url}/api/sessions?limit=500`)).json();
    const own = sessions.filter(({ channels }: SessionInfo) => channels.includes("whose"));
    addresses = own.map(({ address }: SessionInfo) => address);
    return addresses.length > 0;
  });
  await response.body!.cancel();
  assertEquals(addresses, ["127.0.0.1"]);
});

nginxTest(
  "clients of Socket.IO reach either node through nginx with each request, and are none the worse for it",
  async () => {
    await talkAnywhere(cluster, nginx);
  },
);

nginxTest("a body that is too large is refused by nginx, before a node hears of it", async () => {
  const polling = "/socket.io/?EIO=4&transport=polling";
  const large = await ask(polling, { method: "POST", body: "4".repeat(110_000) });
  assertEquals(large.status, 413);
  await large.body?.cancel();
  const allowed = await ask(polling, { method: "POST", body: "4".repeat(100_000) });
  // Sessions begin with GET: that is the node's answer.
  assertEquals([allowed.status, (await allowed.json()).code], [400, 2]);
  const door = await ask("/sse?channel=a", { method: "POST", body: "4".repeat(2_000) });
  assertEquals(door.status, 413);
  await door.body?.cancel();
});

nginxTest("who sends its header or body too slowly loses its connection to nginx", async () => {
  // The same time-outs, without waiting for them as long as a client may take.
  await using hasty = await startNginx(portsOf(cluster), [
    [/client_header_timeout 10s/, "client_header_timeout 1s"],
    [/client_body_timeout 10s/, "client_body_timeout 1s"],
  ]);
  const head = "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n";
  for (const sent of ["", head, `${head}Content-Length: 10\r\n\r\n4`]) {
    // Closed by its end, or by what reads it to there.
    const connection = await Deno.connectTls({ hostname: "localhost", port: hasty.port, caCerts: [AUTHORITY] });
    await connection.write(new TextEncoder().encode(sent));
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      connection.close();
    }, 20_000);
    // It ends: that is all, for a reset is no answer.
    const got = await new Response(connection.readable).text().catch(() => "");
    clearTimeout(timer);
    assert(!isLate, `nginx waits for the rest of ${JSON.stringify(sent)}`);
    assert(got === "" || /^HTTP\/1\.1 408 /.test(got), got);
  }
});

nginxTest("tokens are in no log of nginx, not of what fails either", async () => {
  const token = "secret-of-somebody";
  await (await ask(`/sse?channel=a&token=${token}`)).body?.cancel();
  await (await ask(`/socket.io/?EIO=4&transport=polling&token=${token}`)).body?.cancel();
  await using dead = await startNginx([1, 1]);
  for (let times = 0; times < 5; times++) {
    const response = await fetch(`${dead.url}/sse?channel=a&token=${token}`, { client });
    assertEquals([response.status, response.headers.get("retry-after")], [503, "2"]);
    await response.body?.cancel();
  }
  await until(async () => (await nginx.log()).includes('"path":"/sse"') && (await dead.log()).includes('"status":503'));
  for (const log of [await nginx.log(), await dead.log()]) {
    assertStringIncludes(log, '"path":"/sse"');
    assert(!log.includes(token), log);
  }
});

nginxTest(
  "a node that is killed costs its clients one reconnect through nginx, and nothing that was acknowledged",
  async () => {
    await dieAndResume(startNginx);
  },
);

nginxTest(
  "a node that ends behind nginx ends nobody's session of Socket.IO but its own, which go on at the other",
  async () => {
    await stopBehind(startNginx);
  },
);

nginxTest("nginx hands on no Upgrade but that to a WebSocket, and wants no connection to a node closed", async () => {
  const heads: string[] = [];
  using node = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = serveHeads(node, heads);
  {
    await using front = await startNginx([node.addr.port, node.addr.port]);
    for (const [upgrade, connection] of [["h2c", undefined], [undefined, undefined], ["websocket", "upgrade"]]) {
      const headers = upgrade === undefined ? "" : `Upgrade: ${upgrade}\r\n`;
      using asking = await Deno.connectTls({ hostname: "localhost", port: front.port, caCerts: [AUTHORITY] });
      const request = `GET /push HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n${headers}\r\n`;
      await asking.write(new TextEncoder().encode(request));
      assert((await readSome(asking))?.startsWith("HTTP/1.1 418 "));
      const got = (name: string) => new RegExp(`^${name}: (.*)\r$`, "im").exec(heads.at(-1)!)?.[1];
      assertEquals([got("upgrade"), got("connection")], [upgrade === "websocket" ? upgrade : undefined, connection]);
    }
  }
  assertEquals(heads.length, 3);
  node.close();
  await served;
});

/** A node that keeps the head of every request, and answers each the same. */
async function serveHeads(listener: Deno.TcpListener, heads: string[]): Promise<void> {
  const connections: Promise<void>[] = [];
  try {
    for await (const connection of listener) connections.push(answer(connection));
  } catch {
    // It was closed.
  }
  await Promise.all(connections);

  async function answer(connection: Deno.Conn): Promise<void> {
    for (let text: string | undefined; (text = await readSome(connection)) !== undefined;) {
      heads.push(text);
      await connection.write(new TextEncoder().encode("HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n"));
    }
    connection.close();
  }
}

/** What comes next, which here is a whole head; nothing at the end. */
async function readSome(connection: Deno.Conn): Promise<string | undefined> {
  const bytes = new Uint8Array(4096);
  const length = await connection.read(bytes);
  return length === null ? undefined : new TextDecoder().decode(bytes.subarray(0, length));
}
