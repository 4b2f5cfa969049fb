import { assert, assertEquals } from "@std/assert";
import { Commander } from "../support/commands.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { openWebSocket } from "../support/raw.ts";
import { until } from "../support/until.ts";

// deno-lint-ignore no-explicit-any
async function ask(gong: Gong, path: string): Promise<any> {
  return await (await fetch(gong.url + path)).json();
}

async function post(gong: Gong, path: string, body: unknown): Promise<unknown> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return await (await fetch(gong.url + path, init)).json();
}

/** Resolves when so many hear the channel. */
async function present(gong: Gong, channel: string, count: number): Promise<void> {
  let seen: unknown;
  await until(async () => {
    seen = (await ask(gong, `/api/presence?channel=${channel}&limit=0`)).count;
    return seen === count;
  }, () => `${seen} are present, not ${count}`);
}

/** One on each of the two isolates, and as many more as that took. */
async function openOnBoth(gong: Gong, query: (n: number) => string): Promise<Commander[]> {
  const clients: Commander[] = [];
  while (new Set(clients.map(({ edge }) => edge)).size < 2) {
    clients.push(await Commander.open(gong, query(clients.length)));
  }
  return clients;
}

Deno.test("a client that was killed is present until it has missed two pings, and is gone then", async () => {
  await using gong = await startGong(["--isolates", "2", "--ping", "1", "--rule", "room:* presence=joins"]);
  await using other = await Commander.open(gong, "channel=$presence/room:1&user=1");
  // It reads and answers nothing from here on, as one whose machine is gone.
  using killed = await openWebSocket(gong.port, "/push?format=json&channel=room:1&user=42");
  void killed;
  const { data: joined } = await other.publication("$presence/room:1");
  assertEquals([joined.count, joined.users, joined.joined[0].user], [1, 1, "42"]);
  const { data: left } = await other.publication("$presence/room:1");
  assertEquals(left, { count: 0, users: 0, joined: [], left: joined.joined });
  assertEquals((await ask(gong, "/api/users/42")).code, "not_found");
  assertEquals((await ask(gong, "/api/users?prefix=1")).users[0].sessions, [other.session]);
});

for (const [fault, signal] of [["throws", "SIGUSR1"], ["exits", "SIGUSR2"]] as const) {
  Deno.test(`the sessions of an isolate that ${fault} are present no longer, those of the other are`, async () => {
    await using gong = await startGong([], { entry: "tests/support/faulty_server.ts" });
    const clients = await openOnBoth(gong, (n) => `channel=room:1&user=${n}`);
    await present(gong, "room:1", clients.length);
    gong.signal(signal);
    await gong.line((line) => line.includes('"event":"edge.lost"'));
    const left = clients.filter(({ edge }) => edge === 2);
    // Whatever connection the request comes by is one to the isolate that is left, or to the new one.
    await until(() => ask(gong, "/api/presence").then(() => true, () => false));
    const { count, users, present: there } = await ask(gong, "/api/presence?channel=room:1");
    assertEquals([count, users], [left.length, left.length]);
    assertEquals(there.map(({ session }: { session: string }) => session), left.map(({ session }) => session));
    const { sessions, users: all } = await ask(gong, "/api/presence");
    assertEquals([sessions, all], [left.length, left.length]);
    for (const client of left) await client[Symbol.asyncDispose]();
  });
}

Deno.test("totals, users and orders reach over all isolates", async () => {
  await using gong = await startGong(["--isolates", "2", "--rule", "room:* presence=on"]);
  const clients = await openOnBoth(gong, () => "channel=room:1&user=a/b");
  await using other = await Commander.open(gong, "channel=room:1");
  const sessions = clients.length + 1;
  await present(gong, "room:1", sessions);
  assertEquals(await ask(gong, "/api/presence"), { connections: sessions, sessions, users: 1 });
  const { user, count, sessions: own } = await ask(gong, "/api/users/a%2Fb");
  assertEquals([user, count], ["a/b", clients.length]);
  assertEquals(new Set(own.map(({ edge }: { edge: number }) => edge)).size, 2);
  const listed = await ask(gong, "/api/sessions");
  assertEquals(listed.sessions.filter(({ user }: { user?: string }) => user === "a/b").length, clients.length);
  const page = await other.command({ presence: { channel: "room:1", limit: 1 } });
  assertEquals([page.ok.count, page.ok.users, page.ok.present[0].user], [sessions, 1, "a/b"]);
  assert(page.ok.next !== undefined);
  assertEquals(await post(gong, "/api/subscribe", { channel: "extra", user: "a/b" }), { count: clients.length });
  for (const client of clients) {
    await client.take(({ type, channel }) => type === "subscribed" && channel === "extra");
  }
  assertEquals(await post(gong, "/api/unsubscribe", { channel: "room:1", session: other.session }), { count: 1 });
  await other.ofType("unsubscribed");
  await present(gong, "room:1", clients.length);
  assertEquals(await post(gong, "/api/disconnect", { user: "a/b" }), { count: clients.length });
  await present(gong, "room:1", 0);
  assertEquals((await ask(gong, "/api/presence")).sessions, 1);
  for (const client of clients) await client[Symbol.asyncDispose]();
});
