/** Who may connect, join and emit: the same tokens, keys and rules as for every door. */
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../../support/gong.ts";
import { connectSocket, LIBRARIES, publicIdOf, type Refusal, SPEAKERS, WAYS } from "../../support/socketio/mod.ts";
import { signToken, TOKEN_SECRET, unsigned } from "../../support/tokens.ts";
import { until } from "../../support/until.ts";

const ADMIN = "key-of-the-administrator";
/** Clients of version 2 are in `/` from the start, and each of their sockets hears when they may not. */
const RIGHTS = ["--public-channels", "open,broadcast", "--allow-publish", "open"];

let gong: Gong;
let dev: Gong;
Deno.test.beforeAll(async () => {
  const args = ["--isolates", "2", "--eio3", "--api-key", `ops:admin:${ADMIN}`, ...RIGHTS];
  [gong, dev] = await Promise.all([
    startGong(args, { dev: false, env: { GONG_TOKEN_SECRET: TOKEN_SECRET } }),
    startGong(["--isolates", "1"]),
  ]);
});
Deno.test.afterAll(async () => void await Promise.all([gong.kill(), dev.kill()]));

const claims = { sub: "ada", channels: ["room:*"], publish: ["room:*"] };

/** What it is refused with; the one thing that is not told is the server's own. */
async function refusalOf(options: Parameters<typeof connectSocket>[1], server = gong): Promise<Refusal> {
  await using client = await connectSocket(server, { ...options, later: true });
  const refusal = await client.refused();
  assertEquals(client.connects, []);
  return refusal;
}

for (const { name, library, transports } of SPEAKERS) {
  const options = { library, transports };

  Deno.test(`${name} may with a token what the token allows, and is told what it may not`, async () => {
    const token = signToken(claims);
    // Version 2 has no payload of CONNECT.
    const shown = library.protocol === 3 ? { query: { token } } : { auth: { token, other: 1 } };
    await using client = await connectSocket(gong, { ...options, namespace: "/room:1", ...shown });
    const headers = { "x-api-key": ADMIN };
    const id = await publicIdOf(gong, client, "room:1", headers);
    const info = await (await fetch(`${gong.url}/api/sessions/${id}`, { headers })).json();
    assertEquals([info.user, info.door], ["ada", "socketio"]);
    assertEquals((await client.ask("hello"))[0].channel, "room:1");
    assertEquals((await client.ask("join", "sub"))[0].channel, "room:1/sub");

    for (const namespace of ["/secret", "/$user%2Fada", "/broadcast"]) {
      const refusal = await refusalOf({ ...options, namespace, ...shown });
      assert(refusal.message.length > 0, namespace);
      // To version 2 the whole object is the error, and the message all that its client keeps of it.
      if (library.protocol === 4) assert(/^(forbidden|bad_request)$/.test(refusal.data?.code ?? ""), namespace);
    }
    assertEquals(await client.nextFew(1), [["hello"]]);
  });

  Deno.test(`${name} may without one what everybody may, and its events are refused where it may only listen`, async () => {
    await using client = await connectSocket(gong, { ...options, namespace: "/open" });
    assertEquals((await client.ask("hello", 1))[0].offset > 0, true);
    for (const args of [["join", "room"], ["to", "room", "event"]]) {
      const [{ error }] = await client.ask(args[0]!, ...args.slice(1));
      assertEquals(error.code, "forbidden", `${args}`);
    }
    await refusalOf({ ...options, namespace: "/room:1" });
  });
}

for (const library of LIBRARIES) {
  Deno.test(`${library.name} is told of an event that is refused, and that nobody has asked about`, async () => {
    const token = signToken({ ...claims, publish: [] });
    const shown = library.protocol === 3 ? { query: { token } } : { auth: { token } };
    await using client = await connectSocket(gong, { library, namespace: "/room:1", ...shown });
    client.emit("hello");
    if (library.protocol === 3) {
      const refusal = await client.refused() as unknown as { code?: string; data?: { code?: string } };
      assert(refusal !== undefined);
    } else {
      const { event, args: [error] } = await client.next();
      assertEquals([event, error.code, typeof error.message], ["$error", "forbidden", "string"]);
    }
    // The connection goes on.
    assertEquals((await client.ask("leave", "nowhere")).length, 1);
    assertEquals(client.ends, []);
  });
}

