import { assert, assertEquals } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import { command, nextSignal, user } from "../support/messages.ts";
import { Stage } from "../support/stage.ts";

const ADMIN: Grant = { name: "ops", scopes: ["admin"] };

const HOSTILE: readonly (readonly [command: Record<string, unknown>, code: string])[] = [
  [{ send: { data: "x" } }, "bad_request"],
  [{ send: { users: ["1"], sessions: ["1-a"], data: "x" } }, "bad_request"],
  [{ send: { sessions: [], data: "x" } }, "bad_request"],
  [{ send: { sessions: "all", data: "x" } }, "bad_request"],
  [{ send: { sessions: { length: 1, 0: "1-a" }, data: "x" } }, "bad_request"],
  [{ send: { sessions: null, data: "x" } }, "bad_request"],
  [{ send: { sessions: Array.from({ length: 101 }, (_, n) => `1-${n}`), data: "x" } }, "bad_request"],
  [{ send: { sessions: Array.from({ length: 5000 }, () => "1-a"), data: "x" } }, "bad_request"],
  [{ send: { sessions: ["1-a", "1-a"], data: "x" } }, "bad_request"],
  [{ send: { sessions: [""], data: "x" } }, "bad_request"],
  [{ send: { sessions: [1], data: "x" } }, "bad_request"],
  [{ send: { sessions: [["1-a"]], data: "x" } }, "bad_request"],
  [{ send: { sessions: ["1-a b"], data: "x" } }, "bad_request"],
  [{ send: { sessions: ["1-a*"], data: "x" } }, "bad_request"],
  [{ send: { sessions: [`1-${"a".repeat(200)}`], data: "x" } }, "bad_request"],
  [{ send: { users: [""], data: "x" } }, "bad_request"],
  [{ send: { users: ["\ud800"], data: "x" } }, "bad_request"],
  [{ send: { users: ["a\nb"], data: "x" } }, "bad_request"],
  [{ send: { users: ["ü".repeat(128)], data: "x" } }, "bad_request"],
  [{ send: { sessions: ["1-a"] } }, "bad_request"],
  [{ send: { sessions: ["1-a"], data: "x", from: "1-other" } }, "bad_request"],
  [{ send: { sessions: ["1-a"], data: "x", user: "other" } }, "bad_request"],
  [{ send: { sessions: ["1-a"], data: "x", reply: "1-x" } }, "bad_request"],
  [{ send: { sessions: ["1-a"], data: "x", event: "e" } }, "bad_request"],
  [{ ask: { sessions: ["1-a"], data: "x", timeout: 0 } }, "bad_request"],
  [{ ask: { sessions: ["1-a"], data: "x", timeout: -1 } }, "bad_request"],
  [{ ask: { sessions: ["1-a"], data: "x", timeout: 61 } }, "bad_request"],
  [{ ask: { sessions: ["1-a"], data: "x", timeout: "1" } }, "bad_request"],
  [{ ask: { sessions: ["1-a"], data: "x", timeout: null } }, "bad_request"],
  [{ ask: { sessions: ["1-a"], data: "x", reply: "1-x" } }, "bad_request"],
  [{ answer: { data: "x" } }, "bad_request"],
  [{ answer: { reply: "", data: "x" } }, "bad_request"],
  [{ answer: { reply: 7, data: "x" } }, "bad_request"],
  [{ answer: { reply: ["1-x"], data: "x" } }, "bad_request"],
  [{ answer: { reply: "x".repeat(129), data: "x" } }, "bad_request"],
  [{ answer: { reply: "1-x" } }, "bad_request"],
  [{ answer: { reply: "1-x-y", data: "x" } }, "not_found"],
  [{ answer: { reply: "99-x-y", data: "x" } }, "not_found"],
  [{ answer: { reply: "-", data: "x" } }, "not_found"],
  [{ answer: { reply: "__proto__", data: "x" } }, "not_found"],
  [{ every: { seconds: 0.5, data: "x" } }, "bad_request"],
  [{ every: { seconds: 3601, data: "x" } }, "bad_request"],
  [{ every: { seconds: "10", data: "x" } }, "bad_request"],
  [{ every: { seconds: 1 } }, "bad_request"],
  [{ every: { channel: "a b", data: "x" } }, "bad_request"],
  [{ every: { channel: "a", data: "x", id: "always the same" } }, "bad_request"],
  [{ every: { data: "x", event: "e" } }, "bad_request"],
  [{ stop: { all: true } }, "bad_request"],
  [{ presence: {} }, "bad_request"],
  [{ presence: { channel: "a", limit: 501 } }, "bad_request"],
  [{ presence: { channel: "a", limit: -1 } }, "bad_request"],
  [{ presence: { channel: "a", after: "x".repeat(257) } }, "bad_request"],
];

