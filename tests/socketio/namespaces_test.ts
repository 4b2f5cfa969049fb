import { assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import type { ConnectAnswer, ServerSocket } from "../../lib/socketio/engine.ts";
import type { Data } from "../../lib/types.ts";
import { Noted, Talk } from "./talk.ts";

/** What the connection is to be closed for. */
function refusal(talk: Talk, ...messages: Data[]): string {
  return assertThrows(() => talk.say(...messages), GongError).code;
}

Deno.test("createConnection() connects to namespaces with what the client says of itself", () => {
  const noted = new Noted();
  const talk = new Talk(noted);
  talk.say("0", '0/chat1,{"token":"a"}', "0/b");
  talk.heard('40{"sid":"id1"}', '40/chat1,{"sid":"id2"}', '40/b,{"sid":"id3"}');
  noted.saw("connect / {}", 'connect /chat1 {"token":"a"}', "connect /b {}");
  assertEquals([...talk.connection.sockets.keys()], ["/", "/chat1", "/b"]);
  assertEquals(talk.socket("/chat1").auth, { token: "a" });
});

Deno.test("onConnect's answer goes out with CONNECT, another `sid` too, and what it emits behind it", () => {
  const talk = new Talk({
    onConnect(socket) {
      socket.emit("early", socket.isConnected);
      socket.ask("asked", [], "q");
      return { pid: "p", recovered: true, ...(socket.namespace === "/a" ? { sid: "old" } : {}) };
    },
  });
  talk.say("0", "0/a");
  talk.heard(
    '40{"sid":"id1","pid":"p","recovered":true}',
    '42["early",false]',
    '420["asked"]',
    '40/a,{"sid":"old","pid":"p","recovered":true}',
    '42/a,["early",false]',
    '42/a,1["asked"]',
  );
  assertEquals([talk.socket().id, talk.socket("/a").id], ["id1", "old"]);
});

Deno.test("onConnect's refusal is CONNECT_ERROR with its code, and another error tells nothing", async () => {
  const errors: Record<string, Error> = {
    "/secret": new GongError("forbidden", "Not for you."),
    "/broken": new TypeError("a secret of the server"),
    "/later": new GongError("overloaded"),
  };
  const noted = new Noted();
  noted.onConnect = (socket) => {
    socket.emit("never");
    if (socket.namespace === "/later") return Promise.reject(errors[socket.namespace]);
    throw errors[socket.namespace];
  };
  const talk = new Talk(noted);
  talk.say("0/secret", "0/broken", "0/later");
  await talk.connection.settled();
  talk.heard(
    '44/secret,{"message":"Not for you.","data":{"code":"forbidden"}}',
    '44/broken,{"message":"The server failed.","data":{"code":"internal"}}',
    '44/later,{"message":"The server is overloaded.","data":{"code":"overloaded"}}',
  );
  assertEquals(talk.connection.sockets.size, 0);
  talk.connection.closed("transport close");
  noted.saw();
  // Whoever was refused may try again.
  errors["/secret"] = new GongError("forbidden", "Still not.");
  const again = new Talk(noted);
  again.say("0/secret", "0/secret");
  again.heard(...Array(2).fill('44/secret,{"message":"Still not.","data":{"code":"forbidden"}}'));
});

Deno.test("hasNamespace() refuses in the words of every server, without a handler", () => {
  const noted = Object.assign(new Noted(), { hasNamespace: (namespace: string) => namespace === "/" });
  const talk = new Talk(noted);
  talk.say("0/random", "0");
  talk.heard('44/random,{"message":"Invalid namespace"}', '40{"sid":"id2"}');
  noted.saw("connect / {}");
});

Deno.test("CONNECTs of a connection are handled one after the other, in order, whatever each takes", async () => {
  const noted = new Noted();
  const gates = new Map<string, PromiseWithResolvers<void>>();
  noted.onConnect = (socket) => {
    noted.lines.push(`connect ${socket.namespace}`);
    if (socket.namespace === "/b") return;
    const gate = Promise.withResolvers<void>();
    gates.set(socket.namespace, gate);
    return gate.promise;
  };
  const talk = new Talk(noted);
  talk.say("0/a", "0/b", "0/c");
  noted.saw("connect /a");
  talk.heard();
  gates.get("/a")!.resolve();
  await Promise.resolve();
  await Promise.resolve();
  noted.saw("connect /b", "connect /c");
  talk.heard('40/a,{"sid":"id1"}', '40/b,{"sid":"id2"}');
  gates.get("/c")!.reject(new GongError("forbidden"));
  await talk.connection.settled();
  talk.heard('44/c,{"message":"This is not allowed.","data":{"code":"forbidden"}}');
});

Deno.test("a namespace that is connected cannot be connected to again, and what is said elsewhere is refused", () => {
  const talk = new Talk();
  talk.say("0");
  assertEquals(refusal(talk, "0"), "bad_request");
  assertEquals(refusal(new Talk(), '2["e"]'), "bad_request");
  assertEquals(refusal(talk, '2/a,["e"]'), "bad_request");
  assertEquals(refusal(talk, "3/a,1[]"), "bad_request");
  assertEquals(refusal(talk, '4{"message":"no"}'), "bad_request");
  assertEquals(refusal(talk, "abc"), "bad_request");
  const connecting = new Talk({ onConnect: () => new Promise(() => {}) });
  connecting.say("0");
  assertEquals(refusal(connecting, '2["e"]'), "bad_request");
});

Deno.test("the namespaces of a connection are bounded, those that connect and those that leave too", async () => {
  const gate = Promise.withResolvers<void>();
  const talk = new Talk({ onConnect: ({ namespace }) => namespace === "/" ? undefined : gate.promise });
  talk.say("0", "0/a", "0/b", "0/c");
  assertEquals(refusal(talk, "0/d"), "too_many");
  gate.resolve();
  await talk.connection.settled();
  assertEquals(refusal(talk, "0/d"), "too_many");
  talk.say("1/a", "0/d");
  await talk.connection.settled();
  assertEquals([...talk.connection.sockets.keys()], ["/", "/b", "/c", "/d"]);
  // One that leaves while an event of it is handled is there until that is done.
  const done = Promise.withResolvers<void>();
  const busy = new Talk({ onEvent: () => done.promise });
  busy.say("0", "0/a", "0/b", "0/c", '2/a,["e"]', "1/a");
  assertEquals(refusal(busy, "0/d"), "too_many");
  done.resolve();
  await busy.connection.settled();
  busy.say("0/d");
});

Deno.test("DISCONNECT of the client ends its namespace only, and it may connect again", () => {
  const noted = new Noted();
  const talk = new Talk(noted);
  talk.say("0", "0/custom");
  const socket = talk.socket("/custom");
  talk.say("1/custom", '2["e"]');
  assertEquals([socket.isConnected, talk.socket().isConnected], [false, true]);
  noted.saw("connect / {}", "connect /custom {}", "disconnect /custom client namespace disconnect", "e / []");
  talk.out.length = 0;
  socket.emit("into nowhere");
  socket.ask("into nowhere", [], "q");
  socket.disconnect();
  talk.heard();
  // Once more is none too many: both sides may have ended it at once.
  talk.say("1/custom", "0/custom");
  talk.heard('40/custom,{"sid":"id3"}');
  noted.saw("connect /custom {}");
  socket.emit("of the old one");
  talk.heard();
});

Deno.test("DISCONNECT during CONNECT is not answered; who was let in nonetheless is told that it is gone", async () => {
  const noted = new Noted();
  const gates: PromiseWithResolvers<ConnectAnswer>[] = [];
  noted.onConnect = (socket) => {
    noted.lines.push(`connect ${socket.namespace}`);
    socket.emit("never");
    return (gates[gates.length] = Promise.withResolvers()).promise as Promise<void>;
  };
  const talk = new Talk(noted);
  talk.say("0/a", "0/b", "1/b", "1/a");
  noted.saw("connect /a");
  gates[0]!.resolve({ pid: "p" });
  await talk.connection.settled();
  noted.saw("disconnect /a client namespace disconnect");
  talk.say("0/a", "1/a");
  gates[1]!.reject(new GongError("forbidden"));
  await talk.connection.settled();
  noted.saw("connect /a");
  talk.heard();
  assertEquals(talk.connection.sockets.size, 0);
});

Deno.test("a second CONNECT takes the place of one that is under way, and only it is answered", async () => {
  const noted = new Noted();
  const gates: PromiseWithResolvers<void>[] = [];
  noted.onConnect = (socket) => {
    noted.lines.push(`connect ${socket.auth.n}`);
    return (gates[gates.length] = Promise.withResolvers()).promise;
  };
  const talk = new Talk(noted);
  talk.say('0{"n":1}', '0{"n":2}', '0{"n":3}');
  gates[0]!.resolve();
  await Promise.resolve();
  await Promise.resolve();
  noted.saw("connect 1", "disconnect / client namespace disconnect", "connect 3");
  gates[1]!.resolve();
  await talk.connection.settled();
  talk.heard('40{"sid":"id3"}');
});

Deno.test("disconnect() ends a namespace, and what its client said before it knew is passed over", () => {
  const noted = new Noted();
  const talk = new Talk(noted);
  talk.say("0", "0/a");
  const socket = talk.socket("/a");
  noted.lines.length = talk.out.length = 0;
  socket.disconnect();
  socket.disconnect();
  talk.heard("41/a,");
  noted.saw("disconnect /a server namespace disconnect");
  talk.say('2/a,["e"]', "3/a,1[]", "1/a");
  noted.saw();
  talk.say("0/a");
  talk.heard('40/a,{"sid":"id3"}');
  talk.say("1/a");
  assertEquals(refusal(talk, '2/a,["e"]'), "bad_request");
  // So many of them are remembered as there may be.
  for (const namespace of ["/a", "/b", "/c", "/d", "/e"]) {
    talk.say(`0${namespace}`);
    talk.socket(namespace).disconnect();
  }
  talk.say('2/b,["e"]', '2/e,["e"]');
  assertEquals(refusal(talk, '2/a,["e"]'), "bad_request");
});

Deno.test("disconnect(true) ends every namespace, then the connection, and nothing connects any more", async () => {
  const noted = new Noted();
  const gate = Promise.withResolvers<void>();
  noted.onConnect = ({ namespace }) => namespace === "/slow" ? gate.promise : undefined;
  const talk = new Talk(noted);
  talk.say("0", "0/a", "0/slow");
  talk.out.length = 0;
  talk.socket().disconnect(true);
  talk.heard("41", "41/a,", "close");
  gate.resolve();
  await talk.connection.settled();
  talk.heard();
  const reason = "server namespace disconnect";
  noted.saw(`disconnect / ${reason}`, `disconnect /a ${reason}`, `disconnect /slow ${reason}`);
  talk.connection.closed("forced close");
  noted.saw();
});

Deno.test("closed() tells every socket once, and those that are let in later", async () => {
  const noted = new Noted();
  const gate = Promise.withResolvers<void>();
  noted.onConnect = ({ namespace }) => namespace === "/slow" ? gate.promise : undefined;
  const talk = new Talk(noted);
  talk.say("0", "0/a", "0/slow", "0/b");
  talk.out.length = 0;
  const socket = talk.socket();
  talk.connection.closed("ping timeout");
  talk.connection.closed("transport close");
  noted.saw("disconnect / ping timeout", "disconnect /a ping timeout");
  gate.resolve();
  await talk.connection.settled();
  noted.saw("disconnect /slow ping timeout");
  talk.say("0/c", "abc");
  socket.emit("e");
  socket.disconnect(true);
  talk.heard();
  assertEquals(talk.connection.sockets.size, 0);
});

Deno.test("goodbye() is DISCONNECT of every namespace, and changes nothing", () => {
  const talk = new Talk();
  talk.say("0/a", "0");
  assertEquals(talk.connection.goodbye(), ["41/a,", "41"]);
  assertEquals(new Talk().connection.goodbye(), []);
  assertEquals(talk.socket().isConnected, true);
});

Deno.test("a connection of Socket.IO 2 is in `/` from its beginning, and speaks as that version does", async () => {
  const noted = new Noted();
  const talk = new Talk(noted, { protocol: 3 });
  talk.connection.begin();
  talk.say("0", "0/chat1?token=a%20b&n=1&n=2&__proto__=x");
  talk.heard("40", "40/chat1,");
  noted.saw("connect / {}", 'connect /chat1 {"token":"a b","n":"2","__proto__":"x"}');
  noted.onEvent = () => Promise.reject(new GongError("forbidden", "No."));
  talk.say('2/chat1,["e"]', '2/chat1,7["e"]');
  await talk.connection.settled();
  talk.heard(
    '44/chat1,{"code":"forbidden","message":"No."}',
    '43/chat1,7[{"error":{"code":"forbidden","message":"No."}}]',
  );
  talk.socket("/chat1").emit("b", Uint8Array.of(1));
  talk.heard('451-/chat1,["b",{"_placeholder":true,"num":0}]', Uint8Array.of(4, 1));
  noted.onConnect = () => {
    throw new GongError("forbidden", "No.");
  };
  talk.say("0/b?x=1");
  talk.heard('44/b,{"message":"No.","data":{"code":"forbidden"}}');
  const other = new Talk();
  other.connection.begin();
  other.heard();
});

Deno.test("join(), leave() and to() ask who keeps rooms", async () => {
  const calls: unknown[] = [];
  const talk = new Talk({}, {
    rooms: {
      join: (socket: ServerSocket, room) => Promise.resolve(calls.push(["join", socket.id, room])),
      leave: (socket: ServerSocket, room) => calls.push(["leave", socket.id, room]),
      emit: (socket: ServerSocket, room, event, args) => Promise.resolve(calls.push([socket.id, room, event, args])),
    },
  });
  talk.say("0");
  assertEquals(await talk.socket().join("r"), 1);
  assertEquals(await talk.socket().to("r").emit("e", 1, [2]), 2);
  assertEquals(talk.socket().leave("r"), 3);
  assertEquals(calls, [["join", "id1", "r"], ["id1", "r", "e", [1, [2]]], ["leave", "id1", "r"]]);
});
