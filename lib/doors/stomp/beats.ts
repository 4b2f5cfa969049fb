/**
 * Heart-beats of one connection (STOMP 1.2, "Heart-beating").
 *
 * @module
 */
import { GongError } from "../../errors.ts";
import { TICK } from "../pulse.ts";

/** What the server can do, in milliseconds: most that ask for a second or less do so to find out whether it works. */
const SHORTEST = 1000;
/** Times what was agreed upon, as timers and networks are late. */
const TOLERANCE = 2;

/** What the server says of itself. */
export function offerBeats(ping: number): string {
  return `${SHORTEST},${ping}`;
}

/** What both have agreed upon, in milliseconds; 0 is never. */
export interface Agreement {
  /** From the server, at least so often. */
  readonly out: number;
  /** From the client. */
  readonly in: number;
}

/**
 * @param header what the client says, if anything
 * @param ping how often the server wants to hear from it, in milliseconds
 * @throws {GongError} `bad_request`
 */
export function agreeOnBeats(header: string | undefined, ping: number): Agreement {
  const found = /^(\d{1,9}),(\d{1,9})$/.exec(header ?? "0,0");
  if (!found) {
    throw new GongError("bad_request", "`heart-beat` has to be two numbers of milliseconds, as in 10000,10000.");
  }
  const [can, wants] = [Number(found[1]), Number(found[2])];
  return { out: wants === 0 ? 0 : Math.max(wants, SHORTEST), in: can === 0 ? 0 : Math.max(can, ping) };
}

/** Tells when a heart-beat is due, and when the peer has been silent for too long. Times are of one clock. */
export class Beats {
  readonly #agreed: Agreement;
  /** When something came last, when something had gone the last time that was looked, and how much had. */
  #heard: number;
  #said: number;
  #sent = 0;

  constructor(agreed: Agreement, now: number) {
    this.#agreed = agreed;
    this.#heard = this.#said = now;
  }

  /** Whether there is anything to look after. */
  get isIdle(): boolean {
    return this.#agreed.in === 0 && this.#agreed.out === 0;
  }

  /** Something came from the peer. */
  hear(now: number): void {
    this.#heard = now;
  }

  isSilent(now: number): boolean {
    return this.#agreed.in > 0 && now - this.#heard > this.#agreed.in * TOLERANCE;
  }

  /** @param sent bytes that the peer was sent so far, heart-beats too */
  isDue(now: number, sent: number): boolean {
    if (sent !== this.#sent) {
      this.#sent = sent;
      this.#said = now;
      return false;
    }
    // What is looked at later would be too late.
    return this.#agreed.out > 0 && now - this.#said + TICK >= this.#agreed.out;
  }
}
