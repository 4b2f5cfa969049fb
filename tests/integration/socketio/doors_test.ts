/** What Socket.IO says is heard by every door, and the other way round. */
import { assert, assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { connect } from "../../support/client.ts";
import { type Gong, startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { plain, shape } from "../../support/socketio/plain.ts";
import { connectSocket, LIBRARIES, type Library, publicIdOf, type SocketClient } from "../../support/socketio/mod.ts";

let gong: Gong;
let place = 0;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2", "--eio3"]);
});
Deno.test.afterAll(() => gong.kill());

function newChannel(): string {
  return `doors-${++place}`;
}

/** A namespace that a connection may be in first; that of version 2 is always in `/`. */
function firstOf(library: Library): string {
  return library.protocol === 3 ? "/" : `/${newChannel()}`;
}

/** Its public id, by the namespace's channel that it alone is in. */
function idOf(client: SocketClient, channel: string): Promise<string> {
  return publicIdOf(gong, client, channel);
}

/** A client of the JSON door, and its lines. */
async function openJson(query: string) {
  const client = await connect(`${gong.ws}/push?format=json&${query}`);
  const lines: Record<string, unknown>[] = [];
  /** The next line of which this is so; those before it are passed over. */
  // deno-lint-ignore no-explicit-any
  async function line(matches: (line: Record<string, unknown>) => boolean): Promise<any> {
    for (;;) {
      while (lines.length === 0) {
        lines.push(...String(await client.next()).split("\n").map((text) => JSON.parse(text)));
      }
      const next = lines.shift()!;
      if (matches(next)) return next;
    }
  }
  await line(({ type }) => type === "welcome");
  return {
    line,
    publication: () => line(({ type, id }) => type === undefined && id === undefined),
    say: (command: object) => client.socket.send(JSON.stringify(command)),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${gong.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  assertEquals(response.status, 200, JSON.stringify(answer));
  return answer;
}

const BYTES = new Uint8Array([0, 1, 254, 255]);

for (const library of LIBRARIES) {
  Deno.test(`${library.name} hears what back-ends and other doors publish, as the event that it names or message`, async () => {
    const channel = newChannel();
    await using client = await connectSocket(gong, { library, namespace: `/${channel}` });
    const cases: readonly [sent: Record<string, unknown>, heard: readonly unknown[]][] = [
      [{ data: "text" }, ["message", "text"]],
      [{ data: { a: [1] } }, ["message", { a: [1] }]],
      [{ data: [1, 2] }, ["message", [1, 2]]],
      [{ data: [1, { two: 2 }], event: "named" }, ["named", 1, { two: 2 }]],
      [{ data: [], event: "named" }, ["named"]],
      [{ data: { a: 1 }, event: "named" }, ["named", { a: 1 }]],
      [{ data: "text", event: "named" }, ["named", "text"]],
      [{ data: "", event: "named" }, ["named", ""]],
      [{ data: null, contentType: "application/json" }, ["message", null]],
      [{ data: BYTES }, ["message", BYTES]],
      [{ data: BYTES, event: "named" }, ["named", BYTES]],
    ];
    await publish(gong, cases.map(([sent]) => ({ channel, data: undefined, ...sent })));
    assertEquals(plain(await client.nextFew(cases.length)), cases.map(([, heard]) => [...heard]));

    await using talker = await connect(`${gong.ws}/push?channel=${channel}&echo=false`);
    talker.socket.send("from the plain door");
    await using json = await openJson(`channel=${channel}`);
    json.say({ id: 1, publish: { channel, data: ["json"], event: "named" } });
    const heard = await client.nextFew(2);
    assertEquals(heard.toSorted(), [["message", "from the plain door"], ["named", "json"]]);
  });

  Deno.test(`${library.name} is heard by other doors: the event, the list of its arguments, and who it was`, async () => {
    const channel = newChannel();
    const query = library.protocol === 3 ? { query: { user: "ada" } } : { auth: { user: "ada" } };
    await using json = await openJson(`channel=${channel}`);
    await json.line(({ type }) => type === "subscribed");
    await using text = await connect(`${gong.ws}/push?channel=${channel}`);
    await using client = await connectSocket(gong, { library, namespace: `/${channel}`, ...query });
    await client.ask("greet", { a: 1 }, "two", null);
    const { event, data, user, from, offset, contentType } = await json.publication();
    assertEquals([event, data, user, from, offset], ["greet", [{ a: 1 }, "two", null], "ada", from, 1]);
    assertEquals(contentType, undefined);
    assertEquals(from, await idOf(client, channel));
    assertEquals(await text.next(), '[{"a":1},"two",null]');

    client.emit("mixed", ...shape(["before", { deep: BYTES }], library.toBytes));
    const mixed = await json.publication();
    assertEquals(mixed.data, ["before", { deep: { _placeholder: true, base64: encodeBase64(BYTES) } }]);
    assertEquals(mixed.tags, { binary: "base64" });
    await text.next();
    client.emit("bytes", library.toBytes(BYTES));
    const bytes = await json.publication();
    assertEquals([bytes.event, bytes.data, bytes.encoding], ["bytes", encodeBase64(BYTES), "base64"]);
    assertEquals(await text.next(), BYTES);
    // What only looks like bytes is what it is.
    client.emit("like", { _placeholder: true, num: 0 }, { _placeholder: true, base64: "AAAA" });
    const like = await json.publication();
    assertEquals([like.data, like.tags], [
      [{ _placeholder: true, num: 0 }, { _placeholder: true, base64: "AAAA" }],
      undefined,
    ]);
  });

  Deno.test(`${library.name} gets what goes to its user and to itself in the namespace that it was first in`, async () => {
    const user = `user-${newChannel()}`;
    const who = library.protocol === 3 ? { query: { user } } : { auth: { user } };
    const namespace = firstOf(library);
    await using first = await connectSocket(gong, { library, namespace, ...who });
    const channel = newChannel();
    await using second = await connectSocket(gong, { library, namespace: `/${channel}`, beside: first, ...who });
    const id = await idOf(second, channel);
    await post("/api/publish", { users: [user], data: { to: "user" }, event: "inbox" });
    assertEquals(await first.nextFew(1), [["inbox", { to: "user" }]]);
    assertEquals((await post("/api/publish", { sessions: [id], data: "to the session" })).reached, 1);
    assertEquals(await first.nextFew(1), [["message", "to the session"]]);

    await using json = await openJson("user=bob");
    json.say({ id: 1, send: { sessions: [id], data: [1] } });
    const { args: [data, { user: sender, from }] } = await first.next();
    assertEquals([data, sender, typeof from], [[1], "bob", "string"]);
    second.emit("mark");
    assertEquals(await second.nextFew(1), [["mark"]]);
    assertEquals(first.heard.length, 3);
  });

  Deno.test(`${library.name} is asked, and its acknowledgement is the answer`, async () => {
    await using client = await connectSocket(gong, { library, namespace: firstOf(library) });
    const channel = newChannel();
    await using beside = await connectSocket(gong, { library, namespace: `/${channel}`, beside: client });
    const session = await idOf(beside, channel);
    await using json = await openJson("user=bob");
    const answers = [{ n: 1 }, "text", [1, 2], 0, null];
    for (const [id, answer] of answers.entries()) {
      json.say({ id, ask: { sessions: [session], data: { question: id } } });
      const { event, args, ack } = await client.next();
      assertEquals([event, args[0], args[1].user, typeof ack], ["message", { question: id }, "bob", "function"]);
      ack!(answer);
      const { ok } = await json.line((line) => line.id === id);
      assertEquals([ok.data, ok.from], [answer, session]);
    }
    json.say({ id: "bytes", ask: { sessions: [session], data: BYTES.join() } });
    (await client.next()).ack!(library.toBytes(BYTES));
    const { ok } = await json.line(({ id }) => id === "bytes");
    assertEquals([ok.data, ok.encoding], [encodeBase64(BYTES), "base64"]);
  });
}

Deno.test("the secrets of a connection, its sid and its pid, are in no list, no answer and no log", async () => {
  const channel = newChannel();
  await using loud = await startGong([
    "--isolates",
    "2",
    "--log-level",
    "debug",
    "--rule",
    `${channel} presence=joins`,
  ]);
  await using client = await connectSocket(loud, { namespace: `/${channel}`, transports: ["polling"] });
  await client.ask("hello");
  const { _pid: pid } = client.socket as unknown as { _pid: string };
  const secrets = [client.manager.engine.id, pid];
  for (const secret of secrets) assert(typeof secret === "string" && secret.length >= 20, secret);
  assert(!secrets.includes(client.socket.id));
  const paths = ["sessions", `sessions/${client.socket.id}`, `presence?channel=${channel}`, "stats", "recent"];
  const texts = await Promise.all([...paths.map((path) => `api/${path}`), "metrics"].map(async (path) => {
    const response = await fetch(`${loud.url}/${path}`);
    assertEquals(response.status, 200, path);
    return await response.text();
  }));
  const said = [...texts, loud.output()].join("\n");
  assert(said.includes(client.socket.id));
  for (const secret of secrets) assert(!said.includes(secret), "a secret was told");
});
