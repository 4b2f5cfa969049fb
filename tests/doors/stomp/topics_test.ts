import { assert, assertEquals } from "@std/assert";
import type { Codec } from "../../../lib/door.ts";
import { Packing } from "../../../lib/edge/packing.ts";
import { settle } from "../../support/delayed_paths.ts";
import { Stage } from "../../support/stage.ts";
import { frameOf, StompPeer } from "../../support/stomp_stage.ts";

/** Offsets in a position. */
function offsetOf(position: string | undefined): number {
  return Number(position!.split(":")[1]);
}

Deno.test("each subscription to one destination gets a MESSAGE, with its own id", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  for (const id of ["one", "two"]) await peer.subscribe(id, "/topic/a");
  await stage.publish("a", "first", "second");
  const heard = [];
  for (let n = 0; n < 4; n++) heard.push(await peer.message());
  assertEquals(heard.map(({ headers, text }) => [headers.subscription, headers.destination, text]), [
    ["one", "/topic/a", "first"],
    ["two", "/topic/a", "first"],
    ["one", "/topic/a", "second"],
    ["two", "/topic/a", "second"],
  ]);
  assertEquals(new Set(heard.map(({ headers }) => headers["message-id"])).size, 2);
});

Deno.test("a second subscription begins where it wants to, and the first hears nothing twice", async () => {
  await using stage = new Stage();
  await stage.publish("a", "1", "2", "3");
  const peer = await StompPeer.connect(stage.edge);
  const { position } = await peer.subscribe("live", "/topic/a");
  const [epoch] = position!.split(":");
  const told = await peer.subscribe("late", "/topic/a", { since: `${epoch}:1` });
  assertEquals(told, { "receipt-id": "sub late", position: `${epoch}:1`, recovered: "true" });
  const missed = [await peer.message(), await peer.message()];
  assertEquals(missed.map(({ headers, text }) => [headers.subscription, text]), [["late", "2"], ["late", "3"]]);
  await stage.publish("a", "4");
  const live = [await peer.message(), await peer.message()];
  assertEquals(live.map(({ headers, text }) => [headers.subscription, text]), [["live", "4"], ["late", "4"]]);
});

Deno.test("a subscription that resumes while others come misses nothing and hears nothing twice", async () => {
  await using stage = new Stage({ config: { historyCount: 10_000 } });
  const count = 3000;
  const texts = Array.from({ length: count }, (_, n) => `${n + 1}`);
  await stage.publish("a", ...texts.slice(0, 2000));
  const peer = await StompPeer.connect(stage.edge);
  const { position } = await peer.subscribe("0", "/topic/a");
  const [epoch] = position!.split(":");
  peer.say("SUBSCRIBE", { id: "1", destination: "/topic/a", since: `${epoch}:0` });
  peer.say("SUBSCRIBE", { id: "2", destination: "/topic/a", since: `${epoch}:1500` });
  for (const text of texts.slice(2000)) await stage.publish("a", text);
  const heard = new Map<string, string[]>(["0", "1", "2"].map((id) => [id, []]));
  const expected = 1000 + count + 1500;
  for (let n = 0; n < expected; n++) {
    const { headers, text } = await peer.message();
    heard.get(headers.subscription!)!.push(text);
  }
  assertEquals(heard.get("0"), texts.slice(2000));
  assertEquals(heard.get("1"), texts);
  assertEquals(heard.get("2"), texts.slice(1500));
});

Deno.test("UNSUBSCRIBE ends one subscription, and the other goes on; the last one ends the channel", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  for (const id of ["one", "two"]) await peer.subscribe(id, "/topic/a");
  await peer.obeyed("UNSUBSCRIBE", { id: "one" });
  await stage.publish("a", "x");
  assertEquals((await peer.message()).headers.subscription, "two");
  await peer.obeyed("UNSUBSCRIBE", { id: "two" });
  assertEquals(peer.client.session.channels, []);
  peer.say("UNSUBSCRIBE", { id: "two", receipt: "again" });
  const { error, close } = await peer.end();
  assertEquals([error!.code, error!["receipt-id"], close], ["not_found", "again", 4404]);
});

Deno.test("UNSUBSCRIBE of one that is not in force yet leaves the others as they are", async () => {
  await using stage = new Stage();
  const { edge, paths } = stage.startDelayedEdge();
  const peer = new StompPeer(edge);
  peer.say("CONNECT", { "accept-version": "1.2" });
  await peer.next("CONNECTED");
  peer.say("SUBSCRIBE", { id: "one", destination: "/topic/a", receipt: "one" });
  peer.say("SUBSCRIBE", { id: "two", destination: "/topic/a", receipt: "two" });
  peer.say("UNSUBSCRIBE", { id: "one", receipt: "end" });
  for (const name of ["one", "end"]) assertEquals((await peer.next("RECEIPT")).headers.get("receipt-id"), name);
  /** Lets everything pass until it has come. */
  const arrival = async <T>(awaited: Promise<T>): Promise<T> => {
    let isThere = false;
    const note = () => void (isThere = true);
    awaited.then(note, note);
    for (; !isThere; await settle()) {
      for (const way of ["to hub", "to edge", "batch"] as const) while (paths.waiting(way) > 0) await paths.pass(way);
    }
    return awaited;
  };
  assertEquals((await arrival(peer.next("RECEIPT"))).headers.get("receipt-id"), "two");
  await stage.publish("a", "x");
  assertEquals((await arrival(peer.message())).headers.subscription, "two");
});

