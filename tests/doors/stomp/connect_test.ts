import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../../../lib/version.ts";
import { Stage } from "../../support/stage.ts";
import { Clock, frameOf, StompPeer } from "../../support/stomp_stage.ts";

const NEGOTIATIONS: readonly (readonly [protocol: string | undefined, accepts: string | undefined, version: string])[] =
  [
    [undefined, undefined, "1.0"],
    [undefined, "1.0,1.1,1.2", "1.2"],
    [undefined, "1.2,1.1,1.0", "1.2"],
    [undefined, "1.1, 1.0", "1.1"],
    [undefined, "2.0,1.1", "1.1"],
    ["1.1", "1.0,1.1,1.2", "1.1"],
    ["1.2", "1.0", "1.0"],
    ["1.0", undefined, "1.0"],
  ];

Deno.test("CONNECT and STOMP agree on the highest version, not above that of the handshake", async () => {
  await using stage = new Stage();
  for (const [protocol, accepts, version] of NEGOTIATIONS) {
    for (const command of ["CONNECT", "STOMP"]) {
      const peer = new StompPeer(stage.edge, protocol === undefined ? {} : { protocol: protocol as "1.0" });
      peer.say(command, accepts === undefined ? {} : { "accept-version": accepts });
      const { headers } = await peer.next("CONNECTED");
      assertEquals(headers.get("version"), version);
      assertEquals(headers.get("session"), peer.client.id);
      assertEquals(headers.get("server"), `gong/${VERSION}`);
    }
  }
});

Deno.test("a client that accepts no version of ours is told those that are spoken", async () => {
  await using stage = new Stage();
  for (const [protocol, accepts] of [[undefined, "2.0"], [undefined, ""], ["1.0", "1.1,1.2"]] as const) {
    const peer = new StompPeer(stage.edge, protocol === undefined ? {} : { protocol });
    peer.say("CONNECT", { "accept-version": accepts });
    const { error, close } = await peer.end();
    assertEquals([error!.version, close], ["1.0,1.1,1.2", 1003]);
    assert(error!.message!.includes("1.0"), error!.message);
  }
});

Deno.test("the first frame has to be CONNECT", async () => {
  await using stage = new Stage();
  const peer = new StompPeer(stage.edge);
  peer.say("SEND", { destination: "/topic/a", receipt: "r" }, "x");
  const { error, close } = await peer.end();
  assertEquals([error!.code, close], ["bad_request", 4400]);
  assertEquals(stage.hub.recent(), []);
});

Deno.test("a client that does not say CONNECT within 10 s is closed, one that does is not", async () => {
  await using stage = new Stage();
  const clock = new Clock();
  const silent = new StompPeer(stage.edge, { clock });
  const beating = new StompPeer(stage.edge, { clock });
  clock.pass(9_000);
  const late = await StompPeer.connect(stage.edge, { clock });
  beating.sayRaw("\n");
  clock.pass(900);
  assertEquals(silent.client.socket.closed, undefined);
  clock.pass(200);
  for (const peer of [silent, beating]) {
    const { error, close } = await peer.end();
    assertEquals([error!.code, close], ["timeout", 4408]);
  }
  clock.pass(60_000);
  assertEquals(late.client.socket.closed, undefined);
});

Deno.test("frames that come with CONNECT in one message are obeyed after it, headers as the version has them", async () => {
  await using stage = new Stage();
  const peer = new StompPeer(stage.edge);
  const subscribe = "SUBSCRIBE\r\nid:a\\cb\r\ndestination:/topic/a\r\nreceipt:r\\\\1\r\n\r\n\0";
  peer.sayRaw(`${frameOf("CONNECT", { "accept-version": "1.2" })}\n${subscribe}\n`);
  await peer.next("CONNECTED");
  assertEquals((await peer.next("RECEIPT")).headers.get("receipt-id"), "r\\1");
  await stage.publish("a", "x");
  assertEquals((await peer.message()).headers.subscription, "a:b");
});

Deno.test("what comes while it is looked at who it is has a bound, headers too", async () => {
  await using stage = new Stage();
  const long = { destination: "/topic/a", h: "x".repeat(10_000) };
  const frames: Readonly<Record<string, string>> = {
    bodies: frameOf("SEND", { destination: "/topic/a" }, "x".repeat(10_000)),
    headers: frameOf("SEND", long),
    "the frames themselves": frameOf("BEGIN", { transaction: "t" }).repeat(25),
  };
  for (const [title, frame] of Object.entries(frames)) {
    const peer = new StompPeer(stage.edge);
    peer.say("CONNECT", { "accept-version": "1.2" });
    for (let n = 0; n < 15; n++) peer.sayRaw(frame);
    assert(!peer.client.socket.isOpen, title);
    const { error, close } = await peer.end();
    assertEquals([error!.code, close], ["rate_limited", 4429], title);
    assert(error!.message!.includes("before CONNECTED"), error!.message);
  }
});

Deno.test("with --dev a login alone names the user", async () => {
  await using stage = new Stage();
  const peer = new StompPeer(stage.edge);
  peer.say("CONNECT", { "accept-version": "1.2", login: "42" });
  const { headers } = await peer.next("CONNECTED");
  assertEquals(headers.get("user-name"), "42");
  assertEquals(peer.client.session.user, "42");
});

Deno.test("a passcode is a key: a wrong one ends the connection, the right one has its rights", async () => {
  const key = "k".repeat(32);
  await using stage = new Stage({ config: { dev: false, apiKey: [`ops:publish+admin:${key}`] } });
  const wrong = new StompPeer(stage.edge);
  wrong.say("CONNECT", { "accept-version": "1.2", login: "ops", passcode: "x".repeat(32) });
  wrong.say("SEND", { destination: "/topic/vault" }, "x");
  const { error, close } = await wrong.end();
  assertEquals([error!.code, close], ["unauthorized", 4401]);
  const right = new StompPeer(stage.edge);
  right.say("CONNECT", { "accept-version": "1.2", login: "ops", passcode: key });
  await right.next("CONNECTED");
  await right.subscribe("0", "/topic/vault");
  await right.obeyed("SEND", { destination: "/topic/other" }, "x");
});

Deno.test("an edge that ends says so, whether a client has said CONNECT or not, and what it consumed goes back", async () => {
  await using stage = new Stage({ edges: 2 });
  const [edge, other] = stage.edges as [typeof stage.edge, typeof stage.edge];
  const silent = new StompPeer(edge);
  const peer = await StompPeer.connect(edge);
  await peer.subscribe("0", "/queue/q", { ack: "client" });
  await peer.obeyed("BEGIN", { transaction: "t" });
  const sender = await StompPeer.connect(other);
  await sender.obeyed("SEND", { destination: "/queue/q" }, "x");
  await peer.message();
  await edge.edge.methods().drain(1);
  for (const client of [silent, peer]) {
    const { error, close } = await client.end();
    assertEquals([error!.code, close], ["going_away", 1001]);
  }
  await sender.subscribe("0", "/queue/q");
  assertEquals((await sender.message()).headers.redelivered, "true");
});
