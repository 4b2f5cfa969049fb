import { setTimeout as delay } from "node:timers/promises";
import { openPoll } from "../../support/doors/poll.ts";
import { openSse } from "../../support/doors/sse.ts";
import { openJson, openPlain } from "../../support/doors/websocket.ts";
import { type OpenWire, Refused, type Wire } from "../../support/doors/wire.ts";
import type { Gong } from "../../support/gong.ts";
import type { Random } from "../../support/random.ts";
import { tokenOf } from "./member.ts";

const DOORS: readonly [OpenWire, ...OpenWire[]] = [openJson, openPlain, openSse, openPoll];

/** Comes by any door, hears a room for a while, and goes without a word. */
export class Visitor {
  readonly #gong: Gong;
  readonly #user: string;
  readonly #rooms: readonly [string, ...string[]];
  readonly #random: Random;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(gong: Gong, user: string, rooms: readonly [string, ...string[]], random: Random) {
    this.#gong = gong;
    this.#user = user;
    this.#rooms = rooms;
    this.#random = random;
    this.#running = this.#run();
    // Told when it is to leave.
    this.#running.catch(() => {});
  }

  /** Resolves when it has gone for good. */
  async leave(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        const query = `token=${tokenOf(this.#user)}`;
        const open = this.#random.pick(DOORS);
        const wire = await open(this.#gong, { channels: [this.#random.pick(this.#rooms)], query });
        const reading = this.#read(wire).catch(() => {});
        await delay(this.#random.int(1500));
        wire.drop();
        await reading;
      } catch (error) {
        // While its isolate is gone.
        if (error instanceof Refused && error.status !== 503) throw error;
      }
      await delay(this.#random.int(100));
    }
  }

  async #read(wire: Wire): Promise<void> {
    while (!(await wire.items.next()).done);
  }
}
