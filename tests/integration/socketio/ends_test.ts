/** How connections end: by the client, the operator, the token's time, the server's end. */
import { assertEquals } from "@std/assert";
import { startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { connectSocket, LIBRARIES, publicIdOf, type SocketClient, SPEAKERS, WAYS } from "../../support/socketio/mod.ts";
import { endingIn, signToken, TOKEN_SECRET } from "../../support/tokens.ts";
import { until, untilSessions } from "../../support/until.ts";

/** Waits until it has ended so often, and says why. */
async function ends(client: SocketClient, count = 1): Promise<readonly string[]> {
  await until(() => client.ends.length >= count, () => `ended ${client.ends.length} times`);
  return client.ends;
}

async function order(gong: { url: string }, path: string, body?: object): Promise<void> {
  const response = await fetch(`${gong.url}${path}`, {
    method: body === undefined ? "DELETE" : "POST",
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.body?.cancel();
  assertEquals(Math.floor(response.status / 100), 2, path);
}

for (const { name, library, transports, last } of SPEAKERS) {
  Deno.test(`${name} leaves the namespaces that it disconnects from, and nobody is left when it has left all`, async () => {
    await using gong = await startGong(["--isolates", "2", "--eio3"]);
    const one = await connectSocket(gong, { library, transports, namespace: "/a" });
    const two = await connectSocket(gong, { library, namespace: "/b", beside: one });
    await one.uses(last);
    await untilSessions(gong, 1, "socketio");
    one.socket.disconnect();
    assertEquals(await ends(one), ["io client disconnect"]);
    await publish(gong, [{ channel: "a", data: 1 }, { channel: "b", data: 2 }]);
    assertEquals(await two.nextFew(1), [["message", 2]]);
    assertEquals(one.heard, []);
    one.socket.connect();
    await one.connected(2);
    await publish(gong, [{ channel: "a", data: 3 }]);
    assertEquals(await one.nextFew(1), [["message", 3]]);
    for (const client of [one, two]) client.socket.disconnect();
    await untilSessions(gong, 0, "socketio");
  });

  Deno.test(`${name} is told when the operator ends its session, and does not come back by itself`, async () => {
    await using gong = await startGong(["--isolates", "2", "--eio3"]);
    await using client = await connectSocket(gong, { library, transports, namespace: "/a" });
    await client.uses(last);
    await order(gong, `/api/sessions/${await publicIdOf(gong, client, "a")}`);
    assertEquals(await ends(client), ["io server disconnect"]);
    await untilSessions(gong, 0, "socketio");
    assertEquals([client.connects.length, client.socket.connected], [1, false]);
    // A new beginning is another session.
    client.socket.connect();
    await client.connected(2);
    assertEquals([client.connects, new Set(client.ids).size], [[false, false], 2]);
  });
}

for (const library of LIBRARIES) {
  Deno.test(`${library.name} is told what the operator takes it out of, a room or a namespace, and stays in the others`, async () => {
    await using gong = await startGong(["--isolates", "2", "--eio3"]);
    await using one = await connectSocket(gong, { library, namespace: "/a" });
    await using two = await connectSocket(gong, { library, namespace: "/b", beside: one });
    await one.ask("join", "r");
    await order(gong, "/api/unsubscribe", { channel: "a/r" });
    assertEquals(await one.nextFew(1), [["$unsubscribed", "r"]]);
    await order(gong, "/api/unsubscribe", { channel: "a" });
    assertEquals(await ends(one), ["io server disconnect"]);
    await two.ask("still here");
    assertEquals(await two.nextFew(1), [["still here"]]);
    assertEquals(two.ends, []);
  });
}

for (const { way, transports, last } of WAYS) {
  Deno.test(`a session ends with its token, ${way}, and its client is told so`, async () => {
    await using gong = await startGong(["--isolates", "1"], { dev: false, env: { GONG_TOKEN_SECRET: TOKEN_SECRET } });
    const token = signToken({ channels: ["a"], exp: endingIn(6) });
    await using client = await connectSocket(gong, { transports, namespace: "/a", auth: { token } });
    await client.uses(last);
    assertEquals(await ends(client), ["io server disconnect"]);
    assertEquals(client.refusals, []);
    await untilGone(gong);
    client.socket.connect();
    assertEquals((await client.refused()).data?.code, "unauthorized");
  });

  Deno.test(`clients come back to a server that was stopped, ${way}`, async () => {
    const first = await startGong(["--isolates", "2", "--eio3"]);
    const clients = await Promise.all(LIBRARIES.map((library) => {
      return connectSocket(first, { library, transports, namespace: "/a" });
    }));
    await Promise.all(clients.map((client) => client.uses(last)));
    assertEquals(await first.stop(), 0);
    for (const client of clients) {
      // A DISCONNECT would have it stay away.
      assertEquals((await ends(client)).includes("io server disconnect"), false);
    }
    await using second = await startGong(["--isolates", "2", "--eio3", "--port", String(first.port)]);
    await Promise.all(clients.map((client) => client.connected(2)));
    await publish(second, [{ channel: "a", data: "back" }]);
    for (const client of clients) assertEquals(await client.nextFew(1), [["message", "back"]]);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
}

/** The figures take a key here: the log tells it too. */
async function untilGone(gong: { line(matches: RegExp): Promise<string> }): Promise<void> {
  await gong.line(/session\.close/);
}
