/**
 * The transport of requests: what a session says waits for a GET.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import type { EngineCodec } from "../codecs/engineio.ts";
import type { MeasuredOutlet } from "../outbox.ts";
import type { Turn } from "../turn.ts";
import type { Data } from "../types.ts";
import { payloadAnswer } from "./answers.ts";
import type { Beating, Heartbeat } from "./heartbeat.ts";
import type { EngineAnswer } from "./orders.ts";

/** Lets a GET go without anything; the client's end of a session is answered with it too. */
export const NOOP = "6";
/** The session is over. */
export const CLOSE = "1";

/**
 * When a GET of a session that is being upgraded is let go, in milliseconds: its client waits for the end of it. One that
 * does not wait has sent its upgrade along with the probe, which may take as long as this; then the GET comes too late.
 */
const RELEASE = 100;

/** A GET that waits. */
interface Poll {
  readonly asText: boolean;
  readonly answer: (answer: EngineAnswer) => void;
}

/** Gathers frames, and answers one GET at a time with all there are; what one turn brings is one answer. */
export class Polling implements MeasuredOutlet {
  readonly #codec: EngineCodec;
  readonly #turn: Turn;
  readonly #asText: boolean;
  #frames: Data[] = NONE;
  #bytes = 0;
  #poll: Poll | undefined;
  #isFlushing = false;

  /** @param asText whether the handshake has asked for bytes as base64: then no poll need say so again */
  constructor(codec: EngineCodec, turn: Turn, asText: boolean) {
    this.#codec = codec;
    this.#turn = turn;
    this.#asText = asText;
  }

  /** Bytes that no GET has taken. */
  get pending(): number {
    return this.#bytes;
  }

  get isPolled(): boolean {
    return this.#poll !== undefined;
  }

  send(frame: Data): void {
    if (this.#frames === NONE) this.#frames = [];
    this.#frames.push(frame);
    this.#bytes += byteLength(frame);
    if (this.#poll === undefined || this.#isFlushing) return;
    this.#isFlushing = true;
    this.#turn.end(() => this.#flush());
  }

  /** Waits for what is to be said; there is no other that waits. */
  poll(asText: boolean): Promise<EngineAnswer> {
    const answer = new Promise<EngineAnswer>((resolve) => {
      this.#poll = { asText: asText || this.#asText, answer: resolve };
    });
    this.flush();
    return answer;
  }

  /** Answers who waits with what there is, if there is something. */
  flush(): void {
    if (this.#poll !== undefined && this.#frames.length > 0) this.#answer();
  }

  /** Answers who waits with what there is and this behind it. Without anybody who waits it does nothing. */
  letGo(last: Data): void {
    if (this.#poll === undefined) return;
    // A noop says nothing to who is answered anyway.
    if (last !== NOOP || this.#frames.length === 0) this.#push(last);
    this.#answer();
  }

  /** Who waits is answered this, and nothing of what there is. */
  refuse(answer: EngineAnswer): void {
    this.#poll?.answer(answer);
    this.#poll = undefined;
  }

  /** What no GET has taken, in order: it is not here any more. */
  take(): readonly Data[] {
    const frames = this.#frames;
    this.#frames = NONE;
    this.#bytes = 0;
    return frames;
  }

  #push(frame: Data): void {
    if (this.#frames === NONE) this.#frames = [];
    this.#frames.push(frame);
  }

  #flush(): void {
    this.#isFlushing = false;
    this.flush();
  }

  #answer(): void {
    const { asText, answer } = this.#poll!;
    this.#poll = undefined;
    answer(payloadAnswer(this.#codec.encodePayload(this.take(), asText)));
  }
}

/** Lets a GET go some time later. */
export class Release implements Beating {
  due = Infinity;
  listed = Infinity;
  readonly #polling: Polling;

  constructor(polling: Polling, heartbeat: Heartbeat) {
    this.#polling = polling;
    heartbeat.plan(this, heartbeat.now() + RELEASE);
  }

  beat(): void {
    this.#polling.letGo(NOOP);
  }
}

/** Of every transport for which nothing waits. */
const NONE: Data[] = [];
Object.freeze(NONE);
