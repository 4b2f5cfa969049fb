import { assert, assertEquals } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import { Expiry } from "../../lib/edge/expiry.ts";
import type { Session } from "../../lib/session.ts";
import { Stage } from "../support/stage.ts";

const TOKEN: Grant = { name: "user:42", scopes: [], user: { id: "42", subscribe: () => true, publish: () => true } };
const LOGIN: Grant = { name: "ops", scopes: ["admin"], login: "a-login" };

Deno.test("Expiry.sweep() ends those whose token or login is over, and no other", async () => {
  await using stage = new Stage();
  let now = 0;
  const expiry = new Expiry(() => now);
  const connect = (grant: Grant) => {
    const client = stage.edge.json({ grant });
    expiry.watch(client.session);
    return client;
  };
  // The edge itself goes by the real clock, by which all of these last.
  const later = Date.now() + 3_600_000;
  const [user, admin, longer, unbounded] = [
    connect({ ...TOKEN, until: later }),
    connect({ ...LOGIN, until: later }),
    connect({ ...TOKEN, until: later + 1 }),
    connect(TOKEN),
  ];
  now = later - 1;
  expiry.sweep();
  assertEquals(user.socket.closed, undefined);
  now = later;
  expiry.sweep();
  assertEquals(await user.socket.end(), { code: 4401, reason: "The token has expired." });
  assertEquals(await admin.socket.end(), { code: 4401, reason: "The login has ended." });
  now = later + 1;
  expiry.forget(longer.session);
  expiry.sweep();
  assertEquals([longer.socket.closed, unbounded.socket.closed], [undefined, undefined]);
});

Deno.test("Expiry keeps little of those who have left: users who poll, with one token or ever new ones", () => {
  const expiry = new Expiry(() => 0);
  const visit = (user: number, poll = 0) => ({ until: 1e9 + user + (poll % 2) * poll * 1000 }) as Session;
  const sessions = Array.from({ length: 500 }, (_, user) => visit(user));
  for (const session of sessions) expiry.watch(session);
  for (let poll = 0; poll < 20_000; poll++) {
    const user = poll % sessions.length;
    expiry.forget(sessions[user]!);
    expiry.watch(sessions[user] = visit(user, poll));
  }
  assert(expiry.size <= 2 * 1024, `${expiry.size} entries`);
  expiry.close();
});

Deno.test("Expiry.watch() goes by the newest grant", async () => {
  await using stage = new Stage();
  let now = 0;
  const expiry = new Expiry(() => now);
  const later = Date.now() + 3_600_000;
  const clients = [later + 10, later - 10].map((renewed) => {
    const client = stage.edge.json({ grant: { ...TOKEN, until: later } });
    expiry.watch(client.session);
    expiry.forget(client.session);
    client.session.grant = { ...TOKEN, until: renewed };
    expiry.watch(client.session);
    return client;
  });
  const closed = () => clients.map(({ socket }) => socket.closed?.code);
  now = later - 10;
  expiry.sweep();
  assertEquals(closed(), [undefined, 4401]);
  now = later;
  expiry.sweep();
  assertEquals(closed(), [undefined, 4401]);
  now = later + 10;
  expiry.sweep();
  assertEquals(closed(), [4401, 4401]);
});
