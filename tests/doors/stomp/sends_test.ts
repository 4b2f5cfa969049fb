import { assert, assertEquals } from "@std/assert";
import { Stage } from "../../support/stage.ts";
import { frameOf, StompPeer } from "../../support/stomp_stage.ts";

Deno.test("a SEND that cannot be taken is an ERROR that says why, and names the receipt", async () => {
  await using stage = new Stage();
  const cases: readonly (readonly [headers: Record<string, string>, body: string, code: string, says: string])[] = [
    [{}, "x", "bad_request", "`destination`"],
    [{ destination: "" }, "x", "bad_request", "`destination`"],
    [{ destination: "a" }, "x", "not_found", "/topic/NAME"],
    [{ destination: "/topic/" }, "x", "bad_request", "name"],
    [{ destination: "/topic/a b" }, "x", "bad_request", "name"],
    [{ destination: `/topic/${"a".repeat(129)}` }, "x", "bad_request", "name"],
    [{ destination: "/queue/" }, "x", "bad_request", "name"],
    [{ destination: "/queue/$a" }, "x", "bad_request", "name"],
    [{ destination: "/user/queue/a" }, "x", "forbidden", "user"],
    [{ destination: "/user/a\tb/queue/a" }, "x", "bad_request", "user"],
    [{ destination: "/user/7/topic/a" }, "x", "not_found", "/topic/NAME"],
    [{ destination: "/signal" }, "x", "forbidden", "/signal"],
    [{ destination: "/topic/$admin" }, "x", "forbidden", "server"],
    [{ destination: "/topic/$session/1-a" }, "x", "forbidden", "server"],
    [{ destination: "/topic/$queue/a" }, "x", "forbidden", "/queue/NAME"],
    [{ destination: "/reply/1-unknown" }, "x", "not_found", "waits"],
    [{ destination: "/topic/a", "content-type": "text" }, "x", "bad_request", "media type"],
    [{ destination: "/topic/a", "content-type": "application/json" }, "{", "bad_request", "JSON"],
    [{ destination: "/topic/a", event: "$close" }, "x", "bad_request", "event"],
    [{ destination: "/topic/a", ttl: "soon" }, "x", "bad_request", "ttl"],
    [{ destination: "/queue/a", ttl: "0" }, "x", "bad_request", "queue"],
    [{ destination: "/topic/a", ttl: "9000000" }, "x", "bad_request", "ttl"],
    [{ destination: "/topic/a", id: "i".repeat(65) }, "x", "bad_request", "id"],
    [{ destination: "/topic/a", "x y": "1" }, "x", "bad_request", "tag"],
    [{ destination: "/topic/a", "x-long": "y".repeat(257) }, "x", "bad_request", "x-long"],
    [{ destination: "/topic/a", "x-lines": "a\nb" }, "x", "bad_request", "x-lines"],
    [{ destination: "/topic/a", ["__proto__"]: "x" }, "x", "bad_request", "tag"],
    [{ destination: "/topic/a", transaction: "t" }, "x", "not_found", "transaction"],
  ];
  for (const [headers, body, code, says] of cases) {
    const peer = await StompPeer.connect(stage.edge);
    peer.say("SEND", { ...headers, receipt: "r:1" }, body);
    const { error } = await peer.end();
    const title = JSON.stringify(headers);
    assertEquals([error?.code, error?.["receipt-id"]], [code, "r:1"], `${title} ${JSON.stringify(error)}`);
    assert(error!.message!.includes(says), `${title}: ${error!.message}`);
  }
  assertEquals(stage.hub.recent(), []);
});

Deno.test("the body of an ERROR says which frame it is about, and whether to try again", async () => {
  await using stage = new Stage({ config: { queueCount: 0 } });
  for (
    const [destination, lines] of [
      ["/queue/full", ["code: overloaded", "frame: SEND /queue/full", "worth another try: yes"]],
      [`/topic/${"a".repeat(500)}`, [
        "code: bad_request",
        `frame: SEND /topic/${"a".repeat(121)}`,
        "worth another try: no",
      ]],
    ] as const
  ) {
    const peer = await StompPeer.connect(stage.edge);
    peer.say("SEND", { destination, receipt: "r" }, "x");
    const { error } = await peer.end();
    const body = new TextDecoder().decode(peer.frames.at(-1)!.body);
    assertEquals(body, [error!.message, "", ...lines, ""].join("\n"));
  }
});

