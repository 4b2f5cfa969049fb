import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import { Stage } from "../support/stage.ts";

Deno.test("the JSON door greets with the session's id and the version", async () => {
  await using stage = new Stage();
  const { socket, id } = stage.edge.connect();
  await socket.frames(1);
  assertEquals(socket.lines.map((line) => JSON.parse(line)), [{ type: "welcome", session: id, version: VERSION }]);
});

const REFUSED: readonly (readonly [line: string, code: string, says: string])[] = [
  ["{}", "bad_request", "one command"],
  ['{"ping":{},"publish":{}}', "bad_request", "one command"],
  ['{"pong":{}}', "bad_request", "ping"],
  ['{"constructor":{}}', "bad_request", "no field"],
  ['{"ping":null}', "bad_request", "object"],
  ['{"ping":[]}', "bad_request", "object"],
  ['{"ping":{"x":1}}', "bad_request", "no field"],
  ['{"publish":{"data":"x"}}', "bad_request", "channel"],
  ['{"publish":{"channel":"a"}}', "bad_request", "data"],
  ['{"publish":{"channel":"a b","data":"x"}}', "bad_request", "channel"],
  ['{"publish":{"channel":"","data":"x"}}', "bad_request", "channel"],
  [`{"publish":{"channel":"${"x".repeat(129)}","data":"x"}}`, "bad_request", "channel"],
  ['{"publish":{"channel":7,"data":"x"}}', "bad_request", "channel"],
  ['{"publish":{"channel":"a","data":"x","user":"me"}}', "bad_request", "no field"],
  ['{"publish":{"channel":"a","data":"x","encoding":"hex"}}', "bad_request", "encoding"],
  ['{"publish":{"channel":"a","data":"%","encoding":"base64"}}', "bad_request", "base64"],
  ['{"publish":{"channel":"a","data":"\\ud800"}}', "bad_request", "Unicode"],
  ['{"publish":{"channel":"a","data":"x","event":"$close"}}', "bad_request", "event"],
  ['{"publish":{"channel":"a","data":"x","ttl":2000001}}', "bad_request", "ttl"],
  ['{"publish":{"channel":"a","data":"x","trace":true}}', "bad_request", "no field"],
  ['{"publish":{"channel":"$admin","data":"x"}}', "forbidden", "belong to the server"],
  ['{"subscribe":{"channel":"a","since":"1"}}', "bad_request", "since"],
  ['{"subscribe":{"channel":"a","since":"e:-1"}}', "bad_request", "since"],
  ['{"subscribe":{"channel":"a","since":"e:1e3"}}', "bad_request", "since"],
  ['{"subscribe":{"channel":"a","since":5}}', "bad_request", "since"],
  ['{"unsubscribe":{}}', "bad_request", "channel"],
  ['{"unsubscribe":{"channel":"a","since":"e:1"}}', "bad_request", "no field"],
];

Deno.test("the JSON door answers what it refuses, with and without an id, and stays open", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.connect();
  for (const [line, code, says] of REFUSED) {
    socket.sent.length = 0;
    socket.say(line);
    socket.say(line.replace("{", '{"id":"x",').replace(",}", "}"));
    const { error } = await socket.answer("x");
    assertEquals(error.code, code, line);
    assert(error.message.includes(says), `${line}: ${error.message}`);
    assertEquals(JSON.parse(socket.lines[0]!), { error }, line);
  }
  assertEquals(socket.closed, undefined);
});

Deno.test("the JSON door takes any number and any short string as id, and refuses others", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.connect();
  for (const id of [0, -1.5, 1e300, "", "x".repeat(64), "ü\n\"'"]) {
    socket.sent.length = 0;
    socket.say(JSON.stringify({ id, ping: {} }));
    const { ok } = await socket.answer(id);
    assert(Math.abs(ok.time - Date.now()) < 60_000);
  }
  for (const id of [null, true, [], {}, "x".repeat(65)]) {
    socket.sent.length = 0;
    socket.say(JSON.stringify({ id, ping: {} }));
    await socket.frames(1);
    assertEquals(JSON.parse(socket.lines[0]!).error.code, "bad_request", JSON.stringify(id));
  }
});

