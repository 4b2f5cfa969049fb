/**
 * Messages between sessions, over real edges and a real hub.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import { plain } from "../../lib/doors/plain.ts";
import { MAX_QUESTIONS } from "../../lib/edge/questions.ts";
import { compileGlobs } from "../../lib/globs.ts";
import { type Client, type ConnectOptions, Stage, type StageEdge } from "../support/stage.ts";

/** A user who may publish to channels of these patterns. */
function user(id: string, ...publish: string[]): Grant {
  return {
    name: `user:${id}`,
    scopes: [],
    user: { id, subscribe: () => false, publish: compileGlobs(publish) },
  };
}

let asked = 0;

/** Gives a command and returns what it is answered. */
// deno-lint-ignore no-explicit-any
async function command({ socket }: Client, line: Record<string, unknown>): Promise<any> {
  const id = `m${++asked}`;
  socket.say(JSON.stringify({ id, ...line }));
  const { id: _, ...answer } = await socket.answer(id);
  return answer;
}

/** The next signal of a client beyond those that it has. */
// deno-lint-ignore no-explicit-any
async function nextSignal({ socket }: Client, before = 0): Promise<any> {
  await socket.until(() => socket.ofType("signal").length > before);
  return socket.ofType("signal")[before];
}

async function stageOf(count: number, options: ConnectOptions[] = []): Promise<{ stage: Stage; clients: Client[] }> {
  const stage = new Stage({ edges: 2 });
  const clients = Array.from({ length: count }, (_, n) => {
    return stage.edges[n % 2]!.connect({ channels: ["a"], ...options[n] });
  });
  await Promise.all(clients.map(({ socket }) => socket.subscribed()));
  return { stage, clients };
}

const CONTENTS = [
  [{ data: "text" }, { data: "text" }],
  [{ data: { a: [1, null] } }, { data: { a: [1, null] } }],
  [{ data: '"a string"', contentType: "application/json" }, { data: "a string", contentType: "application/json" }],
  [{ data: "AP8=", encoding: "base64" }, {
    data: "AP8=",
    encoding: "base64",
    contentType: "application/octet-stream",
  }],
] as const;

Deno.test("send reaches the sessions that are named, on every edge, with who it is from, and nobody else", async () => {
  const { stage, clients } = await stageOf(4, [{ grant: user("7") }]);
  await using _ = stage;
  const [from, one, two, other] = clients as [Client, Client, Client, Client];
  for (const [index, [content, shown]] of CONTENTS.entries()) {
    const sessions = [one.id, two.id, "1-nobody", "zz-1", "x"];
    assertEquals(await command(from, { send: { sessions, ...content } }), { ok: { reached: 2 } });
    for (const client of [one, two]) {
      assertEquals(await nextSignal(client, index), { type: "signal", ...shown, from: from.id, user: "7" });
    }
  }
  assertEquals(await command(from, { send: { sessions: ["2-gone"], data: 1 } }), { ok: { reached: 0 } });
  assertEquals(await command(other, { send: { sessions: [other.id], data: "to myself" } }), { ok: { reached: 1 } });
  assertEquals(await nextSignal(other), { type: "signal", data: "to myself", from: other.id });
  assertEquals([from, one, two, other].map(({ socket }) => socket.ofType("signal").length), [0, 4, 4, 1]);
});

Deno.test("ask is answered by the first who answers, with what that says and who it is", async () => {
  const { stage, clients } = await stageOf(4, [{}, {}, { grant: user("2") }]);
  await using _ = stage;
  const [asker, slow, quick, bystander] = clients as [Client, Client, Client, Client];
  const asking = command(asker, { ask: { sessions: [slow.id, quick.id], data: "how many?" } });
  const [one, two] = await Promise.all([nextSignal(slow), nextSignal(quick)]);
  const { reply, ...rest } = one;
  assertEquals([rest, two], [{ type: "signal", data: "how many?", from: asker.id }, one]);
  assertEquals(await command(quick, { answer: { reply, data: { n: 42 } } }), { ok: {} });
  assertEquals(await asking, { ok: { reached: 2, data: { n: 42 }, from: quick.id, user: "2" } });
  for (const client of [slow, quick, asker, bystander]) {
    const { error } = await command(client, { answer: { reply, data: "me too" } });
    assertEquals(error.code, "not_found");
  }
  assertEquals(stage.edges.map(({ edge }) => edge.messaging.questions), [0, 0]);
});

Deno.test("ask may be answered by whoever was given the reply", async () => {
  const { stage, clients } = await stageOf(3);
  await using _ = stage;
  const [asker, asked, expert] = clients as [Client, Client, Client];
  const asking = command(asker, { ask: { sessions: [asked.id], data: "?" } });
  const { reply } = await nextSignal(asked);
  await command(asked, { send: { sessions: [expert.id], data: { reply } } });
  const told = await nextSignal(expert);
  assertEquals(await command(expert, { answer: { reply: told.data.reply, data: "!" } }), { ok: {} });
  assertEquals(await asking, { ok: { reached: 1, data: "!", from: expert.id } });
});