Deno.test("headers of a SEND are the message's own, its tags, or nobody's business", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/topic/a");
  peer.say("SEND", {
    ...{ destination: "/topic/a", "content-type": "text/plain;charset=utf-8", id: "i:1", event: "e" },
    ...{
      priority: "9",
      "reply-to": "/topic/back",
      Authorization: "Bearer secret",
      passcode: "secret",
      token: "secret",
    },
    ...{
      "correlation-id": "",
      "x-authorization": "secret",
      "X-API-Key": "secret",
      from: "root",
      user: "root",
      position: "e:9",
    },
    ...{ "message-id": "1", subscription: "other", redelivered: "true", ack: "1", timestamp: "0" },
  }, "x");
  const { headers } = await peer.message();
  const { position, timestamp, "message-id": id, ...rest } = headers;
  assertEquals(id, position);
  assert(Math.abs(Number(timestamp) - Date.now()) < 60_000);
  assertEquals(rest, {
    ...{ subscription: "0", destination: "/topic/a", "content-type": "text/plain;charset=utf-8" },
    ...{ event: "e", id: "i:1", from: peer.client.id, priority: "9", "reply-to": "/topic/back", "content-length": "1" },
  });
});

Deno.test("a tag never becomes a header that the server gives, in whichever version", async () => {
  await using stage = new Stage();
  const json = stage.edge.json({ channels: [] });
  const tags = { "user:root": "1", ":user": "root", "content-length:0": "1", "from:": "root", user: "root" };
  for (const version of ["1.0", "1.1", "1.2"] as const) {
    const peer = await StompPeer.connect(stage.edge, { version });
    await peer.subscribe("0", "/topic/a");
    json.socket.say(JSON.stringify({ publish: { channel: "a", data: "x\0MESSAGE\n\nforged", tags } }));
    const { headers, text } = await peer.message();
    assertEquals([headers.user, headers.from, headers["content-length"]], [undefined, json.id, "17"], version);
    assertEquals(text, "x\0MESSAGE\n\nforged");
    const colon = version === "1.0" ? "_" : ":";
    assertEquals([headers[`user${colon}root`], headers[`${colon}user`]], ["1", "root"], version);
  }
});

const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

Deno.test("bodies keep their bytes: text and JSON leave as text, everything else as bytes", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/topic/a");
  const head = (type: string | undefined, length: number) =>
    `SEND\ndestination:/topic/a\n${type === undefined ? "" : `content-type:${type}\n`}content-length:${length}\n\n`;
  const bytesOf = (type: string | undefined, body: Uint8Array) =>
    new Uint8Array([...new TextEncoder().encode(head(type, body.length)), ...body, 0]);
  const utf8 = new TextEncoder().encode("你好,世界!\0\n");
  const cases: readonly (readonly [sent: string | Uint8Array, type: string, body: Uint8Array, isText: boolean])[] = [
    [bytesOf(undefined, BYTES), "application/octet-stream", BYTES, false],
    [bytesOf(undefined, utf8), "application/octet-stream", utf8, false],
    [bytesOf("image/png", BYTES), "image/png", BYTES, false],
    [bytesOf("text/plain", utf8), "text/plain", utf8, true],
    [bytesOf("text/plain;charset=iso-8859-1", BYTES), "text/plain;charset=iso-8859-1", BYTES, false],
    [bytesOf("text/html; charset=UTF-8", utf8), "text/html; charset=UTF-8", utf8, true],
    [head("application/xml", utf8.length) + "你好,世界!\0\n\0", "application/xml", utf8, false],
    [head(undefined, utf8.length) + "你好,世界!\0\n\0", "text/plain", utf8, true],
    [frameOf("SEND", { destination: "/topic/a" }, ""), "text/plain", new Uint8Array(), true],
    [
      frameOf("SEND", { destination: "/topic/a", "content-type": "application/json" }, '{"a":\n1}'),
      "application/json",
      new TextEncoder().encode('{"a":1}'),
      true,
    ],
  ];
  for (const [sent, type, body, isText] of cases) {
    peer.sayRaw(sent);
    const frame = await peer.next("MESSAGE");
    assertEquals([frame.headers.get("content-type"), frame.isText], [type, isText]);
    assertEquals(frame.body, body, type);
    assertEquals(frame.headers.get("content-length"), String(body.length));
  }
  peer.sayRaw(bytesOf("text/plain", BYTES));
  const { error } = await peer.end();
  assert(error!.message!.includes("UTF-8"), error!.message);
});

