import { assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import type { Ack } from "../../lib/socketio/engine.ts";
import type { Data } from "../../lib/types.ts";
import { LIMITS, Noted, Talk } from "./talk.ts";

/** Handlers whose events end when they are told to. */
class Slow extends Noted {
  readonly #ends: PromiseWithResolvers<void>[] = [];

  override onEvent(...call: Parameters<Noted["onEvent"]>): Promise<void> {
    super.onEvent(...call);
    const end = Promise.withResolvers<void>();
    this.#ends.push(end);
    return end.promise;
  }

  /** The first that is under way ends, and what follows from that is done. */
  async end(error?: Error): Promise<void> {
    const end = this.#ends.shift()!;
    if (error) end.reject(error);
    else end.resolve();
    for (let tick = 0; tick < 5; tick++) await Promise.resolve();
  }
}

Deno.test("onEvent gets every event, with bytes, and its acknowledgement if it wants one", () => {
  const got: unknown[] = [];
  const talk = new Talk({ onEvent: (_socket, event, args, ack) => void got.push([event, ...args, ack !== undefined]) });
  talk.say("0", '2["e",1,"2",{"3":[true]}]', '2456["f"]', '2[7,"g"]');
  talk.say(
    '52-["b",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]',
    Uint8Array.of(1),
    Uint8Array.of(2),
  );
  assertEquals(got, [
    ["e", 1, "2", { "3": [true] }, false],
    ["f", true],
    ["7", "g", false],
    ["b", Uint8Array.of(1), [Uint8Array.of(2)], false],
  ]);
});

Deno.test("an acknowledgement goes out once, with bytes too, also when the handler is long done", () => {
  const acks: Ack[] = [];
  const talk = new Talk({ onEvent: (_socket, _event, _args, ack) => void acks.push(ack!) });
  talk.say("0", "0/a", '27["e"]', '2/a,0["e"]');
  talk.out.length = 0;
  acks[0]!(1, "2");
  acks[0]!("again");
  acks[1]!(Uint8Array.of(9));
  talk.heard('437[1,"2"]', '461-/a,0[{"_placeholder":true,"num":0}]', Uint8Array.of(9));
});

Deno.test("what onEvent throws or rejects with is told by the acknowledgement, or as the event `$error`", async () => {
  const errors: Record<string, () => Promise<void>> = {
    thrown: () => {
      throw new GongError("forbidden", "No.");
    },
    rejected: () => Promise.reject(new GongError("too_large")),
    broken: () => Promise.reject(new TypeError("a secret of the server")),
  };
  const talk = new Talk({
    onEvent: (_socket, event, [acked], ack) => {
      if (acked) ack?.("done");
      return errors[event]!();
    },
  });
  talk.say("0");
  talk.out.length = 0;
  talk.say('2["thrown"]', '21["thrown"]', '2["rejected"]', '22["rejected"]', '2["broken"]', '23["thrown",true]');
  await talk.connection.settled();
  const tooLarge = '{"code":"too_large","message":"The message is too large."}';
  talk.heard(
    '42["$error",{"code":"forbidden","message":"No."}]',
    '431[{"error":{"code":"forbidden","message":"No."}}]',
    `42["$error",${tooLarge}]`,
    `432[{"error":${tooLarge}}]`,
    '42["$error",{"code":"internal","message":"The server failed."}]',
    '433["done"]',
    '42["$error",{"code":"forbidden","message":"No."}]',
  );
});

Deno.test("events of one socket are handled in order, one at a time, and those of another meanwhile", async () => {
  const slow = new Slow();
  const talk = new Talk(slow);
  talk.say("0", "0/a");
  slow.lines.length = 0;
  talk.say('2["one"]', '2["two"]', '2/a,["other"]', '2["three"]');
  slow.saw("one / []", "other /a []");
  await slow.end(new GongError("forbidden"));
  slow.saw("two / []");
  await slow.end();
  await slow.end();
  slow.saw("three / []");
  await slow.end();
  await talk.connection.settled();
});

Deno.test("events that wait are bounded, over all sockets of a connection", async () => {
  const slow = new Slow();
  const talk = new Talk(slow);
  talk.say("0", "0/a", '2["under way"]', '2/a,["under way"]', '2["1"]', '2/a,["2"]', '2["3"]');
  assertEquals(assertThrows(() => talk.say('2["4"]'), GongError).code, "rate_limited");
  await slow.end();
  talk.say('2/a,["4"]');
  assertEquals(assertThrows(() => talk.say('2["5"]'), GongError).code, "rate_limited");
  // What waits for one that is gone makes room.
  talk.socket("/a").disconnect();
  talk.say('2["5"]', '2["6"]');
  assertEquals(assertThrows(() => talk.say('2["7"]'), GongError).code, "rate_limited");
});

Deno.test("what waits is bounded in bytes too, CONNECTs and attachments among it, but one packet may always", async () => {
  const slow = new Slow();
  const limits = { ...LIMITS, waiting: 100, waitingBytes: 100 };
  const talk = new Talk(slow, { limits });
  const isRefused = (...packets: Data[]) => {
    assertEquals(assertThrows(() => talk.say(...packets), GongError).code, "rate_limited");
  };
  const large = "x".repeat(80);
  talk.say("0", '2["under way"]', `2["a","${large.repeat(3)}"]`);
  isRefused('2["b"]');
  await slow.end();
  talk.say('51-["b",{"_placeholder":true,"num":0}]', new Uint8Array(50));
  isRefused(`2["c"]  ${" ".repeat(20)}`);
  talk.say('2["c"]');
  await slow.end();
  await slow.end();
  await slow.end();
  const gate = Promise.withResolvers<void>();
  const { promise } = gate;
  slow.onConnect = () => promise;
  talk.say(`0/a,{"a":"${large}"}`);
  isRefused(`0/b,{"a":"${large}"}`);
  gate.resolve();
  await talk.connection.settled();
  talk.say(`0/b,{"a":"${large}"}`);
  await talk.connection.settled();
  assertEquals([...talk.connection.sockets.keys()], ["/", "/a", "/b"]);
});

Deno.test("what a client said before its DISCONNECT is handled before that, and before its next CONNECT", async () => {
  const slow = new Slow();
  const talk = new Talk(slow);
  talk.say("0", '21["one"]', '22["two"]');
  const socket = talk.socket();
  slow.lines.length = talk.out.length = 0;
  talk.say("1", "0", "0/b");
  assertEquals([socket.isConnected, talk.connection.sockets.size], [false, 0]);
  slow.saw();
  await slow.end();
  slow.saw("two / [] ack");
  await slow.end(new GongError("forbidden"));
  slow.saw("disconnect / client namespace disconnect", "connect / {}", "connect /b {}");
  talk.heard('40{"sid":"id2"}', '40/b,{"sid":"id3"}');
  await talk.connection.settled();
});

Deno.test("what waits is dropped when the connection or the namespace ends", async () => {
  for (const end of ["closed", "disconnect", "leaving"]) {
    const slow = new Slow();
    const talk = new Talk(slow);
    talk.say("0", '21["one"]', '22["two"]');
    slow.lines.length = talk.out.length = 0;
    if (end === "leaving") talk.say("1");
    if (end === "disconnect") talk.socket().disconnect();
    else talk.connection.closed("transport close");
    const reason = { closed: "transport close", disconnect: "server namespace disconnect" }[end];
    slow.saw(`disconnect / ${reason ?? "client namespace disconnect"}`);
    talk.out.length = 0;
    await slow.end(new GongError("forbidden"));
    slow.saw();
    talk.heard();
    await talk.connection.settled();
  }
});

Deno.test("ask() brings the client's acknowledgement, once, and one that nobody asked for is passed over", () => {
  const noted = new Noted();
  const talk = new Talk(noted);
  talk.say("0", "0/a");
  noted.lines.length = talk.out.length = 0;
  talk.socket().ask("q", [1], "first");
  talk.socket("/a").ask("q", [Uint8Array.of(1)], "second");
  talk.heard('420["q",1]', '451-/a,1["q",{"_placeholder":true,"num":0}]', Uint8Array.of(1));
  talk.say("3/a,0[]", "31[]", "39[]", '30["yes"]', '30["again"]', '61-/a,1[{"_placeholder":true,"num":0}]');
  noted.saw('answer / first ["yes"]');
  talk.say(Uint8Array.of(7));
  noted.saw('answer /a second [{"0":7}]');
});

Deno.test("ask() forgets the oldest past its bound, and all of a namespace with it", () => {
  const noted = new Noted();
  const talk = new Talk(noted);
  talk.say("0", "0/a");
  noted.lines.length = 0;
  for (const question of ["0", "1", "2", "3"]) talk.socket().ask("q", [], question);
  talk.say("30[]", "31[]");
  noted.saw("answer / 1 []");
  talk.socket("/a").ask("q", [], "4");
  talk.say("1/a", "0/a");
  noted.lines.length = 0;
  talk.say("3/a,4[]", "32[]");
  noted.saw("answer / 2 []");
});

Deno.test("what was asked of a socket that has left, or was refused, is not answered by the next one", async () => {
  const slow = new Slow();
  const talk = new Talk(slow);
  slow.onConnect = (socket) => {
    socket.ask("q", [], "refused");
    throw new GongError("forbidden");
  };
  talk.say("0");
  slow.onConnect = () => {};
  talk.say("0", "30[]", '2["e"]');
  talk.socket().ask("q", [], "left");
  talk.say("1", "0");
  await slow.end();
  talk.say("31[]");
  slow.saw("e / []", "disconnect / client namespace disconnect");
});

Deno.test("onAck is called at once, as an event may wait for it, and what it throws is told", async () => {
  const slow = new Slow();
  const talk = new Talk(slow);
  talk.say("0", '2["waits"]');
  talk.socket().ask("q", [], "question");
  slow.lines.length = talk.out.length = 0;
  talk.say("30[]");
  slow.saw("answer / question []");
  slow.onAck = () => Promise.reject(new GongError("forbidden", "No.")) as never;
  talk.socket().ask("q", [], "question");
  talk.say("31[]");
  slow.onAck = () => {
    throw new GongError("forbidden", "Not at all.");
  };
  talk.socket().ask("q", [], "question");
  talk.say("32[]");
  await slow.end();
  await talk.connection.settled();
  talk.heard(
    '421["q"]',
    '422["q"]',
    '42["$error",{"code":"forbidden","message":"Not at all."}]',
    '42["$error",{"code":"forbidden","message":"No."}]',
  );
});

Deno.test("settled() waits for handlers, for events that wait, and for CONNECTs", async () => {
  const slow = new Slow();
  const gate = Promise.withResolvers<void>();
  slow.onConnect = ({ namespace }) => namespace === "/a" ? gate.promise : undefined;
  const talk = new Talk(slow);
  await talk.connection.settled();
  talk.say("0", '2["one"]', '2["two"]', "0/a");
  let isSettled = false;
  talk.connection.settled().then(() => isSettled = true);
  await slow.end();
  assertEquals(isSettled, false);
  await slow.end();
  assertEquals(isSettled, false);
  gate.resolve();
  await talk.connection.settled();
  assertEquals(isSettled, true);
});

Deno.test("a handler that throws hurts no other socket and no other event", async () => {
  const noted = new Noted();
  noted.onEvent = (_socket, event) => {
    if (event === "bad") throw new Error("a bug");
    noted.lines.push(event);
  };
  const talk = new Talk(noted);
  talk.say("0", "0/a", '2["bad"]', '2["good"]', '2/a,["good too"]');
  noted.saw("connect / {}", "connect /a {}", "good", "good too");
  await talk.connection.settled();
});