Deno.test("what is said to others in the wrong way is refused by an answer, and nothing is left of it", async () => {
  await using stage = new Stage();
  for (const [line, code] of HOSTILE) {
    const client = stage.edge.connect();
    const { error } = await command(client, line);
    assertEquals(error?.code, code, JSON.stringify(line).slice(0, 200));
    assert(error.message.length < 300, error.message);
    assertEquals(client.socket.closed, undefined);
    assertEquals(client.session.stop(), false);
    client.socket.vanish();
  }
  assertEquals(stage.edge.edge.messaging.questions, 0);
});

Deno.test("every fires at once and again, to the session itself, until stop", async () => {
  await using stage = new Stage();
  const client = stage.edge.connect({ grant: user("7") });
  assertEquals(await command(client, { every: { data: { tick: true }, seconds: 1 } }), { ok: { seconds: 1 } });
  const expected = { type: "signal", data: { tick: true }, from: client.id, user: "7" };
  assertEquals(await nextSignal(client), expected);
  assertEquals(await nextSignal(client, 1), expected);
  assertEquals(await command(client, { stop: {} }), { ok: { stopped: true } });
  assertEquals(await command(client, { stop: {} }), { ok: { stopped: false } });
});

Deno.test("every publishes to a channel as the session, and a new one takes its place", async () => {
  await using stage = new Stage();
  const [client, other] = [stage.edge.connect({ grant: user("7") }), stage.edge.json()];
  await other.socket.subscribed();
  const first = { channel: "a", seconds: 1, data: "first", event: "e", tags: { x: "y" } };
  assertEquals(await command(client, { every: first }), { ok: { seconds: 1 } });
  await other.socket.until(() => other.socket.publications.length === 2);
  assertEquals(await command(client, { every: { channel: "a", data: "second" } }), { ok: { seconds: 10 } });
  await other.socket.until(() => other.socket.publications.length === 3);
  const heard = other.socket.publications.map(({ offset, data, from, user, event, tags }) => {
    return [offset, data, from, user, event, tags?.x];
  });
  const who = [client.id, "7"];
  assertEquals(heard, [
    [1, "first", ...who, "e", "y"],
    [2, "first", ...who, "e", "y"],
    [3, "second", ...who, undefined, undefined],
  ]);
  client.socket.vanish();
  assertEquals(client.session.stop(), false);
});

Deno.test("every is judged anew each time, and what is refused is told and does not end it", async () => {
  await using stage = new Stage({ config: { dev: false, apiKey: [] } });
  const client = stage.edge.connect({ grant: user("7") });
  assertEquals(await command(client, { every: { channel: "a", seconds: 1, data: "x" } }), { ok: { seconds: 1 } });
  const errors = () => client.socket.lines.map((line) => JSON.parse(line)).filter(({ id, error }) => !id && error);
  await client.socket.until(() => errors().length === 1);
  assertEquals(errors()[0].error.code, "forbidden");
  const listener = stage.edge.connect({ grant: ADMIN, channels: ["a"] });
  await listener.socket.until(() => listener.socket.lines.some((line) => line.includes('"subscribed"')));
  client.session.grant = user("7", "a");
  await listener.socket.until(() => listener.socket.lines.some((line) => JSON.parse(line).offset === 1));
  assertEquals(errors().length, 1);
  client.socket.vanish();
});

Deno.test("every skips its times while much waits for the client, and goes on when that is taken", async () => {
  await using stage = new Stage({ config: { outbox: 10_000 } });
  const client = stage.edge.connect();
  const other = stage.edge.json();
  await Promise.all([client.socket.frames(1), other.socket.subscribed()]);
  client.socket.reads = "nothing";
  await stage.edge.hub.signal([client.id], { data: "x".repeat(6000), contentType: "text/plain" });
  client.socket.say('{"every":{"channel":"a","seconds":1,"data":"x"}}');
  // Another one has the time, and does not wait.
  await command(other, { every: { seconds: 1, data: "tick" } });
  await nextSignal(other, 1);
  assertEquals(other.socket.publications, []);
  client.socket.reads = "at once";
  client.socket.take();
  await other.socket.until(() => other.socket.publications.length === 1);
  assertEquals(client.socket.closed, undefined);
  for (const { socket } of [client, other]) socket.vanish();
});

Deno.test("presence shows what tokens have brought as values, and refuses where there is none", async () => {
  await using stage = new Stage({ config: { rule: ["a presence=on"] } });
  const grant = user("7");
  const info = '{"name":"Zoë","big":12345678901234567890}';
  const client = stage.edge.json({ grant: { ...grant, user: { ...grant.user!, info } } });
  await client.socket.subscribed();
  await stage.edge.hub.readiness();
  const { ok } = await command(client, { presence: { channel: "a" } });
  const [{ since, ...present }] = ok.present;
  assert(Number.isInteger(since));
  assertEquals([ok.count, ok.users, present], [1, 1, { session: client.id, user: "7", info: JSON.parse(info) }]);
  assert(client.socket.lines.at(-1)!.includes('"big":12345678901234567890'), "every digit");
  assertEquals((await command(client, { presence: { channel: "b" } })).error.code, "forbidden");
});
