import { setImmediate } from "node:timers";
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import type { Random } from "../../support/random.ts";
import { SocketClient } from "../../support/socketio/client.ts";
import { until } from "../../support/until.ts";

/** The namespace of all, and the rooms, of which each visitor is in one. */
export const NAMESPACE = "/soak";
export const ROOMS = 8;

/** What ends a connection that nobody has anything to say about. */
const OWN_ENDS = new Set(["forced close", "io client disconnect"]);

/**
 * A real client that polls, upgrades and comes back, over and over; it hears all that goes to the namespace and to its
 * room, and talks to itself in a room of its own.
 */
export class Visitor {
  readonly client: SocketClient;
  readonly room: string;
  readonly #own: string;
  readonly #random: Random;
  readonly #isCut: boolean;
  readonly #running: Promise<void>[];
  /** Numbers that were said to the own room and acknowledged. */
  readonly #acknowledged = new Set<number>();
  upgrades = 0;
  /** Connections that ended in silence, by their time. What the server refuses has a status or a code, and is none of them. */
  stalled = 0;
  /** Events that came too late for a connection that the client had ended. */
  unheard = 0;
  /** What went wrong. */
  readonly failures: string[] = [];
  #said = 0;
  #isOver = false;
  /** The namespace is that of this connection: the library hands on what the one before had brought when that has ended. */
  #isIn = false;

