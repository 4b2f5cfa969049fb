import { assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { Noted, Talk } from "./talk.ts";

Deno.test("a packed connection goes on elsewhere as if nothing had been", () => {
  const before = new Noted();
  const talk = new Talk(before);
  talk.say("0", '0/a,{"token":"t"}');
  talk.socket("/a").data = { rooms: ["r"] };
  talk.socket().ask("q", [], "first");
  talk.socket("/a").ask("q", [], "second");
  const place = '{"_placeholder":true,"num":';
  talk.say(`52-/a,["b",${place}0},${place}1}]`, Uint8Array.of(1));
  before.lines.length = talk.out.length = 0;
  const [old] = talk.connection.sockets.values();
  const packed = structuredClone(talk.connection.pack());

  const after = new Noted();
  const moved = new Talk(after, { packed, newId: () => "new" });
  moved.heard();
  after.saw();
  assertEquals(
    Array.from(moved.connection.sockets.values(), ({ id, auth, data, isConnected }) => {
      return { id, auth, data, isConnected };
    }),
    [
      { id: "id1", auth: {}, data: undefined, isConnected: true },
      { id: "id2", auth: { token: "t" }, data: { rooms: ["r"] }, isConnected: true },
    ],
  );
  moved.say(Uint8Array.of(2), '3/a,1["yes"]', "31[]", '30["no"]', '2["e"]');
  after.saw('b /a [{"0":1},{"0":2}]', 'answer /a second ["yes"]', 'answer / first ["no"]', "e / []");
  moved.socket().ask("q", [], "third");
  moved.heard('422["q"]');
  moved.say("0/c", "1");
  moved.heard('40/c,{"sid":"new"}');
  assertThrows(() => moved.say("0/a"), GongError);

  // Of the old one nothing is left.
  assertEquals(old!.isConnected, false);
  old!.emit("e");
  old!.disconnect(true);
  talk.say('2["e"]');
  talk.connection.closed("transport close");
  talk.heard();
  before.saw();
});

Deno.test("pack() lets nothing be said by handlers that were under way", async () => {
  const noted = new Noted();
  const gate = Promise.withResolvers<void>();
  noted.onEvent = (_socket, event, _args, ack) => {
    noted.lines.push(event);
    return gate.promise.then(() => ack?.("late"));
  };
  const talk = new Talk(noted);
  talk.say("0", '21["one"]', '22["two"]');
  noted.onConnect = (socket) => {
    noted.lines.push(`connect ${socket.namespace}`);
    return gate.promise;
  };
  talk.say("0/a", "0/b");
  noted.saw("connect / {}", "one", "connect /a");
  talk.out.length = 0;
  assertEquals(talk.connection.pack().sockets.map(({ namespace }) => namespace), ["/"]);
  gate.resolve();
  for (let tick = 0; tick < 10; tick++) await Promise.resolve();
  talk.heard();
  noted.saw();
});

Deno.test("reopenConnection() of Socket.IO 2 has no second beginning", () => {
  const talk = new Talk({}, { protocol: 3 });
  talk.connection.begin();
  talk.say("0/a");
  const moved = new Talk({}, { protocol: 3, packed: structuredClone(talk.connection.pack()) });
  moved.connection.begin();
  moved.heard();
  moved.say("1", '2/a,["e"]');
  assertEquals([...moved.connection.sockets.keys()], ["/a"]);
});