Deno.test("a client whose subscriptions multiply a publication beyond its outbox is too slow for it", async () => {
  await using stage = new Stage();
  const destination = "/topic/a";
  const peers = [await StompPeer.connect(stage.edge), await StompPeer.connect(stage.edge)] as const;
  for (const [index, peer] of peers.entries()) {
    for (let n = 0; n < [15, 20][index]!; n++) await peer.subscribe(`${n}`, destination);
  }
  const [within, beyond] = peers;
  within.say("SEND", { destination, "content-type": "application/x" }, "x".repeat(65_000));
  assertEquals((await beyond.end()).error!.code, "slow");
  assert(beyond.frames.every(({ command }) => command !== "MESSAGE"), "none is given a part");
  for (let n = 0; n < 15; n++) assertEquals((await within.message()).headers.subscription, `${n}`);
});

Deno.test("a SUBSCRIBE has its receipt also when it is ended before it is in force", async () => {
  await using stage = new Stage();
  for (const destination of ["/topic/a", "/queue/a"]) {
    const peer = await StompPeer.connect(stage.edge);
    peer.sayRaw(
      frameOf("SUBSCRIBE", { id: "0", destination, receipt: "1" }) + frameOf("UNSUBSCRIBE", { id: "0", receipt: "2" }) +
        frameOf("SUBSCRIBE", { id: "0", destination, receipt: "3" }) + frameOf("DISCONNECT", { receipt: "4" }),
    );
    assertEquals(await peer.end(), { error: undefined, close: 1000 });
    const receipts = peer.frames.map(({ headers }) => headers.get("receipt-id"));
    assertEquals(receipts, [undefined, "1", "2", "3", "4"], destination);
  }
});

Deno.test("in 1.0 a subscription without an id has none in its messages, and ends by its destination", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge, { version: "1.0" });
  peer.say("SUBSCRIBE", { destination: "/topic/a", receipt: "s" });
  await peer.next("RECEIPT");
  await stage.publish("a", "x");
  assertEquals("subscription" in (await peer.message()).headers, false);
  await peer.subscribe("named", "/topic/b");
  for (const destination of ["/topic/a", "/topic/b"]) await peer.obeyed("UNSUBSCRIBE", { destination });
  assertEquals(peer.client.session.channels, []);
});

Deno.test("what cannot be resumed is said in the receipt, or without one by an ERROR", async () => {
  await using stage = new Stage();
  await stage.publish("a", "1", "2");
  const peer = await StompPeer.connect(stage.edge);
  const told = await peer.subscribe("0", "/topic/a", { since: "never:1" });
  assertEquals([told.recovered, offsetOf(told.position)], ["false", 2]);
  await stage.publish("a", "3");
  assertEquals((await peer.message()).text, "3");
  const other = await StompPeer.connect(stage.edge);
  other.say("SUBSCRIBE", { id: "0", destination: "/topic/a", since: "never:1" });
  const { error, close } = await other.end();
  assertEquals([error!.code, close], ["lost", 4410]);
});

Deno.test("of the user's channel a subscription gets what was published with its event", async () => {
  await using stage = new Stage();
  const publish = (user: string, data: string, event?: string) =>
    stage.edge.hub.publish([{
      channel: `$user/${user}`,
      data,
      contentType: "text/plain",
      ...(event === undefined ? {} : { event }),
    }]);
  const grant = { name: "user:7", scopes: [], user: { id: "7", subscribe: () => false, publish: () => false } };
  const peer = await StompPeer.connect(stage.edge, { grant, channels: ["$user/7"] });
  await peer.subscribe("mail", "/user/queue/mail");
  await peer.subscribe("all", "/topic/$user/7");
  await publish("7", "hello", "mail");
  await publish("7", "other", "news");
  await publish("8", "foreign", "mail");
  await publish("7", "bare");
  const heard = [];
  for (let n = 0; n < 4; n++) heard.push(await peer.message());
  assertEquals(heard.map(({ headers, text }) => [headers.subscription, headers.destination, text]), [
    ["mail", "/user/queue/mail", "hello"],
    ["all", "/topic/$user/7", "hello"],
    ["all", "/topic/$user/7", "other"],
    ["all", "/topic/$user/7", "bare"],
  ]);
  await peer.obeyed("UNSUBSCRIBE", { id: "all" });
  await peer.obeyed("UNSUBSCRIBE", { id: "mail" });
  assertEquals(peer.client.session.channels, ["$user/7"], "a user hears the own channel in any case");
});

