import { concat } from "../../../bytes.ts";
import { parseHead, type StompHead } from "../../../codecs/stomp/head.ts";
import type { OnData } from "../frames.ts";

const NUL = 0x00;
const LF = 0x0a;

/**
 * What a server says before messages may come: an answer to each frame of the client. What comes behind the last answer,
 * in the same WebSocket message too, is for whoever listens.
 */
export class Prelude {
  /** Each resolves with its answer; all that is not answered rejects with the message of an ERROR. */
  readonly answers: readonly Promise<void>[];
  readonly #waiting: { readonly command: string; readonly answer: PromiseWithResolvers<void> }[];
  readonly #then: OnData;
  /** Of a frame that has not ended with its WebSocket message. */
  #held: Uint8Array = new Uint8Array();

  /** @param commands of the answers, in their order */
  constructor(commands: readonly string[], then: OnData) {
    this.#waiting = commands.map((command) => ({ command, answer: Promise.withResolvers<void>() }));
    this.answers = this.#waiting.map(({ answer }) => answer.promise);
    // The first that fails is told; nobody waits for the others then.
    for (const answer of this.answers) answer.catch(() => {});
    this.#then = then;
  }

  readonly onData: OnData = (bytes, start, end, last) => {
    if (this.#waiting.length === 0) return this.#then(bytes, start, end, last);
    if (!last) return start;
    let at = start;
    while (this.#waiting.length > 0) {
      const nul = bytes.subarray(0, end).indexOf(NUL, at);
      if (nul < 0) {
        this.#held = concat([this.#held, bytes.subarray(at, end)]);
        return end;
      }
      this.#take(concat([this.#held, bytes.subarray(at, nul)]));
      this.#held = new Uint8Array();
      at = nul + 1;
    }
    return this.#then(bytes, at, end, true);
  };

  #take(frame: Uint8Array): void {
    const { command, headers } = parseServerFrame(frame);
    if (command === "ERROR") {
      const error = new Error(headers.get("message") ?? "ERROR");
      for (const { answer } of this.#waiting) answer.reject(error);
    } else if (command === this.#waiting[0]!.command) {
      this.#waiting.shift()!.answer.resolve();
    }
  }
}

/** Command and headers of a frame, heart-beats before it left out. */
export function parseServerFrame(frame: Uint8Array): StompHead {
  let start = 0;
  while (frame[start] === LF) start++;
  const blank = frame.findIndex((byte, at) => at > start && byte === LF && frame[at + 1] === LF);
  return parseHead(frame.subarray(start, blank < 0 ? frame.length : blank), "1.2");
}