for (
  const [title, frame, code] of [
    ["what is not JSON", "{", 4400],
    ["JSON that is no object", "[]", 4400],
    ["JSON nested too deeply", `{"x":${"[".repeat(65)}${"]".repeat(65)}}`, 4400],
    ["bytes", Uint8Array.of(123, 125), 1003],
    ["more than a message may have", `{"x":"${"x".repeat(70_000)}"}`, 1009],
    ["more than a message may have, in UTF-8", `{"x":"${"€".repeat(22_000)}"}`, 1009],
  ] as const
) {
  Deno.test(`the JSON door closes for ${title}`, async () => {
    await using stage = new Stage();
    const { socket } = stage.edge.connect();
    socket.say('{"id":1,"ping":{}}');
    socket.say(frame);
    assertEquals(socket.closed?.code, code);
    assert(socket.lines.some((line) => line.includes('"id":1')), "what was asked before is answered");
  });
}

Deno.test("the JSON door takes several lines in a frame, in order, up to the one that closes it", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.connect();
  socket.say('\n \r\n{"id":1,"ping":{}}\r\n\n{"id":2,"ping":{}}\nnonsense\n{"id":3,"ping":{}}');
  assertEquals(socket.closed?.code, 4400);
  assertEquals(socket.lines.map((line) => JSON.parse(line).id), [undefined, 1, 2]);
});

Deno.test("the JSON door counts lines, not frames, towards the rate", async () => {
  await using stage = new Stage({ config: { messageRate: 5 } });
  const { socket } = stage.edge.connect();
  socket.say(Array.from({ length: 12 }, (_, id) => `{"id":${id},"ping":{}}`).join("\n"));
  assertEquals(socket.closed?.code, 4429);
  assertEquals(socket.lines.filter((line) => line.includes('"ok"')).length, 10, "twice the rate in a burst");
});

Deno.test("the JSON door carries every kind of data from one session to another", async () => {
  await using stage = new Stage();
  const [from, to] = [stage.edge.connect(), stage.edge.json()];
  await to.socket.subscribed();
  const messages = [
    { data: "text" },
    { data: "" },
    { data: { a: [1, null, "é"] } },
    { data: null },
    { data: 0.1 },
    { data: "AP8=", encoding: "base64" },
    { data: '"a string"', contentType: "application/json" },
    { data: "<b>", contentType: "text/html" },
    { data: "x", id: "mine", event: "e", tags: { a: "b" } },
  ];
  for (const [id, message] of messages.entries()) {
    from.socket.say(JSON.stringify({ id, publish: { channel: "a", ...message } }));
    const { ok } = await from.socket.answer(id);
    await to.socket.until(() => to.socket.publications.length > id);
    const { channel, epoch, offset, time, from: author, ...rest } = to.socket.publications[id];
    assertEquals([channel, author, { epoch, offset }], ["a", from.id, ok]);
    assert(Number.isInteger(time));
    const { id: messageId, ...content } = message as typeof message & { id?: string };
    const type = content.encoding ? { contentType: "application/octet-stream" } : {};
    const data = content.contentType === "application/json" ? "a string" : content.data;
    assertEquals(rest, { ...content, ...type, data, ...(messageId === undefined ? {} : { messageId }) });
  }
});

Deno.test("the JSON door refuses what the session has no right to, and says which channel", async () => {
  await using stage = new Stage({ config: { dev: false, apiKey: [], publicChannels: ["a"], allowPublish: ["in.*"] } });
  const { socket } = stage.edge.connect();
  for (
    const [id, command, code] of [
      [1, { publish: { channel: "a", data: "x" } }, "forbidden"],
      [2, { publish: { channel: "in.x", data: "x" } }, undefined],
      [3, { subscribe: { channel: "in.x" } }, "forbidden"],
      [4, { subscribe: { channel: "a" } }, undefined],
      [5, { subscribe: { channel: "$admin" } }, "forbidden"],
    ] as const
  ) {
    socket.say(JSON.stringify({ id, ...command }));
    assertEquals((await socket.answer(id)).error?.code, code, JSON.stringify(command));
  }
});
