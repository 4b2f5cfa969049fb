/**
 * A connection to the STOMP door, and the subscriptions that outlive it.
 *
 * @module
 */

import { encodeFrame, FrameReader, valueOf } from "./stomp_codec.js";

/** Times what was agreed on that the server may be silent. */
const TOLERANCE = 2;
/** How long the server has for its last frame, in milliseconds. */
const FAREWELL = 3_000;
/** Destinations that can be heard again from a position. */
const KEPT = /^\/(?:topic|user)\//;

/**
 * Tells what happens by functions: `frame(direction, frame)` of every frame, `state({phase, text})`, `beat(direction)`,
 * and `changed()` when the subscriptions are others.
 */
export class StompClient {
  /** By their ids: `{id, destination, ack, prefetch, position, note}`. */
  subscriptions = new Map();
  phase = "none";
  #tell;
  #socket;
  #reader;
  #settings;
  #timers = [];
  #heard = 0;
  #error;
  #count = 0;

  constructor(tell) {
    this.#tell = tell;
  }

  get version() {
    return this.#reader?.version ?? "1.0";
  }

  /** Connects anew, and takes up the subscriptions that there were. `beats` are `[mine, the server's]`, in milliseconds. */
  connect(settings) {
    this.#drop();
    this.#settings = settings;
    this.#error = undefined;
    this.#reader = new FrameReader();
    const { url, version, withProtocol } = settings;
    let socket;
    try {
      socket = new WebSocket(url, withProtocol ? [`v${version.replace(".", "")}.stomp`] : []);
    } catch (error) {
      return this.#become("closed", `Closed: ${error.message}`);
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#connect();
    socket.onmessage = ({ data }) => this.#receive(typeof data === "string" ? data : new Uint8Array(data));
    socket.onclose = ({ code, reason }) => {
      const why = this.#error ?? (reason || (code === 1006 ? "no answer, or refused" : "closed"));
      this.#drop();
      this.#become("closed", `Closed: ${code}, ${why.replace(/\.$/, "")}`);
    };
    this.#become("connecting", "Connecting …");
  }

  /** Says DISCONNECT; the server closes when everything before it is done with. */
  disconnect() {
    if (this.phase !== "open") return this.#end("Closed by this page");
    this.say("DISCONNECT", [["receipt", `bye-${++this.#count}`]]);
    this.#timers.push(setTimeout(() => this.#end("Closed: the server had no last word"), FAREWELL));
  }

  /** Sends a frame. @throws {TypeError} when it cannot be written in this version, or there is no connection */
  say(command, headers, body) {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new TypeError("There is no connection.");
    const { version } = this;
    const message = encodeFrame(version, command, headers, body);
    this.#socket.send(message);
    // As it is on the wire, with the length.
    const reader = new FrameReader();
    reader.version = version;
    for (const frame of reader.read(message).frames) this.#tell.frame("out", frame);
  }

  /** Subscribes. `since` and `prefetch` may be empty. */
  subscribe({ destination, ack, since, prefetch }) {
    const id = `sub-${++this.#count}`;
    const subscription = { id, destination, ack, prefetch, position: since || undefined, note: "asked for" };
    this.#ask(subscription);
    this.subscriptions.set(id, subscription);
    this.#tell.changed();
  }

  unsubscribe(id) {
    if (this.phase === "open") this.say("UNSUBSCRIBE", [["id", id]]);
    this.subscriptions.delete(id);
    this.#tell.changed();
  }

  /** Whether that frame waits for an ACK. */
  isToAcknowledge(frame) {
    const subscription = frame.command === "MESSAGE" ? this.#subscriptionOf(frame) : undefined;
    return subscription !== undefined && subscription.ack !== "auto";
  }

  /** ACK or NACK of a MESSAGE, each version in its way. */
  settle(command, frame, headers = []) {
    const named = this.version === "1.2"
      ? [["id", valueOf(frame, "ack")]]
      : [["message-id", valueOf(frame, "message-id")], ["subscription", valueOf(frame, "subscription")]];
    this.say(command, [...named.filter(([, value]) => value !== undefined), ...headers]);
  }

  #connect() {
    const { version, beats, login, passcode } = this.#settings;
    const pairs = [
      ["accept-version", version],
      ["host", location.host],
      ["heart-beat", beats.join(",")],
      ...(login ? [["login", login]] : []),
      ...(passcode ? [["passcode", passcode]] : []),
    ];
    try {
      this.say("CONNECT", pairs);
    } catch (error) {
      this.#end(`Closed: ${error.message}`);
    }
  }

