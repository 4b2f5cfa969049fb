import { assert, assertEquals } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import type { Ack, Argument, Handlers, ServerSocket } from "../../lib/socketio/engine.ts";
import type { Data } from "../../lib/types.ts";
import { type Random, seeded } from "../support/random.ts";
import { LIMITS, Talk } from "./talk.ts";

/** Handlers that do anything that they may, sooner or later, and look at what they are called with. */
class Erratic implements Handlers {
  readonly #random: Random;
  /** Those that were let in, by whether they are gone. */
  readonly seen = new Map<ServerSocket, boolean>();
  readonly #busy = new Set<ServerSocket>();
  /** What was not as promised; thrown at the engine, it would be one more failure of a handler. */
  readonly broken: string[] = [];
  #connecting = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  hasNamespace(namespace: string): boolean {
    return namespace !== "/none";
  }

  onConnect(socket: ServerSocket): void | Promise<void> {
    this.#promise(++this.#connecting === 1, "one after the other");
    this.#promise(!this.seen.has(socket) && !socket.isConnected, "once");
    return this.#somehow(() => {
      this.#connecting--;
      this.#mayFail();
      this.seen.set(socket, false);
    });
  }

  onEvent(socket: ServerSocket, _event: string, args: readonly Argument[], ack: Ack | undefined): void | Promise<void> {
    this.#promise(this.seen.get(socket) === false, "events only while it is there");
    this.#promise(!this.#busy.has(socket), "one at a time");
    this.#busy.add(socket);
    return this.#somehow(() => {
      this.#busy.delete(socket);
      switch (this.#random.int(8)) {
        case 0:
          return socket.disconnect();
        case 1:
          return socket.ask("question", args, "answered");
        case 2:
          return socket.emit("event", ...args);
        case 3:
          return void ack?.(...args);
        default:
          this.#mayFail();
      }
    });
  }

  onAck(socket: ServerSocket, answered: string): void {
    this.#promise(this.seen.get(socket) === false && answered === "answered", "answers only while it is there");
    this.#mayFail();
  }

  onDisconnect(socket: ServerSocket): void {
    this.#promise(this.seen.get(socket) === false && !socket.isConnected, "gone once, and after onConnect");
    this.seen.set(socket, true);
  }

  #promise(isKept: boolean, what: string): void {
    if (!isKept) this.broken.push(what);
  }

  #mayFail(): void {
    if (this.#random.int(8) === 0) throw new GongError("forbidden");
    if (this.#random.int(8) === 0) throw new TypeError("a bug");
  }

  #somehow(action: () => void): void | Promise<void> {
    if (this.#random.int(2)) return action();
    return (async () => {
      for (let ticks = this.#random.int(4); ticks >= 0; ticks--) await Promise.resolve();
      action();
    })();
  }
}

/** What a client says that mostly knows where it is connected. */
function message(random: Random, connected: readonly string[]): Data {
  const namespaces = ["/", "/a", "/b", "/c?x=1", "/none"];
  const known = random.int(30) ? connected : namespaces;
  const others = random.int(30) ? namespaces.filter((namespace) => !connected.includes(namespace)) : namespaces;
  const kind = known.length === 0 ? 0 : random.int(10);
  const namespace = (kind < 2 ? others : known)[random.int((kind < 2 ? others : known).length)]!;
  const prefix = namespace === "/" ? "" : `${namespace},`;
  const args = random.pick(['["e",1]', '["e"]', '["e",{"_placeholder":true,"num":0}]']);
  if (random.int(100) === 0) return random.text(["0", "2", "/", "[", "]", '"'], 5);
  switch (kind) {
    case 0:
    case 1:
      return `0${prefix}${random.pick(["", '{"a":1}'])}`;
    case 2:
      return `1${prefix}`;
    case 3:
      return `3${prefix}${random.int(4)}[]`;
    case 4:
      return `51-${prefix}["e",{"_placeholder":true,"num":0}]`;
    default:
      return `2${prefix}${random.pick(["", "1", "2"])}${args}`;
  }
}

Deno.test("a connection keeps its promises to handlers, whatever its client says, and refuses with GongErrors", async () => {
  const counts = { let: 0, refused: 0, moved: 0 };
  for (let round = 0; round < 3000; round++) {
    const random = seeded(round);
    const handlers = new Erratic(random);
    const protocol = random.pick<3 | 4>([3, 4]);
    let talk = new Talk(handlers, { protocol });
    talk.connection.begin();
    for (let step = random.int(60); step > 0; step--) {
      if (random.int(4) === 0) await Promise.resolve();
      try {
        const data = message(random, [...talk.connection.sockets.keys()]);
        talk.say(data);
        if (typeof data === "string" && data.startsWith("5") && random.int(30)) talk.say(Uint8Array.of(1));
      } catch (error) {
        assert(error instanceof GongError, `${error}`);
        counts.refused++;
        break;
      }
      assert(talk.connection.sockets.size <= LIMITS.namespaces);
      if (random.int(20) === 0) {
        await talk.connection.settled();
        const packed = structuredClone(talk.connection.pack());
        const before = [...talk.connection.sockets.values()];
        talk = new Talk(handlers, { protocol, packed });
        for (const [index, socket] of [...talk.connection.sockets.values()].entries()) {
          handlers.seen.set(socket, false);
          handlers.seen.set(before[index]!, true);
        }
        counts.moved++;
      }
    }
    const connected = talk.connection.sockets.size;
    assertEquals(talk.connection.goodbye().length, connected);
    talk.connection.closed("transport close");
    await talk.connection.settled();
    counts.let += handlers.seen.size;
    for (const isGone of handlers.seen.values()) assert(isGone, `round ${round}: nobody said that it is gone`);
    assertEquals([talk.connection.sockets.size, handlers.broken], [0, []], `round ${round}`);
  }
  assert(counts.let > 1000 && counts.refused > 500 && counts.moved > 200, JSON.stringify(counts));
});
