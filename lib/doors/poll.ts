/**
 * Long and short polling: a session that ends with its first publications. Nothing of it is left between two polls.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { ifNoneMatch } from "@std/http/etag";
import { byteLength } from "../bytes.ts";
import type { Carrier, CarrierEvents } from "../carrier.ts";
import { encodeLine, encodeSignal } from "../codecs/line.ts";
import type { Codec, Door, DoorSession, Ending } from "../door.ts";
import { GongError } from "../errors.ts";
import { problem } from "../http/problem.ts";
import { handedCost, type Outlet } from "../outbox.ts";
import type { Session } from "../session.ts";
import type { Data, Position, Signal } from "../types.ts";
import { headBody, type HttpCall, type HttpDoor } from "./http.ts";
import { readFlag } from "./query.ts";

const DEFAULT_TIMEOUT = 25;
const MAX_TIMEOUT = 60;
/** Bytes of an answer that is handed over whole, and of the pieces of a larger one. */
const SMALL = 65_536;
/** Nobody sees it. */
const CLIENT_GONE = 499;
/** Lines of the JSON door, as the elements of an array. */
const CODEC: Codec = { name: "poll", separator: ",", encode: encodeLine };

/** `GET /poll`. */
export const poll: HttpDoor = {
  parameters: ["timeout", "notify"],
  open(call) {
    const timeout = readTimeout(call.query.get("timeout"));
    const notify = readFlag(call.query, "notify", false);
    const kept = keepHistory(call);
    if (kept.isHead) return kept.json(headBody());
    return new Promise((resolve) => new Poll(kept, notify, resolve).begin(timeout));
  },
};

/** What can be polled; the channel of the user, which need not have been asked for, is left out if it cannot. */
function keepHistory(call: HttpCall): HttpCall {
  const { options: { edge }, wish: { channels }, inbox } = call;
  for (const channel of channels) {
    if (edge.keepsHistory(channel)) continue;
    if (channel === inbox && channels.length > 1) return keepHistory(call.without(channel));
    throw new GongError("conflict", `${channel} keeps no history: what came between two polls would be lost.`);
  }
  return call;
}

function readTimeout(text: string | null): number {
  const seconds = Number(text ?? DEFAULT_TIMEOUT);
  if (text === "" || !(seconds >= 0 && seconds <= MAX_TIMEOUT)) {
    throw new GongError("bad_request", `\`timeout\` has to be 0 to ${MAX_TIMEOUT} seconds.`, { field: "timeout" });
  }
  return seconds;
}

/** One poll: its own door, since what it answers is gathered here, and what carries its session. */
class Poll implements Door, Carrier {
  readonly name = "poll";
  readonly codec = CODEC;
  readonly isBrief = true;
  readonly #call: HttpCall;
  readonly #notify: boolean;
  readonly #answer: (response: Response) => void;
  readonly #frames: Data[] = [];
  readonly #signals: string[] = [];
  /** Of both. */
  #bytes = 0;
  readonly #lost = new Set<string>();
  #session!: Session;
  #events: CarrierEvents | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Channels that it was opened with and does not hear yet. */
  readonly #missing: Set<string>;
  #isDue = false;
  #isScheduled = false;
  /** Where the next poll begins; known as soon as this one is answered. */
  #cursor: string | undefined;
  /** When to come back, in seconds, if the server goes away. */
  #retryAfter: number | undefined;
  #isOver = false;

  constructor(call: HttpCall, notify: boolean, answer: (response: Response) => void) {
    this.#call = call;
    this.#notify = notify;
    this.#answer = answer;
    this.#missing = new Set(call.wish.channels);
  }