for (const { way, transports } of WAYS) {
  Deno.test(`a key that CONNECT shows counts, ${way}, and a token that is none is refused with unauthorized`, async () => {
    await using client = await connectSocket(gong, { transports, namespace: "/anything", auth: { key: ADMIN } });
    assertEquals((await client.ask("hello"))[0].channel, "anything");
    for (const auth of [{ key: "no-such-key-at-all" }, { token: unsigned(claims) }, { token: "a.b.c" }]) {
      const refusal = await refusalOf({ transports, namespace: "/open", auth });
      assertEquals(refusal.data?.code, "unauthorized", JSON.stringify(auth));
    }
    // Where there is no --dev nobody is whoever he says.
    assertEquals(
      (await refusalOf({ transports, namespace: "/open", auth: { user: "ada" } })).data?.code,
      "bad_request",
    );
  });

  Deno.test(`all rooms that CONNECT names are heard or nothing is, ${way}`, async () => {
    const auth = { token: signToken({ ...claims, channels: ["room:1", "room:1/a"] }) };
    await using client = await connectSocket(gong, {
      transports,
      namespace: "/room:1",
      auth: { ...auth, rooms: ["a"] },
    });
    assertEquals((await client.ask("to", "a", "news"))[0].channel, "room:1/a");
    assertEquals(await client.nextFew(1), [["news"]]);
    const refusal = await refusalOf({ transports, namespace: "/room:1", auth: { ...auth, rooms: ["a", "b"] } });
    assertEquals(refusal.data?.code, "forbidden");
  });

  Deno.test(`two namespaces of one connection are one session of one user, ${way}`, async () => {
    const token = signToken(claims);
    await using one = await connectSocket(gong, { transports, namespace: "/room:1", auth: { token } });
    await using two = await connectSocket(gong, { beside: one, namespace: "/room:2", auth: { token } });
    assertEquals(two.socket.id, one.socket.id);
    await using three = await connectSocket(gong, { beside: one, namespace: "/room:3" });
    assertEquals(three.socket.id, one.socket.id);
    const other = { token: signToken({ ...claims, sub: "bob" }) };
    await using four = await connectSocket(gong, { beside: one, namespace: "/room:4", auth: other, later: true });
    assertEquals((await four.refused()).data?.code, "conflict");
    assertEquals([one.ends, two.ends, three.ends], [[], [], []]);
  });

  Deno.test(`with --dev CONNECT may name the user, ${way}`, async () => {
    await using client = await connectSocket(dev, { transports, namespace: "/a", auth: { user: "ada" } });
    const { user, channels } = await (await fetch(`${dev.url}/api/sessions/${client.socket.id}`)).json();
    assertEquals([user, channels.toSorted()], ["ada", ["$user/ada", "a"]]);
  });
}

Deno.test("a handshake that is refused is told by its status, and a page of a foreign origin is refused", async () => {
  for (
    const [status, query, headers] of [
      [401, "&token=a.b.c", {}],
      [401, "&token=" + unsigned(claims), {}],
      [403, "", { origin: "http://elsewhere.example" }],
      [400, "&user=ada", {}],
    ] as const
  ) {
    const response = await fetch(`${gong.url}/socket.io/?EIO=4&transport=polling${query}`, { headers });
    const { code, message } = await response.json();
    assertEquals([response.status, typeof message], [status, "string"], query);
    if (status !== 400) assertEquals(code, 4);
  }
  await using client = await connectSocket(gong, {
    transports: ["polling"],
    headers: { origin: "http://elsewhere.example" },
    later: true,
  });
  await client.refused();
  await until(() => client.refusals.length > 1);
  assertEquals(client.connects, []);
});
