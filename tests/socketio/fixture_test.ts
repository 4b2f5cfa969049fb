/**
 * The Socket.IO half of the fixture, in the cases of the protocol's own suite.
 *
 * @see https://github.com/socketio/socket.io/tree/main/docs/socket.io-protocol/v5-test-suite
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { CarrierEvents } from "../../lib/carrier.ts";
import type { EngineProtocol } from "../../lib/engineio/orders.ts";
import type { EngineSocket } from "../../lib/engineio/engine.ts";
import type { Data } from "../../lib/types.ts";
import { SocketServer } from "../fixtures/socketio/socket_server.ts";

/** A session of Engine.IO whose client is the test. */
class Session implements EngineSocket {
  readonly sid = "secret";
  readonly transport = "websocket";
  readonly pending = 0;
  readonly outlet = this;
  isOpen = true;
  readonly #frames: Data[] = [];
  readonly #closed = Promise.withResolvers<string>();
  #events!: CarrierEvents;

  constructor(readonly protocol: EngineProtocol = 4, connectTimeout = 60_000) {
    const server = new SocketServer({ connectTimeout, maxMessage: 1000 });
    server.connect(this);
    this.#events.opened();
  }

  listen(events: CarrierEvents): void {
    this.#events = events;
  }

  send(data: Data): void {
    if (this.isOpen) this.#frames.push(data);
  }

  close(_code: number, reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#closed.resolve(reason);
    this.#events.closed(1000, "", true);
  }

  /** Frames as a client sends them: texts with the type of their message. */
  say(...frames: Data[]): void {
    for (const frame of frames) this.#events.received(typeof frame === "string" ? frame.slice(1) : frame);
  }

  /** What has come since it was asked last. */
  heard(): Data[] {
    return this.#frames.splice(0);
  }

  /** In a namespace, and with what is said there at first heard. */
  in(connect = "40"): this {
    this.say(connect);
    assertEquals(this.heard().length, 2);
    return this;
  }

  /** Why it was closed, when it is; it has to be done with anything that is still going on. */
  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  end(): void {
    this.close(1000, "");
  }
}

/** What answers a CONNECT that was let in: `sid` and nothing else, then the event `auth`. */
function assertConnected(session: Session, namespace: string, auth: string): void {
  const [connected, event, ...more] = session.heard() as string[];
  assert(connected!.startsWith(`40${namespace}`));
  const answer = JSON.parse(connected!.slice(2 + namespace.length));
  assertEquals(Object.keys(answer), ["sid"]);
  assertMatch(answer.sid, /^[\w-]{16,}$/);
  assertEquals([event, ...more], [`42${namespace}["auth",${auth}]`]);
  session.end();
}

Deno.test("SocketServer lets clients into `/` and `/custom`, and tells them what they have said of themselves", () => {
  const cases: [said: string, namespace: string, auth: string][] = [
    ["40", "", "{}"],
    ['40{"token":"123"}', "", '{"token":"123"}'],
    ["40/custom,", "/custom,", "{}"],
    ["40/custom", "/custom,", "{}"],
    ['40/custom,{"token":"abc"}', "/custom,", '{"token":"abc"}'],
  ];
  for (const [said, namespace, auth] of cases) {
    const session = new Session();
    session.say(said);
    assertConnected(session, namespace, auth);
  }
});

Deno.test("SocketServer refuses an unknown namespace in the very words of the suite", () => {
  const session = new Session();
  session.say("40/random");
  assertEquals(session.heard(), ['44/random,{"message":"Invalid namespace"}']);
  session.end();
});

Deno.test("SocketServer closes a connection that is in no namespace in time, and no other", async () => {
  const connected = new Session(4, 50).in();
  const silent = new Session(4, 50);
  const refused = new Session(4, 50);
  refused.say("40/random");
  assertEquals(await silent.closed, "connect timeout");
  assertEquals(await refused.closed, "connect timeout");
  assert(connected.isOpen, "its time would have been over first");
  connected.end();
});

Deno.test("SocketServer goes on after a namespace was left", () => {
  const session = new Session().in();
  session.say("41");
  assert(session.isOpen);
  assertEquals(session.heard(), []);
  const other = new Session().in().in("40/custom");
  other.say("41/custom", '42["message","message to main namespace"]');
  assertEquals(other.heard(), ['42["message-back","message to main namespace"]']);
  other.end();
  session.end();
});

Deno.test("SocketServer sends messages back and acknowledges them, with attachments too", () => {
  const places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
  const bytes = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)];
  const cases: [said: Data[], heard: Data[]][] = [
    [['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']],
    [[`452-["message",${places}]`, ...bytes], [`452-["message-back",${places}]`, ...bytes]],
    [['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']],
    [[`452-789["message-with-ack",${places}]`, ...bytes], [`462-789[${places}]`, ...bytes]],
    [['42["something else"]'], []],
  ];
  for (const [said, heard] of cases) {
    const session = new Session().in();
    session.say(...said);
    assertEquals(session.heard(), heard);
    session.end();
  }
});

Deno.test("SocketServer closes a connection that says what is no packet", async () => {
  const invalid = ["4abc", "42{}", '42abc["message-with-ack",1,"2",{"3":[false]}]', `42["${"a".repeat(1000)}"]`, "40"];
  for (const frame of invalid) {
    const session = new Session().in();
    session.say(frame);
    await session.closed;
  }
  const session = new Session();
  session.say("4abc");
  await session.closed;
});

Deno.test("SocketServer speaks with clients of version 2", () => {
  const session = new Session(3);
  assertEquals(session.heard(), ["40", '42["auth",{}]']);
  session.say("40/custom?token=abc", '451-["message",{"_placeholder":true,"num":0}]', Uint8Array.of(1));
  assertEquals(session.heard(), [
    "40/custom,",
    '42/custom,["auth",{"token":"abc"}]',
    '451-["message-back",{"_placeholder":true,"num":0}]',
    Uint8Array.of(4, 1),
  ]);
  session.end();
});
