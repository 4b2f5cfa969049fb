import { setTimeout as delay } from "node:timers/promises";
import { assertEquals } from "@std/assert";
import type { Gong } from "../../support/gong.ts";
import type { Random } from "../../support/random.ts";
import { type Claims, signToken } from "../../support/tokens.ts";

/** What was sent to a user, and acknowledged. */
export interface Acknowledged {
  readonly channel: string;
  readonly offset: number;
  readonly data: string;
}

/** What a {@linkcode Member} has to know. */
export interface MemberOptions {
  readonly user: string;
  readonly users: readonly [string, ...string[]];
  readonly rooms: readonly [string, ...string[]];
  readonly random: Random;
  readonly acknowledge: (sent: Acknowledged) => void;
}

// deno-lint-ignore no-explicit-any
type Line = any;

/** What a busy server, and one whose isolates die, may answer. */
const ALLOWED = new Set(["not_found", "timeout", "too_many", "overloaded", "restarting", "going_away"]);
const PAUSE = 150;

export function tokenOf(user: string, info?: unknown): string {
  const claims: Claims = { sub: user, channels: ["room:*"], publish: ["room:*", "$user/*", "$session/*"], info };
  return signToken(claims);
}

/** A client of the JSON door that does everything that one can do, one thing after the other, and comes back. */
export class Member {
  /** Rooms that it hears, as it was told on this connection. */
  rooms = new Set<string>();
  session = "";
  /** Commands that were answered. */
  answered = 0;
  readonly #gong: Gong;
  readonly #options: MemberOptions;
  readonly #waiting = new Map<number, { resolve(line: Line): void; reject(error: Error): void }>();
  #socket: WebSocket | undefined;
  #asked = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(gong: Gong, options: MemberOptions) {
    this.#gong = gong;
    this.#options = options;
    this.#running = this.#run();
    // Told when it is to rest.
    this.#running.catch(() => {});
  }

  /** Does nothing more from here on, and stays. @throws what was wrong with an answer */
  async rest(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    if (this.#socket === undefined) await this.#open();
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    socket.close();
    await closed;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        if (this.#socket === undefined) await this.#open();
        await this.#act();
      } catch (error) {
        if (!(error instanceof CutOff)) throw error;
      }
      await delay(this.#options.random.int(2 * PAUSE));
    }
    if (this.#socket) await this.#command({ stop: {} }).catch(() => {});
  }

  async #act(): Promise<void> {
    const { random, users, rooms, user } = this.#options;
    const [room, text] = [random.pick(rooms), `${user}-${++this.#asked}`];
    const dice = random.int(100);
    if (dice < 20) return void await this.#command({ publish: { channel: room, data: text } });
    if (dice < 50) return await this.#send([...new Set([random.pick(users), random.pick(users)])], text);
    if (dice < 60) return await this.#ask(random.pick(users), text);
    if (dice < 70) {
      const { ok } = await this.#command({ authenticate: { token: tokenOf(user, { text }) } });
      return assertEquals(ok?.user ?? user, user);
    }
    // Whoever awaits an answer may go on only when its connection has ended already.
    const heard = this.rooms;
    if (dice < 80) {
      const { ok } = await this.#command({ subscribe: { channel: room } });
      return void (ok && heard.add(room));
    }
    if (dice < 88) {
      await this.#command({ unsubscribe: { channel: room } });
      return void heard.delete(room);
    }
    if (dice < 92) return void await this.#command({ every: { seconds: 1, channel: room, data: "now and then" } });
    if (dice < 96) {
      const { ok } = await this.#command({ presence: { channel: room, limit: 500 } });
      return assertEquals(ok?.present.length, ok?.count);
    }
    await this.close();
  }

  async #send(users: readonly string[], data: string): Promise<void> {
    const { ok } = await this.#command({ send: { users, data } });
    for (const { channel, offset } of ok?.positions ?? []) this.#options.acknowledge({ channel, offset, data });
  }

  async #ask(user: string, data: string): Promise<void> {
    const { ok } = await this.#command({ ask: { users: [user], data, timeout: 1 } });
    if (ok) assertEquals([ok.data, ok.user], [`${data}?`, user]);
  }

  async #command(line: Record<string, unknown>): Promise<Line> {
    const id = ++this.#asked;
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new CutOff();
    const answer = new Promise<Line>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.send(JSON.stringify({ id, ...line }));
    const answered = await answer;
    this.answered++;
    const { code } = answered.error ?? {};
    if (code !== undefined && !ALLOWED.has(code)) {
      throw new Error(`${JSON.stringify(line)}: ${JSON.stringify(answered)}`);
    }
    return answered;
  }

  async #open(): Promise<void> {
    const query = `token=${tokenOf(this.#options.user)}`;
    const socket = new WebSocket(`${this.#gong.ws}/push?format=json&${query}`);
    const welcomed = new Promise<void>((resolve, reject) => {
      socket.onmessage = ({ data }) => {
        for (const line of data.split("\n").map((text: string) => JSON.parse(text))) {
          if (line.type === "welcome") resolve(void (this.session = line.session));
          this.#receive(socket, line);
        }
      };
      socket.onclose = () => {
        this.#cutOff();
        reject(new CutOff());
      };
      socket.onerror = () => {};
    });
    await welcomed;
    if (socket.readyState !== WebSocket.OPEN) throw new CutOff();
    this.#socket = socket;
  }

  #receive(socket: WebSocket, line: Line): void {
    if (line.id !== undefined) {
      this.#waiting.get(line.id)?.resolve(line);
      return void this.#waiting.delete(line.id);
    }
    // Now and then nobody answers.
    if (line.type !== "signal" || line.reply === undefined || this.#options.random.int(4) === 0) return;
    socket.send(JSON.stringify({ answer: { reply: line.reply, data: `${line.data}?` } }));
  }

  #cutOff(): void {
    this.#socket = undefined;
    this.rooms = new Set();
    for (const { reject } of this.#waiting.values()) reject(new CutOff());
    this.#waiting.clear();
  }
}

/** The connection has ended, whoever ended it. */
class CutOff extends Error {}