Deno.test("a receipt of a SEND comes when it is stored, with its position; that of a DISCONNECT after all", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  const first = await peer.obeyed("SEND", { destination: "/topic/a", id: "once" }, "1");
  const again = await peer.obeyed("SEND", { destination: "/topic/a", id: "once" }, "1");
  assertEquals(first, again);
  for (let n = 0; n < 50; n++) peer.say("SEND", { destination: "/topic/a" }, `${n}`);
  peer.say("DISCONNECT", { receipt: "bye" });
  peer.say("SEND", { destination: "/topic/a" }, "too late");
  assertEquals((await peer.next("RECEIPT")).headers.get("receipt-id"), "bye");
  assertEquals(stage.hub.recent()[0]!.preview, "49");
  assertEquals(await peer.end(), { error: undefined, close: 1000 });
  assertEquals(stage.hub.recent()[0]!.preview, "49");
});

Deno.test("what the hub refuses of a SEND without a receipt is an ERROR too", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  peer.say("SEND", { destination: "/topic/a", id: "same" }, "1");
  peer.say("SEND", { destination: "/topic/a", id: "same" }, "2");
  const { error, close } = await peer.end();
  assertEquals([error!.code, close], ["conflict", 4409]);
});

Deno.test("too many frames a second, beats and crumbs too, end the connection; a large frame in large pieces does not", async () => {
  await using stage = new Stage({ config: { messageRate: 10 } });
  const send = frameOf("SEND", { destination: "/topic/flood" }, "x");
  const say: Readonly<Record<string, (peer: StompPeer, index: number) => void>> = {
    frames: (peer) => peer.sayRaw(send),
    beats: (peer) => peer.sayRaw("\n"),
    "beats by the thousand": (peer) => peer.sayRaw("\n".repeat(5000)),
    crumbs: (peer, index) => peer.sayRaw(send[index]!),
  };
  for (const [title, act] of Object.entries(say)) {
    const peer = await StompPeer.connect(stage.edge);
    for (let n = 0; n < 30; n++) act(peer, n);
    assert(!peer.client.socket.isOpen, title);
    const { error, close } = await peer.end();
    assertEquals([error!.code, close], ["rate_limited", 4429], title);
  }
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/topic/a");
  const whole = frameOf("SEND", { destination: "/topic/a" }, "x".repeat(60_000));
  for (let at = 0; at < whole.length; at += 1024) peer.sayRaw(whole.slice(at, at + 1024));
  assertEquals((await peer.message()).text.length, 60_000);
});

Deno.test("what is larger than it may be is an ERROR `too_large`", async () => {
  await using stage = new Stage({ config: { maxMessage: 1000 } });
  const send = { destination: "/topic/a" };
  const many = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`h${n}`, "x"]));
  const frames = [
    frameOf("SEND", send, "x".repeat(1001)),
    `SEND\ndestination:/topic/a\ncontent-length:1001\n\n`,
    frameOf("SEND", { ...send, ...many }, "x"),
    frameOf("SEND", { ...send, h: "x".repeat(20_000) }, "x"),
    frameOf("SEND", send, "x".repeat(100_000)),
  ];
  for (const frame of frames) {
    const peer = await StompPeer.connect(stage.edge);
    peer.sayRaw(frame);
    const { error, close } = await peer.end();
    assertEquals([error!.code, close], ["too_large", 1009], frame.slice(0, 60));
  }
  const peer = await StompPeer.connect(stage.edge);
  await peer.obeyed("SEND", send, "x".repeat(1000));
});