Deno.test("connections that have subscribed alike are sent the very same text", async () => {
  await using stage = new Stage();
  const peers = [];
  for (let n = 0; n < 3; n++) {
    const peer = await StompPeer.connect(stage.edge);
    await peer.subscribe(n === 2 ? "own" : "sub-0", "/topic/a");
    peers.push(peer);
  }
  const audiences = new Set(peers.map(({ client }) => client.session.door.codec.name));
  assertEquals(audiences.size, 2);
  await stage.publish("a", "x", "y");
  const texts = [];
  for (const peer of peers) {
    await peer.client.socket.until(() => String(peer.client.socket.sent.at(-1)).includes("MESSAGE"));
    texts.push(peer.client.socket.sent.at(-1));
  }
  assertEquals(texts[0], texts[1]);
  assertEquals(String(texts[0]).replaceAll("sub-0", "own"), texts[2]);
  assertEquals(String(texts[0]).split("MESSAGE").length, 3, "one turn is one message");
});

Deno.test("a publication is encoded once for all subscriptions of one version, whatever they are called", async () => {
  await using stage = new Stage();
  const codecs: Codec[] = [];
  for (const [version, id] of [["1.2", "one"], ["1.2", "two"], ["1.1", "one"]] as const) {
    const peer = await StompPeer.connect(stage.edge, { version });
    await peer.subscribe(id, "/topic/a");
    codecs.push(peer.client.session.door.codec);
  }
  const data = new Uint8Array([0, 255]);
  const publication = { channel: "a", epoch: "e", offset: 1, time: 0, contentType: "image/png", data };
  const packing = new Packing([publication], [[0]], 10_000);
  const [one, two, old] = codecs.map((codec) => packing.encode(0, codec));
  assert(one === two, "the very same bytes");
  assert(one !== old);
  const told = codecs.flatMap((codec, at) => [...codec.address!([one, two, old][at]!, publication)]).map((frame) => {
    return new TextDecoder().decode(frame as Uint8Array<ArrayBuffer>).split("\n")[1];
  });
  assertEquals(told, ["subscription:one", "subscription:two", "subscription:one"]);
});

Deno.test("who says CONNECT in a binary message gets each frame in a message of its own, as React Native wants it", async () => {
  await using stage = new Stage();
  for (const [channel, most] of [["text", 2], ["binary", 1]] as const) {
    await stage.publish(channel, "1", "2");
    const peer = new StompPeer(stage.edge);
    const connect = frameOf("CONNECT", { "accept-version": "1.2" });
    peer.sayRaw(channel === "text" ? connect : new TextEncoder().encode(connect));
    await peer.next("CONNECTED");
    await peer.subscribe("0", `/topic/${channel}`, { history: "2" });
    for (const text of ["1", "2"]) assertEquals((await peer.message()).text, text);
    await stage.publish(channel, "3", "4");
    for (const text of ["3", "4"]) assertEquals((await peer.message()).text, text);
    const frames = peer.client.socket.sent.map((data) => String(data).split("MESSAGE").length - 1);
    assertEquals(Math.max(...frames), most, channel);
  }
});

Deno.test("a channel that the operator has a session hear, and signals, come without a subscription", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  assertEquals(await stage.edge.hub.subscribeSessions({ session: peer.client.id }, "imposed"), 1);
  await stage.publish("imposed", "x");
  const { headers, text } = await peer.message();
  assertEquals([headers.subscription, headers.destination, text], ["/topic/imposed", "/topic/imposed", "x"]);
  const signal = { data: "psst", contentType: "text/plain", reply: "1-secret" };
  await stage.edge.hub.signal([peer.client.id], signal);
  const bare = await peer.message();
  assertEquals([bare.headers.subscription, bare.headers.destination, bare.text], ["/signal", "/signal", "psst"]);
  assertEquals(bare.headers["reply-to"], "/reply/1-secret");
  await peer.obeyed("SUBSCRIBE", { id: "s", destination: "/signal" });
  await stage.edge.hub.signal([peer.client.id], signal);
  assertEquals((await peer.message()).headers.subscription, "s");
  assertEquals(await stage.edge.hub.unsubscribeSessions({ session: peer.client.id }, "imposed"), 1);
  await peer.obeyed("SEND", { destination: "/topic/b" }, "still there");
});

Deno.test("a subscription that the operator ends is an ERROR", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/topic/a");
  await stage.edge.hub.unsubscribeSessions({ session: peer.client.id }, "a");
  const { error, close } = await peer.end();
  assertEquals([error!.code, close], ["forbidden", 4403]);
  assert(error!.message!.includes("a is not allowed"), error!.message);
});
