/**
 * Messages between sessions, over real edges and a real hub.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { plain } from "../../lib/doors/plain.ts";
import { MAX_QUESTIONS } from "../../lib/edge/questions.ts";
import { command, nextSignal, stageOf, user } from "../support/messages.ts";
import { type Client, Stage, type StageEdge } from "../support/stage.ts";

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

Deno.test("send and ask count towards the message rate once for each target", async () => {
  await using stage = new Stage({ config: { messageRate: 10 } });
  const client = stage.edges[0]!.connect();
  await client.socket.until(() => client.socket.ofType("welcome").length > 0);
  const sessions = Array.from({ length: 15 }, (_, n) => `zz-${n}`);
  assertEquals(await command(client, { send: { sessions, data: 1 } }), { ok: { reached: 0 } });
  for (const name of ["send", "ask"]) {
    const { error } = await command(client, { [name]: { sessions, data: 1 } });
    assertEquals(error.code, "rate_limited");
  }
});

Deno.test("send to more than a burst has takes all of it, and is possible", async () => {
  await using stage = new Stage({ config: { messageRate: 100 } });
  const client = stage.edges[0]!.connect();
  await client.socket.until(() => client.socket.ofType("welcome").length > 0);
  const sessions = Array.from({ length: 100 }, (_, n) => `zz-${n}`);
  assertEquals(await command(client, { send: { sessions, data: 1 } }), { ok: { reached: 0 } });
});
