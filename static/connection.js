/**
 * A WebSocket that comes back: exponential back-off with full jitter, at once when the network or the reader returns.
 *
 * @module
 */

/** Longest first wait and longest wait of all, in milliseconds; the wait is any time up to that. */
const FIRST = 1_000;
const LONGEST = 30_000;
/** A connection that lasted this long starts the back-off anew; one that is cut at once does not. */
const SETTLED = 5_000;
/** A handshake that takes longer is given up. */
const HANDSHAKE = 15_000;

/** What a close code means when the server gave no reason (RFC 6455 section 7.4.1, and the server's own). */
const CODES = new Map([
  [1000, "closed normally"],
  [1001, "the server is going away"],
  [1003, "this kind of message is not taken"],
  [1005, "closed without a code"],
  [1006, "connection lost"],
  [1009, "message too large"],
  [1011, "the server failed"],
  [1012, "part of the server restarts"],
  [1013, "the server is busy, or this client too slow"],
  [4008, "nothing was read for too long"],
  [4401, "a valid key is required"],
  [4403, "not allowed"],
  [4410, "messages were lost in between"],
  [4429, "too many messages"],
]);

/** `4403, not allowed`: the code, and the server's reason or what the code means. */
export function describeClose({ code, reason }) {
  const meaning = reason || CODES.get(code);
  return meaning ? `${code}, ${meaning}` : String(code);
}

/** The wait before attempt number `attempt` (from 0): any time up to a bound that doubles. */
export function backoff(attempt, random = Math.random) {
  return random() * Math.min(LONGEST, FIRST * 2 ** attempt);
}

/**
 * `state` is called with `{phase}`: `connecting`; `open`; `waiting` with `code`, `reason` and `seconds` left, each
 * second; `closed` with `code` and `reason`: the end, until `open()`.
 * `message` is called with each frame's data.
 * `after` decides what follows a close, given `{code, reason, opened}`: `"wait"` (the default), `"now"` or `"stop"`.
 */
export class Connection {
  #url;
  #handlers;
  #socket;
  #timer = 0;
  #attempt = 0;
  #phase = "closed";

  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
    const wake = () => this.#phase === "waiting" && this.open();
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", () => document.hidden || wake());
    // A page in the back-forward cache must not hold a socket, and comes back without one.
    addEventListener("pagehide", () => this.#phase !== "closed" && this.#drop("waiting"));
    addEventListener("pageshow", (event) => event.persisted && wake());
  }

  /** Connects now, whatever was planned. */
  open() {
    this.#drop("connecting");
    this.#enter({ phase: "connecting" });
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let openedAt = 0;
    this.#timer = setTimeout(() => socket.close(), HANDSHAKE);
    socket.onopen = () => {
      clearTimeout(this.#timer);
      openedAt = performance.now();
      this.#enter({ phase: "open" });
    };
    socket.onmessage = (event) => this.#handlers.message(event.data);
    socket.onclose = async ({ code, reason }) => {
      if (this.#socket !== socket) return;
      const close = { code, reason, opened: openedAt > 0 };
      if (close.opened && performance.now() - openedAt > SETTLED) this.#attempt = 0;
      clearTimeout(this.#timer);
      this.#enter({ phase: "waiting", ...close });
      const next = await (this.#handlers.after?.(close) ?? "wait");
      if (this.#socket !== socket || this.#phase !== "waiting") return;
      if (next === "stop") this.#enter({ phase: "closed", ...close });
      else if (next === "now") this.open();
      else this.#wait(close, backoff(this.#attempt++));
    };
  }

  /** Sends a text frame; false when the connection is not open. */
  send(text) {
    if (this.#phase !== "open") return false;
    this.#socket.send(text);
    return true;
  }

  /** Ends it for good. */
  close() {
    this.#drop("closed");
  }

  #wait(close, milliseconds) {
    const due = performance.now() + milliseconds;
    const tick = () => {
      const left = due - performance.now();
      if (left <= 0) return this.open();
      this.#enter({ phase: "waiting", ...close, seconds: Math.ceil(left / 1000) });
      this.#timer = setTimeout(tick, Math.min(left, left % 1000 || 1000));
    };
    tick();
  }

  #enter(state) {
    this.#phase = state.phase;
    this.#handlers.state(state);
  }

  #drop(phase) {
    this.#phase = phase;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }
}