  #ask({ id, destination, ack, prefetch, position }) {
    const start = position !== undefined && KEPT.test(destination) ? [["since", position]] : [];
    const most = prefetch ? [["prefetch-count", prefetch]] : [];
    const headers = [["id", id], ["destination", destination], ["ack", ack], ["receipt", id]];
    this.say("SUBSCRIBE", [...headers, ...most, ...start]);
  }

  #receive(data) {
    this.#heard = performance.now();
    let read;
    try {
      read = this.#reader.read(data);
    } catch (error) {
      return this.#end(`Closed: what came is not STOMP: ${error.message}`);
    }
    if (read.beats > 0) this.#tell.beat("in");
    for (const frame of read.frames) {
      this.#note(frame);
      this.#tell.frame("in", frame);
      if (frame.command === "CONNECTED") this.#connected(frame);
    }
  }

  /** What a frame says of its subscription, and of the end. */
  #note(frame) {
    const position = valueOf(frame, "position");
    if (frame.command === "ERROR") this.#error = valueOf(frame, "message") ?? "ERROR";
    if (frame.command !== "MESSAGE" && frame.command !== "RECEIPT") return;
    const receipt = valueOf(frame, "receipt-id");
    const subscription = receipt === undefined ? this.#subscriptionOf(frame) : this.subscriptions.get(receipt);
    if (subscription === undefined) return;
    if (position !== undefined) subscription.position = position;
    if (receipt !== undefined) {
      subscription.note = valueOf(frame, "recovered") === "false"
        ? "subscribed; what came before is lost"
        : "subscribed";
    }
    this.#tell.changed();
  }

  #subscriptionOf(frame) {
    return this.subscriptions.get(valueOf(frame, "subscription"));
  }

  #connected(frame) {
    const [can, wants] = (valueOf(frame, "heart-beat") ?? "0,0").split(",").map(Number);
    const [mine, theirs] = this.#settings.beats;
    if (mine > 0 && wants > 0) this.#every(Math.max(mine, wants), () => this.#beat());
    const silence = theirs > 0 && can > 0 ? Math.max(theirs, can) * TOLERANCE : 0;
    if (silence > 0) {
      this.#every(1_000, () => {
        if (performance.now() - this.#heard > silence) this.#end("Closed: the server's heart-beats have stopped");
      });
    }
    const user = valueOf(frame, "user-name");
    this.#become("open", `Open: STOMP ${this.version}${user === undefined ? "" : `, as ${user}`}`);
    for (const subscription of this.subscriptions.values()) {
      subscription.note = "asked for";
      this.#ask(subscription);
    }
    this.#tell.changed();
  }

  #beat() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send("\n");
    this.#tell.beat("out");
  }

  #every(milliseconds, action) {
    this.#timers.push(setInterval(action, milliseconds));
  }

  #end(text) {
    this.#drop();
    this.#become("closed", text);
  }

  /** Lets go of the socket, whatever becomes of it. */
  #drop() {
    // A timer of either kind is cleared by either.
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #become(phase, text) {
    this.phase = phase;
    if (phase === "closed") { for (const subscription of this.subscriptions.values()) subscription.note = "waits"; }
    this.#tell.state({ phase, text });
    this.#tell.changed();
  }
}
