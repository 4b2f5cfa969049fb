/** What the operator sees of clients of Socket.IO, and does with them. */
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { connectSocket, LIBRARIES, LIBRARY_2, WAYS } from "../../support/socketio/mod.ts";
import { endingIn, signToken, TOKEN_SECRET } from "../../support/tokens.ts";
import { until, untilSessions } from "../../support/until.ts";

// deno-lint-ignore no-explicit-any
async function ask(gong: Gong, path: string, body?: object, headers: Record<string, string> = {}): Promise<any> {
  const response = await fetch(`${gong.url}/api/${path}`, {
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  assertEquals(response.status, 200, JSON.stringify(answer));
  return answer;
}

/** The lines of the log of these events, in order. */
function linesOf(gong: Gong, ...events: string[]): Record<string, unknown>[] {
  const lines = gong.output().split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line)).filter(({ event }) => events.includes(event));
}

async function figures(gong: Gong): Promise<(name: string) => number> {
  const text = await (await fetch(`${gong.url}/metrics`)).text();
  return (name) => {
    const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  };
}

for (const { way, transports, last } of WAYS) {
  Deno.test(`the operator sees a client ${way}: door, user, channels, and what it was given`, async () => {
    await using gong = await startGong(["--isolates", "2"]);
    await using client = await connectSocket(gong, { transports, namespace: "/a", auth: { user: "ada" } });
    await using _ = await connectSocket(gong, { namespace: "/b", beside: client });
    await client.ask("join", "blue");
    await client.uses(last);
    await publish(gong, [{ channel: "a/blue", data: 1 }]);
    await client.hears(1);
    const { id } = client.socket;
    await until(async () => (await ask(gong, `sessions/${id}`)).delivered === 1);
    const { sessions: [session], total } = await ask(gong, "sessions");
    assertEquals(total, 1);
    assertEquals(session.door, "socketio");
    assertEquals([session.id, session.user, session.address, session.pending], [id, "ada", "127.0.0.1", 0]);
    assertEquals(session.channels.toSorted(), ["$user/ada", "a", "a/blue", "b"]);
    assertEquals((await ask(gong, "users/ada")).sessions.map(({ id }: { id: string }) => id), [id]);
    assertEquals(await ask(gong, "presence"), { connections: 1, sessions: 1, users: 1 });
  });

  Deno.test(`the log tells of a client ${way}: when it came, was back and went, and by whose order`, async () => {
    await using gong = await startGong(["--isolates", "2"]);
    await using client = await connectSocket(gong, { transports, namespace: "/a", auth: { user: "ada" } });
    await client.uses(last);
    client.manager.engine.close();
    await client.connected(2);
    await client.uses(last);
    const [id] = client.ids;
    assertEquals(await ask(gong, "disconnect", { user: "ada" }), { count: 1 });
    await until(() => client.ends.at(-1) === "io server disconnect");
    await untilSessions(gong, 0, "socketio");
    await gong.line(/session\.close.*4403/);
    const [first, second, ...others] = linesOf(gong, "session.open");
    assertEquals(others, []);
    for (const { door, address } of [first!, second!]) assertEquals([door, address], ["socketio", "127.0.0.1"]);
    assertEquals(first!.session, id);
    const recovered = linesOf(gong, "session.recovered");
    assertEquals(
      recovered.map(({ session, was, user, address }) => [session, was, user, address]),
      [[id, second!.session, "ada", "127.0.0.1"]],
    );
    const closed = linesOf(gong, "session.close").map(({ session, user, reason }) => [session, user, reason]);
    // By polling alone nobody knows yet that it is gone when it is back.
    const ends = closed.map(([, , reason]) => reason);
    assert(["client", "vanished", "recovered"].includes(String(ends[0])), String(ends));
    assertEquals(ends.slice(1), ["forbidden"]);
    for (const line of closed) assertEquals(line.slice(0, 2), [id, "ada"]);
    assertEquals(linesOf(gong, "api.disconnect").map(({ user, count }) => [user, count]), [["ada", 1]]);
  });

  Deno.test(`who came less who went is who is there, of clients ${way}`, async () => {
    await using gong = await startGong(["--isolates", "2", "--eio3"]);
    const clients = await Promise.all(Array.from({ length: 6 }, (_, at) => {
      return connectSocket(gong, { transports, library: LIBRARIES[at % LIBRARIES.length]!, namespace: "/a" });
    }));
    await Promise.all(clients.map((client) => client.uses(last)));
    for (const client of clients.splice(0, 2)) await client[Symbol.asyncDispose]();
    await untilSessions(gong, 4, "socketio");
    const figure = await figures(gong);
    assertEquals(figure("gong_sessions_opened_total"), 6);
    assertEquals(figure("gong_sessions_closed_total"), 2);
    if (transports.length === 1) assertEquals(figure("gong_sessions_moved_total"), 0);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
}

Deno.test("presence of a client shows its info before and after its upgrade, and tells of it once", async () => {
  const rules = ["--rule", "a subscribe=users presence=joins"];
  await using gong = await startGong(["--isolates", "2", ...rules], {
    dev: false,
    env: { GONG_TOKEN_SECRET: TOKEN_SECRET },
  });
  const token = signToken({ sub: "42", exp: endingIn(600), info: { name: "Ann" } });
  await using client = await connectSocket(gong, { namespace: "/a", auth: { token } });
  await client.uses("websocket");
  const header = { authorization: `Bearer ${token}` };
  const { present, count } = await ask(gong, "presence?channel=a", undefined, header);
  assertEquals([count, present[0].session, present[0].user, present[0].info], [1, client.socket.id, "42", {
    name: "Ann",
  }]);
  const joins = async () => (await ask(gong, "history?channel=$presence/a", undefined, header)).publications;
  await until(async () => (await joins()).length > 0);
  const [{ data }, ...others] = await joins();
  assertEquals(others, []);
  assertEquals(data.joined.map(({ info }: { info: unknown }) => info), [{ name: "Ann" }]);
});

Deno.test("a client of version 2 is refused without --eio3, and the log says why", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const client = await connectSocket(gong, { library: LIBRARY_2, later: true });
  const line = JSON.parse(await gong.line(/handshake\.refused/));
  client.socket.disconnect();
  client.manager.engine.close();
  assertEquals([line.door, line.status, line.code, line.reason], [
    "/socket.io",
    400,
    "bad_request",
    "Unsupported protocol version",
  ]);
});

Deno.test("the log tells of the first namespace that a client is not let into, and neither its words nor those after it", async () => {
  const gong = await startGong(["--isolates", "1", "--public-channels", "open"], { dev: false });
  try {
    await using client = await connectSocket(gong, { namespace: "/open" });
    for (const namespace of ["/secret", "/other"]) {
      await using refused = await connectSocket(gong, {
        namespace,
        beside: client,
        later: true,
        auth: { other: "words" },
      });
      assertEquals((await refused.refused()).data?.code, "forbidden");
    }
    await using odd = await connectSocket(gong, { namespace: `/${"x".repeat(200)}`, later: true });
    assertEquals((await odd.refused()).data?.code, "bad_request");
    const { id } = client.socket;
    odd.socket.disconnect();
    client.socket.disconnect();
    await untilSessions(gong, 0, "socketio");
    await gong.stop();
    const [first, second, ...others] = linesOf(gong, "connect.refused");
    assertEquals(others, []);
    const { session, door, address, channel, code, level } = first!;
    assertEquals([session, door, address, channel, code, level], [
      id,
      "socketio",
      "127.0.0.1",
      "secret",
      "forbidden",
      "info",
    ]);
    assertEquals([second!.channel, second!.code], [undefined, "bad_request"]);
    assert(!gong.output().includes("words"));
  } finally {
    await gong[Symbol.asyncDispose]();
  }
});

Deno.test("gong serve ends at once when its clients of Socket.IO are told, polling ones too", async () => {
  const gong = await startGong(["--isolates", "2", "--drain", "30s"]);
  const clients = await Promise.all(WAYS.map(({ transports }) => connectSocket(gong, { transports })));
  await Promise.all(clients.map((client, at) => client.uses(WAYS[at]!.last)));
  const begun = performance.now();
  assertEquals(await gong.stop(), 0);
  assert(performance.now() - begun < 15_000);
  for (const client of clients) {
    await until(() => client.ends.length === 1);
    client.socket.disconnect();
    client.manager.engine.close();
  }
});