  /** Waits for so many seconds at most. */
  begin(timeout: number): void {
    this.#session = this.#call.begin(this, this);
    this.#events?.opened();
    if (this.#isOver) return;
    this.#call.request.signal.addEventListener("abort", () => this.#vanish());
    if (timeout > 0) this.#timer = setTimeout(() => this.#answerWhenDue(), timeout * 1000);
    else this.#answerWhenDue();
  }

  // The door.

  opened(): void {}

  subscribed(_session: DoorSession, channel: string, _position: Position, recovered: boolean): void {
    this.#missing.delete(channel);
    if (!recovered) this.#lost.add(channel);
    this.#look();
  }

  lost(_session: DoorSession, channel: string): void {
    this.#lost.add(channel);
    this.#look();
  }

  refused(session: DoorSession, error: GongError): void {
    session.refuse(error);
  }

  /** Bounded as everything that waits for a client is. */
  signal(_session: DoorSession, signal: Signal): void {
    const line = encodeSignal(signal);
    const bytes = byteLength(line);
    if (!this.#session.hasRoomFor([bytes])) return this.#session.abandon("slow");
    this.#session.outbox.hold(handedCost(bytes), 1);
    this.#signals.push(line);
    this.#bytes += bytes;
    this.#look();
  }

  unsubscribed(session: DoorSession, channel: string): void {
    session.close("forbidden", `Listening to ${channel} is not allowed any more.`);
  }

  /** Its answer says it. */
  farewell({ retryAfter }: Ending): undefined {
    this.#retryAfter = retryAfter;
  }

  // The carrier.

  listen(events: CarrierEvents): void {
    this.#events = events;
  }

  get outlet(): Outlet {
    return this;
  }

  get isOpen(): boolean {
    return !this.#isOver;
  }

  /** What is gathered waits for the answer, so that it is no more than may be queued to any session. */
  get pending(): number {
    return this.#cursor === undefined ? this.#bytes : 0;
  }

  send(data: Data): void {
    this.#frames.push(data);
    this.#bytes += byteLength(data);
    this.#look();
  }

  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#cursor !== undefined) return this.#reply(this.#cursor);
    // It is counted as the end of a session, so it is no refusal of the request.
    this.#answer(problem(GongError.fromClose(code, reason, this.#retryAfter)));
    this.#end(code, true);
  }

  // What comes of it.

  #answerWhenDue(): void {
    this.#isDue = true;
    this.#look();
  }

  /** Answers at the end of the turn if there is something to say, but not before all channels have a position. */
  #look(): void {
    if (this.#missing.size > 0 || this.#isScheduled || !(this.#isNew || this.#lost.size > 0 || this.#isDue)) return;
    this.#isScheduled = true;
    setImmediate(() => {
      if (this.#isOver) return;
      this.#cursor = this.#session.cursor;
      this.#session.closeWith(1000, "", "client");
    });
  }

  get #isNew(): boolean {
    return this.#frames.length > 0 || this.#signals.length > 0;
  }

  #reply(cursor: string): void {
    // A list of tags is parted by commas; no cursor has a semicolon.
    const headers = { etag: `"${cursor.replaceAll(",", ";")}"` };
    const isKnown = !ifNoneMatch(this.#call.request.headers.get("if-none-match"), headers.etag);
    if (isKnown && !this.#isNew && this.#lost.size === 0) {
      this.#answer(this.#call.json(null, { status: 304, headers }));
      return this.#end(1000, true);
    }
    const recovered = this.#lost.size === 0
      ? '"recovered":true'
      : `"recovered":false,"lost":${JSON.stringify([...this.#lost])}`;
    const news = this.#notify ? `"new":${this.#isNew}` : `"publications":[${this.#frames.join(",")}]`;
    // Nobody could ask for them later.
    const signals = this.#signals.length > 0 ? `"signals":[${this.#signals.join(",")}],` : "";
    const body = new TextEncoder().encode(`{${news},${signals}"cursor":${JSON.stringify(cursor)},${recovered}}`);
    this.#answer(this.#call.json(this.#deliver(body), { headers }));
  }

  /** The answer's body; until a large one has gone, it counts as what a closed socket still holds. */
  #deliver(body: Uint8Array<ArrayBuffer>): BodyInit {
    if (body.length <= SMALL) {
      this.#end(1000, true);
      return body;
    }
    this.#session.outbox.hold(handedCost(body.length), 1);
    const end = () => this.#end(1000, true);
    this.#call.peer.completed().then(end, end);
    return inPieces(body);
  }

  /** The client has gone away. */
  #vanish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#end(1006, false);
    this.#answer(new Response(null, { status: CLIENT_GONE }));
  }

  #end(code: number, clean: boolean): void {
    this.#events?.closed(code, "", clean);
  }
}

/** The body as a stream: of one that it is given whole Deno says that it has been sent as soon as it has it. */
function inPieces(body: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  let rest = body;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(rest.slice(0, SMALL));
      rest = rest.subarray(SMALL);
      if (rest.length === 0) controller.close();
    },
  }, { highWaterMark: 0 });
}
