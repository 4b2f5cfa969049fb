import { assert, assertEquals, assertRejects } from "@std/assert";
import { Refused, SocketIoPeer } from "../../support/socketio_stage.ts";
import { Stage } from "../../support/stage.ts";
import { Clock } from "../../support/stomp_stage.ts";

async function refusal(connecting: Promise<unknown>): Promise<string> {
  const error = await assertRejects(() => connecting);
  assert(error instanceof Refused, String(error));
  return error.code;
}

Deno.test("CONNECT is refused where `auth` is not what it may be, and the connection goes on", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const wrong = [
    { rooms: "r" },
    { rooms: [1] },
    { rooms: [""] },
    { rooms: ["x".repeat(130)] },
    { since: 7 },
    { since: "nonsense" },
    { since: "broadcast@e:1,broadcast@e:2" },
    { history: -1 },
    { history: "7" },
    { history: 10_001 },
    { token: 7 },
    { user: "\n" },
    { user: "ann", token: "x" },
  ];
  for (const auth of wrong) assertEquals(await refusal(peer.enter("/", auth)), "bad_request", JSON.stringify(auth));
  assertEquals(peer.client.session.channels, []);
  for (const auth of [{ rooms: null, since: null, history: null, token: "", key: null, other: {} }, undefined]) {
    const other = new SocketIoPeer(stage.edge);
    assertEquals((await other.enter("/", auth)).sid, other.client.id);
  }
});

Deno.test("a namespace that is no channel is refused in the words that clients know", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  for (const namespace of ["/broadcast", `/${"x".repeat(200)}`]) {
    assertEquals(await refusal(peer.enter(namespace)), "bad_request");
    await assertRejects(() => peer.enter(namespace), Error, "Invalid namespace");
  }
  assertEquals((await peer.enter("/a/b %")).sid, peer.client.id);
  assertEquals(peer.client.session.channels, ["a%2Fb%20%25"]);
});

Deno.test("who is in no namespace in time is closed, and nobody else", async () => {
  await using stage = new Stage({ config: { connectTimeout: 5 } });
  const clock = new Clock();
  const [idle, connected] = [new SocketIoPeer(stage.edge, { clock }), new SocketIoPeer(stage.edge, { clock })];
  await connected.enter();
  clock.pass(4_900);
  assertEquals(idle.client.socket.closed, undefined);
  clock.pass(400);
  assertEquals((await idle.client.socket.end()).code, 4408);
  clock.pass(60_000);
  assertEquals(connected.client.socket.closed, undefined);
});

Deno.test("`history` and `since` begin in the past, and what is missing there is told by `$lost`", async () => {
  await using stage = new Stage();
  await stage.publish("broadcast", "1", "2", "3");
  await stage.publish("broadcast/r", "4", "5");
  const peer = new SocketIoPeer(stage.edge);
  const { cursor, recovered } = await peer.enter("/", { history: 2, rooms: ["r"] });
  const texts = (await peer.events(4)).map(([, text]) => text);
  assertEquals([texts.toSorted(), recovered], [["2", "3", "4", "5"], false]);
  const positions = Object.fromEntries(cursor.split(",").map((part) => part.split("@") as [string, string]));
  assertEquals([positions.broadcast!.split(":")[1], positions["broadcast/r"]!.split(":")[1]], ["1", "0"]);
  // The cursor names the room too.
  const other = new SocketIoPeer(stage.edge);
  assertEquals((await other.enter("/", { since: cursor })).recovered, true);
  assertEquals((await other.events(4)).map(([, text]) => text).toSorted(), ["2", "3", "4", "5"]);
  const late = new SocketIoPeer(stage.edge);
  const told = await late.enter("/", { since: `broadcast@gone:1,broadcast/r@${positions["broadcast/r"]}` });
  assertEquals(told.recovered, false);
  const heard = (await late.events(3)).map((event) => event.join());
  assertEquals(heard.toSorted(), ["$lost,broadcast", "message,4", "message,5"]);
});