Deno.test("ask carries every kind of data both ways", async () => {
  const { stage, clients } = await stageOf(2);
  await using _ = stage;
  const [asker, asked] = clients as [Client, Client];
  for (const [index, [content, shown]] of CONTENTS.entries()) {
    const asking = command(asker, { ask: { sessions: [asked.id], ...content } });
    const { reply, ...question } = await nextSignal(asked, index);
    assertEquals(question, { type: "signal", ...shown, from: asker.id });
    await command(asked, { answer: { reply, ...content } });
    assertEquals(await asking, { ok: { reached: 1, ...shown, from: asked.id } });
  }
});

Deno.test("ask of nobody is not_found at once, one that nobody answers a timeout, and its reply is worth nothing then", async () => {
  const { stage, clients } = await stageOf(2);
  await using _ = stage;
  const [asker, asked] = clients as [Client, Client];
  for (const sessions of [["2-nobody"], ["9-nobody"], ["nobody"]]) {
    const { error } = await command(asker, { ask: { sessions, data: "?", timeout: 60 } });
    assertEquals(error.code, "not_found");
  }
  const { error } = await command(asker, { ask: { sessions: [asked.id], data: "?", timeout: 0.1 } });
  assertEquals(error.code, "timeout");
  const { reply } = await nextSignal(asked);
  assertEquals((await command(asked, { answer: { reply, data: "late" } })).error.code, "not_found");
  assertEquals(stage.edge.edge.messaging.questions, 0);
});

Deno.test("ask asks oneself only if one is named, and then one may answer", async () => {
  const { stage, clients } = await stageOf(2);
  await using _ = stage;
  const [asker, other] = clients as [Client, Client];
  const asking = command(asker, { ask: { sessions: [asker.id], data: "?" } });
  const { reply } = await nextSignal(asker);
  assertEquals(await command(asker, { answer: { reply, data: "!" } }), { ok: {} });
  assertEquals(await asking, { ok: { reached: 1, data: "!", from: asker.id } });
  const foreign = command(asker, { ask: { sessions: [other.id], data: "?", timeout: 0.1 } });
  await nextSignal(other);
  assertEquals(asker.socket.ofType("signal").length, 1, "nobody tells it the reply");
  assertEquals((await foreign).error.code, "timeout");
});

Deno.test("a storm of questions holds no more than its bound, and the session goes on", async () => {
  const { stage, clients } = await stageOf(2);
  await using _ = stage;
  const [asker, asked] = clients as [Client, Client];
  const storm = Array.from({ length: 90 }, (_, n) => {
    return command(asker, { ask: { sessions: [asked.id], data: n, timeout: 0.5 } });
  });
  assertEquals(stage.edge.edge.messaging.questions, MAX_QUESTIONS);
  const codes = (await Promise.all(storm)).map(({ error }) => error.code);
  assertEquals(codes.filter((code) => code === "too_many").length, 90 - MAX_QUESTIONS);
  assertEquals(codes.filter((code) => code === "timeout").length, MAX_QUESTIONS);
  assertEquals(stage.edge.edge.messaging.questions, 0);
  assertEquals(await stage.figure("gong_refused_total", { reason: "too_many" }), 90 - MAX_QUESTIONS);
  assertEquals([asker.socket.closed, asked.socket.closed], [undefined, undefined]);
});

Deno.test("questions end with the session that has put them", async () => {
  const { stage, clients } = await stageOf(2);
  await using _ = stage;
  const [asker, asked] = clients as [Client, Client];
  asker.socket.say(JSON.stringify({ id: 1, ask: { sessions: [asked.id], data: "?" } }));
  const { reply } = await nextSignal(asked);
  asker.socket.vanish();
  assertEquals(stage.edge.edge.messaging.questions, 0);
  assertEquals((await command(asked, { answer: { reply, data: "!" } })).error.code, "not_found");
});

Deno.test("a question to a session that goes, or whose edge dies, times out, and nothing is left of it", async () => {
  for (const end of ["session", "edge"] as const) {
    const { stage, clients } = await stageOf(2);
    await using _ = stage;
    const [asker, asked] = clients as [Client, Client];
    const asking = command(asker, { ask: { sessions: [asked.id], data: "?", timeout: 0.3 } });
    await nextSignal(asked);
    // Until the hub knows that it was reached, it is as if nobody had been there.
    for (let n = 0; n < 3; n++) await Promise.all(stage.edges.map(({ hub }) => hub.readiness()));
    if (end === "session") asked.socket.vanish();
    else stage.hub.detach(2);
    assertEquals((await asking).error.code, "timeout", end);
    assertEquals(stage.edge.edge.messaging.questions, 0);
    const again = await command(asker, { ask: { sessions: [asked.id], data: "?" } });
    assertEquals(again.error.code, "not_found", end);
  }
});

Deno.test("a question is answered although another edge that was asked says nothing", async () => {
  await using stage = new Stage();
  stage.startSilentEdge(7, { signal: () => new Promise(() => {}) });
  const [asker, asked] = [stage.edge.connect(), stage.edge.connect()];
  const asking = command(asker, { ask: { sessions: [asked.id, "7-silent"], data: "?" } });
  const { reply } = await nextSignal(asked);
  await command(asked, { answer: { reply, data: "!" } });
  assertEquals(await asking, { ok: { reached: 1, data: "!", from: asked.id } });
});

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

