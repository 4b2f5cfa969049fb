/**
 * A WebSocket that is about to go on with a session that polls: here, or with another edge.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import type { Carrier, CarrierEvents } from "../carrier.ts";
import { type ErrorCode, ERRORS, GongError } from "../errors.ts";
import type { Data } from "../types.ts";
import type { Leftover } from "./engine.ts";
import type { Beating, Heartbeat } from "./heartbeat.ts";
import type { EndedSession } from "./orders.ts";

const PROBE = "2probe";
const PROBED = "3probe";
const UPGRADE = "5";
/** Frames that may wait for what another edge says. */
const MOST_HELD = 1000;

/** What goes on with a WebSocket: it is told all that comes by it from then on. */
export type Successor = Pick<CarrierEvents, "received" | "closed">;

/** The session that is asked for, wherever it is. Where nothing has to be waited for, nothing is. */
export interface Claim {
  /** @throws {GongError} when it may not be upgraded */
  probe(id: string): void | Promise<void>;
  /** Nobody wants that any more. */
  unprobe(id: string): void;
  /**
   * Goes on with it on this WebSocket, to which it listens from then on; in the very step in which it begins to, `hand` is
   * called: it gives what came meanwhile, which nothing that comes later may overtake. Of one that has ended meanwhile, what
   * was left to be said is sent, and it is told how to close.
   *
   * @throws {GongError} when it is not there any more
   */
  upgrade(
    socket: Carrier,
    hand: (successor: Successor) => void,
  ): undefined | Promise<EndedSession | undefined>;
}

/** What a {@linkcode Prober} needs of its server. */
export interface ProberContext {
  readonly heartbeat: Heartbeat;
  readonly settings: { readonly upgradeTimeout: number; readonly maxPayload: number };
  refused(code: ErrorCode): void;
  /** Its WebSocket was told to close; it may be there until it is `gone`. */
  closing(leftover: Leftover): void;
  gone(leftover: Leftover): void;
}

/** One such WebSocket, until it is the session's or is closed. */
export class Prober implements CarrierEvents, Beating, Leftover {
  readonly lingers = false;
  readonly held = 0;
  due = Infinity;
  listed = Infinity;
  readonly #server: ProberContext;
  readonly #id: string;
  readonly #socket: Carrier;
  readonly #claim: Claim;
  readonly #over: () => void;
  #state: "new" | "probed" | "upgrading" | "over" = "new";
  /** Something is waited for. */
  #isBusy = false;
  #held: Data[] = [];
  #bytes = 0;
  /** How it was closed while its session was on its way. */
  #closed: readonly [code: number, reason: string, clean: boolean] | undefined;

  /**
   * @param id of the WebSocket, unique over all edges
   * @param over it is no prober any more
   */
  constructor(server: ProberContext, id: string, socket: Carrier, claim: Claim, over: () => void) {
    this.#server = server;
    this.#id = id;
    this.#socket = socket;
    this.#claim = claim;
    this.#over = over;
    socket.listen(this);
    server.heartbeat.plan(this, server.heartbeat.now() + server.settings.upgradeTimeout);
  }

  opened(): void {}

  received(frame: Data): void {
    if (this.#state === "over") return;
    if (!this.#isBusy) return this.#take(frame);
    this.#bytes += byteLength(frame);
    const isTooMuch = this.#bytes > this.#server.settings.maxPayload || this.#held.length >= MOST_HELD;
    if (isTooMuch) this.#refuse(new GongError("rate_limited"));
    else this.#held.push(frame);
  }

  closed(code: number, reason: string, clean: boolean): void {
    // A session that is on its way hears of it when it is here.
    if (this.#state === "upgrading") this.#closed = [code, reason, clean];
    else this.#end();
    this.#server.gone(this);
  }

  /** It has taken too long. */
  beat(): void {
    this.close(1000, "upgrade timeout");
  }

  /** Its session goes on without it. */
  close(code: number, reason: string): void {
    if (this.#state === "over") return;
    const isThere = this.#closed === undefined;
    this.#end();
    if (isThere) this.#server.closing(this);
    this.#socket.close(code, reason);
  }

  #take(frame: Data): void {
    try {
      if (frame === PROBE && this.#state === "new") this.#wait(this.#claim.probe(this.#id), () => this.#probed());
      else if (frame === PROBE && this.#state === "probed") this.#socket.send(PROBED);
      else if (frame === UPGRADE && this.#state === "probed") this.#upgrade();
      else throw new GongError("bad_request");
    } catch (error) {
      this.#refuse(error);
    }
  }

  #probed(): void {
    this.#state = "probed";
    this.#socket.send(PROBED);
  }

  #upgrade(): void {
    this.#state = "upgrading";
    this.#server.heartbeat.cancel(this);
    const hand = (successor: Successor) => this.#hand(successor);
    this.#wait(this.#claim.upgrade(this.#socket, hand), (last) => {
      if (last) this.close(last.ended.code, last.ended.reason);
    });
  }

  /** The WebSocket is the session's. */
  #hand(successor: Successor): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#over();
    for (const frame of this.#held) successor.received(frame);
    this.#held = [];
    if (this.#closed) successor.closed(...this.#closed);
  }

  /** Goes on at once where it can. */
  #wait<T>(result: T | Promise<T>, next: (result: T) => void): void {
    if (!(result instanceof Promise)) return next(result);
    this.#isBusy = true;
    result.then((value) => {
      this.#isBusy = false;
      if (this.#state !== "over") next(value);
      this.#drain();
    }).catch((error) => {
      this.#isBusy = false;
      this.#refuse(error);
    });
  }

  #drain(): void {
    while (this.#state !== "over" && !this.#isBusy && this.#held.length > 0) {
      const frame = this.#held.shift()!;
      this.#bytes -= byteLength(frame);
      this.#take(frame);
    }
  }

  #refuse(cause: unknown): void {
    if (this.#state === "over") return;
    const { code, message } = GongError.from(cause);
    this.#server.refused(code);
    // A session that is on its way comes, and is told then.
    if (this.#state === "upgrading" && this.#isBusy) this.#socket.close(ERRORS[code].close, message);
    else this.close(ERRORS[code].close, message);
  }

  #end(): void {
    const wasProbed = this.#state !== "new" || this.#isBusy;
    this.#state = "over";
    this.#held = [];
    this.#server.heartbeat.cancel(this);
    if (wasProbed) this.#claim.unprobe(this.#id);
    this.#over();
  }
}

/** A WebSocket for a session that has one: it is closed as soon as it is open, and the session goes on. */
export class Turned implements CarrierEvents, Leftover {
  readonly lingers = false;
  readonly held = 0;
  readonly #server: Pick<ProberContext, "closing" | "gone">;
  readonly #socket: Carrier;

  constructor(server: Pick<ProberContext, "closing" | "gone">, socket: Carrier) {
    this.#server = server;
    this.#socket = socket;
    socket.listen(this);
  }

  opened(): void {
    this.#server.closing(this);
    this.#socket.close(ERRORS.conflict.close, "This session has a WebSocket.");
  }

  received(): void {}

  closed(): void {
    this.#server.gone(this);
  }
}