Deno.test("what is wrong with an event is told by its acknowledgement, or by `$error`", async () => {
  await using stage = new Stage({ config: { maxMessage: 1024 } });
  const peer = await SocketIoPeer.connect(stage.edge);
  const rows: [string, unknown[], string][] = [
    ["$own", [], "bad_request"],
    ["", [], "bad_request"],
    ["a\nb", [], "bad_request"],
    ["x".repeat(129), [], "bad_request"],
    ["x", ["y".repeat(1100)], "too_large"],
    ["to", ["", "x"], "bad_request"],
    ["to", [7, "x"], "bad_request"],
    ["to", ["r"], "bad_request"],
    ["to", ["r", "$own"], "bad_request"],
    ["join", [], "bad_request"],
    ["join", [{}], "bad_request"],
    ["leave", [null], "bad_request"],
  ];
  for (const [event, args, code] of rows) {
    assertEquals((await peer.ask(event, ...args)).error?.code, code, event);
    peer.emit(event, ...args);
    const [name, told] = await peer.event();
    assertEquals([name, (told as { code: string }).code], ["$error", code], event);
  }
  assertEquals(await peer.ask("leave", "never joined"), {});
  assertEquals((await stage.edge.hub.history("broadcast", { last: 10 }, {})).publications, []);
});

Deno.test("the three names can be changed, or given to nobody", async () => {
  await using stage = new Stage({ config: { eventJoin: "enter", eventLeave: "", eventTo: "" } });
  const peer = await SocketIoPeer.connect(stage.edge);
  assertEquals((await peer.ask("enter", "r")).channel, "broadcast/r");
  for (const event of ["join", "leave", "to"]) {
    assertEquals((await peer.ask(event, "r", "x")).channel, "broadcast");
    assertEquals(await peer.event(), [event, "r", "x"]);
  }
});

Deno.test("rooms are bounded as channels are, and all of a CONNECT are refused together", async () => {
  await using stage = new Stage({ config: { maxSubscriptions: 3 } });
  const peer = new SocketIoPeer(stage.edge);
  assertEquals(await refusal(peer.enter("/", { rooms: ["a", "b", "c"] })), "too_many");
  assertEquals(peer.client.session.channels, []);
  await peer.enter("/", { rooms: ["a", "b"], user: "ann" });
  assertEquals((await peer.ask("join", "c")).error.code, "too_many");
  assertEquals(await refusal(peer.enter("/other")), "too_many");
  await peer.ask("leave", "a");
  assertEquals((await peer.ask("join", "c")).channel, "broadcast/c");
});

Deno.test("who becomes somebody with a later namespace hears the user's channel in the first", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const one = await peer.enter("/one");
  await peer.enter("/two", { user: "ann" });
  assertEquals(await refusal(peer.enter("/three", { user: "bob" })), "conflict");
  await stage.publish("$user/ann", "x");
  assertEquals(await peer.event("/one"), ["message", "x"]);
  peer.drop();
  await stage.publish("$user/ann", "y");
  const back = new SocketIoPeer(stage.edge);
  const auth = { user: "ann", pid: one.pid, offset: peer.offset("/one") };
  assertEquals((await back.enter("/one", auth)).recovered, true);
  assertEquals([await back.event("/one"), back.left], [["message", "y"], []]);
});

Deno.test("a client that leaves while it connects leaves nothing behind", async () => {
  await using stage = new Stage();
  for (const leave of [(peer: SocketIoPeer) => peer.drop(), (peer: SocketIoPeer) => peer.say({ type: 1, nsp: "/" })]) {
    const peer = new SocketIoPeer(stage.edge);
    peer.say({ type: 0, nsp: "/", data: { rooms: ["a", "b"], history: 5 } });
    leave(peer);
    // What was begun before this is over when it is answered.
    const other = await SocketIoPeer.connect(stage.edge);
    await other.ask("x");
    await other.event();
    assertEquals(peer.client.session.channels, []);
    assertEquals(peer.left, []);
    other.drop();
  }
});