Deno.test("send and ask take the right to all whom they name, and the refusal says to whom not", async () => {
  await using stage = new Stage({ config: { dev: false, apiKey: [] } });
  const target = stage.edge.connect();
  const grant = user("1", "$user/2", "$session/1-ok*", `$session/${target.id}`);
  const client = stage.edge.connect({ grant });
  const nobody = stage.edge.connect();
  const refused = async (from: Client, line: Record<string, unknown>) => (await command(from, line)).error?.message;
  for (const name of ["send", "ask"]) {
    assertEquals(
      await refused(client, { [name]: { users: ["2", "3", "4"], data: "x" } }),
      "Publishing to $user/3 is not allowed.",
    );
    assertEquals(
      await refused(client, { [name]: { users: ["a b"], data: "x" } }),
      "Publishing to $user/a%20b is not allowed.",
    );
    assertEquals(
      await refused(client, { [name]: { sessions: ["1-ok", "2-ok"], data: "x" } }),
      "Publishing to $session/2-ok is not allowed.",
    );
    assertEquals(
      await refused(nobody, { [name]: { sessions: [target.id], data: "x" } }),
      `Publishing to $session/${target.id} is not allowed.`,
    );
  }
  assertEquals(await command(client, { send: { sessions: [target.id], data: "x" } }), { ok: { reached: 1 } });
  assertEquals((await nextSignal(target)).user, "1");
  // Who is asked may answer, whatever else it may not.
  const asking = command(client, { ask: { sessions: [target.id], data: "?" } });
  const { reply } = await nextSignal(target, 1);
  assertEquals(await command(target, { answer: { reply, data: "!" } }), { ok: {} });
  assertEquals(await asking, { ok: { reached: 1, data: "!", from: target.id } });
  assertEquals(await stage.figure("gong_refused_total", { reason: "forbidden" }), 8);
});

Deno.test("what becomes too large by its copies is refused", async () => {
  await using stage = new Stage({ config: { maxMessage: 300_000, outbox: 1 << 20, apiKey: [] } });
  const client = stage.edge.connect();
  const sessions = Array.from({ length: 100 }, (_, n) => `1-${n}`);
  const data = "x".repeat(200_000);
  assertEquals((await command(client, { send: { sessions, data } })).error.code, "too_large");
  assertEquals(await command(client, { send: { sessions: sessions.slice(50), data } }), { ok: { reached: 0 } });
  assertEquals(client.socket.closed, undefined);
});

Deno.test("what the hub does not take in is refused with overloaded, and does not pile up", async () => {
  await using stage = new Stage({ config: { busLag: 100_000 } });
  const { edge, paths } = stage.startDelayedEdge();
  const client = edge.connect();
  const data = "x".repeat(20_000);
  const sent = Array.from({ length: 20 }, (_, n) => {
    return command(client, { [n % 2 ? "send" : "ask"]: { sessions: ["1-a"], data, ...n % 2 ? {} : { timeout: 0.2 } } });
  });
  const codes = (await Promise.all(sent.slice(6))).map(({ error }) => error.code);
  assertEquals(new Set(codes), new Set(["overloaded"]));
  client.socket.vanish();
  paths.close();
});

Deno.test("a reply is in no line of the log, and in no answer but the signal of who is asked", async () => {
  const { stage, clients } = await stageOf(3);
  await using _ = stage;
  const [asker, asked, other] = clients as [Client, Client, Client];
  const asking = command(asker, { ask: { sessions: [asked.id], data: "?" } });
  const { reply } = await nextSignal(asked);
  await command(asked, { answer: { reply, data: "!" } });
  await asking;
  await command(asked, { answer: { reply, data: "!" } });
  const logs = [stage.log, ...stage.edges.map(({ log }) => log)].flatMap(({ events }) => events);
  assert(!JSON.stringify(logs).includes(reply));
  assert(![...asker.socket.lines, ...other.socket.lines].some((line) => line.includes(reply)));
  assertEquals(asked.socket.lines.filter((line) => line.includes(reply)).length, 1);
});

Deno.test("a session of the plain door hears a signal as its data alone", async () => {
  const { stage, clients } = await stageOf(1);
  await using _ = stage;
  const [from] = clients as [Client];
  const to = (stage.edges[1] as StageEdge).connect({ door: plain, channels: ["a"] });
  await command(from, { send: { sessions: [to.id], data: { a: 1 } } });
  await command(from, { send: { sessions: [to.id], data: "AP8=", encoding: "base64" } });
  assertEquals(await to.socket.frames(2), ['{"a":1}', Uint8Array.of(0, 255)]);
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
  client.session.grant = user("7", "a");
  const { hub } = stage.edge;
  for (;;) {
    const { top } = await hub.history("a", { last: 1 }, {});
    if (top.offset === 1) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(errors().length, 1);
  client.socket.vanish();
});