  /** @param number decides how it comes; with `isCut` its network is cut now and then */
  constructor(gong: { readonly url: string }, number: number, random: Random, isCut = false) {
    this.#isCut = isCut;
    this.room = `room${number % ROOMS}`;
    this.#own = `own${number}`;
    this.#random = random;
    this.client = new SocketClient(gong, {
      namespace: NAMESPACE,
      // A fourth polls all the time.
      ...(number % 4 === 0 ? { transports: ["polling"] } : {}),
      auth: { rooms: [this.room, this.#own] },
      timeout: 8000,
    });
    const { manager } = this.client;
    manager.on("open", () => {
      this.#isIn = false;
      const { engine } = manager;
      engine.on("upgrade", () => void this.upgrades++);
      engine.on("upgradeError", (error) => {
        // The connection was ended meanwhile, which is told by its own event.
        if (error.message !== "probe error: socket closed") this.#note("upgrade", error);
      });
      engine.on("close", (reason: string, error) => {
        if (!OWN_ENDS.has(reason)) this.#note(reason, error);
      });
    });
    manager.on("error", (error) => this.#note("error", error));
    this.client.socket.on("connect", () => this.#isIn = manager.engine.readyState === "open");
    this.client.socket.on("disconnect", () => {
      this.#isIn = false;
      setImmediate(() => this.#forgetUnheard());
    });
    this.#running = [this.#come(), this.#talk()];
    // Told when it is to rest.
    for (const running of this.#running) running.catch(() => {});
  }

  /** Times that it was connected. */
  get connections(): number {
    return this.client.connects.length;
  }

  /** Comes back for the last time; resolves when it has said all. */
  async rest(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
    await until(() => this.client.socket.connected, () => `not back: ${this.client.ends.at(-1)}`, 30_000);
  }

  /** Waits until all has come, and looks at it. @throws what is wrong with it */
  async check(lasts: ReadonlyMap<string, number>): Promise<number> {
    const { heard, connects, ids } = this.client;
    assertEquals(this.failures, []);
    assertEquals(connects, connects.map((_, times) => times > 0), "it has always recovered");
    assertEquals(new Set(ids).size, 1);
    const missing = () => {
      const had = new Set(this.#heardOf(this.#own));
      return [
        ...[...lasts].filter(([event, last]) => this.#heardOf(event).at(-1) !== last).map(String),
        ...[...this.#acknowledged].filter((number) => !had.has(number)).map((number) => `own ${number}`),
      ];
    };
    await until(() => missing().length === 0, () => `never came: ${missing().slice(0, 10)}`, 30_000);
    for (const [event, last] of lasts) {
      assertEquals(this.#heardOf(event), Array.from({ length: last }, (_, n) => n + 1), `${event} of ${this.#own}`);
    }
    // What was under way when a connection ended may have been lost on its way there, but nothing comes twice or late.
    const own = this.#heardOf(this.#own);
    assertEquals(own, [...new Set(own)].toSorted((a, b) => a - b), `what ${this.#own} has said: ${this.#twice()}`);
    return heard.length;
  }

  async close(): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }

  async #come(): Promise<void> {
    while (!this.#isOver) {
      await until(() => this.#isIn, () => this.#describe(), 60_000);
      // Some go as soon as they have upgraded, others long after.
      await delay(this.#random.int(this.#random.pick([50, 1000, 4000])));
      if (this.#isOver) return;
      const times = this.connections + 1;
      if (await this.#end()) await until(() => this.connections >= times, () => this.#describe(), 60_000);
    }
  }

  /**
   * What the library had read when its connection ended, and not handed on yet, it keeps for the next one, though it says
   * there that it has not heard it.
   */
  #forgetUnheard(): void {
    const { receiveBuffer } = this.client.socket as unknown as { receiveBuffer: unknown[] };
    this.unheard += receiveBuffer.splice(0).length;
  }

  /**
   * By a word to the server where it polls, and by the end of its WebSocket where it has one. A connection that was cut
   * meanwhile is let alone: the library waits for ever for one that is closed before it is open.
   *
   * @returns whether it was there
   */
  async #end(): Promise<boolean> {
    const { engine } = this.client.manager;
    // That it waits for an upgrade by itself is no matter of the server.
    await until(() => !engine.upgrading || engine.readyState !== "open", () => "it upgrades for ever", 60_000);
    if (!this.#isIn || engine.readyState !== "open") return false;
    engine.close();
    return true;
  }

  async #talk(): Promise<void> {
    while (!this.#isOver) {
      await delay(this.#random.int(1000));
      if (!this.#isIn) continue;
      const number = ++this.#said;
      this.client.socket.emit("to", this.#own, this.#own, number, ({ error }: { error?: unknown }) => {
        if (error) this.failures.push(`refused: ${JSON.stringify(error)}`);
        else this.#acknowledged.add(number);
      });
    }
  }

  /** What was heard again, and where it stood each time. */
  #twice(): string {
    const own = this.client.heard.filter(({ event }) => event === this.#own);
    const isTwice = own.filter(({ args: [number] }, index) =>
      own.findIndex(({ args }) => args[0] === number) !== index
    );
    const twice = own.filter(({ args: [number] }) => isTwice.some(({ args }) => args[0] === number));
    return JSON.stringify(twice);
  }

  #heardOf(name: string): number[] {
    return this.client.heard.filter(({ event }) => event === name).map(({ args: [number] }) => number);
  }

  #describe(): string {
    return `it does not come back: ${this.client.ends.at(-1)}; ${
      JSON.stringify(this.client.refusals.at(-1))
    }; ${this.failures}`;
  }

  // deno-lint-ignore no-explicit-any
  #note(what: string, error: any): void {
    // Of a poll, or of a WebSocket.
    const { status, responseText, code, reason } = error?.context ?? {};
    const isSilent = !status && code === undefined;
    // With a poll that is cut off its session ends, and what is said next finds none.
    const isUnknown = status === 400 && String(responseText).includes('"code":1,');
    // Cut off, as those are who come over the proxy.
    if (this.#isCut && (isSilent || code === 1006 || isUnknown)) return;
    if (isSilent) return void this.stalled++;
    const told = [error?.message ?? error?.description ?? error, status, responseText, code, reason];
    this.failures.push(
      `${this.#isCut ? "cut off, " : ""}${what}: ${told.filter((part) => part !== undefined && part !== "").join(" ")}`,
    );
    assert(this.failures.length < 100, this.failures.join("; "));
  }
}
