/**
 * One namespace of the chat page: what is said there, newest first, and a field to say something.
 *
 * @module
 */

import { element, set, show, visible } from "./text.js";

/** Lines kept in a panel. */
const KEPT = 500;

export class ChatPanel {
  #parts;
  #socket;
  #userName;

  /** @param root the panel's element @param socket a socket of Socket.IO, which is connected at once */
  constructor(root, socket, userName) {
    const part = (name) => root.querySelector(`.${name}`);
    this.#parts = {
      lines: part("console"),
      send: part("send"),
      state: part("state"),
      switch: part("switch"),
      text: part("text"),
    };
    this.#socket = socket;
    this.#userName = userName;
    set(part("who"), userName);
    part("say").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#parts.switch.addEventListener("click", () => this.#toggle());

    const place = socket.nsp;
    socket.on("connect", () => this.#note("good", `The client has connected to ${place}`));
    socket.on("disconnect", (reason) => this.#note("bad", `The client has disconnected from ${place}: ${reason}`));
    socket.on("connect_error", ({ message }) => this.#note("bad", `The client cannot connect to ${place}: ${message}`));
    socket.on("$error", ({ message }) => this.#note("bad", `Refused: ${message}`));
    socket.on("message", (said) => this.#hear(said));
    socket.connect();
    this.show();
  }

  /** Shows whether it is connected, and by what. */
  show() {
    const { connected, active, io } = this.#socket;
    this.#parts.state.dataset.phase = connected ? "open" : active ? "connecting" : "closed";
    const transport = io.engine?.transport?.name === "websocket" ? "WebSocket" : "polling";
    set(this.#parts.state, connected ? `Connected, ${transport}` : active ? "Connecting …" : "Disconnected");
    set(this.#parts.switch, active ? "Disconnect" : "Connect");
    this.#parts.send.disabled = !connected;
  }

  #send() {
    const { text } = this.#parts;
    // What is sent while there is no connection would come out of the blue later.
    if (text.value === "" || !this.#socket.connected) return;
    this.#socket.emit("message", { userName: this.#userName, message: text.value });
    text.value = "";
    text.focus();
  }

  #toggle() {
    if (this.#socket.active) this.#socket.disconnect();
    else this.#socket.connect();
    this.show();
  }

  /** Whoever publishes there may say anything: another page `{userName, message}`, a back-end a text. */
  #hear(said) {
    const { userName, message } = typeof said === "object" && said !== null ? said : {};
    if (userName === undefined) return this.#line("message", show(element("bdi", {}), textOf(said)));
    const name = show(element("bdi", { className: "name" }), textOf(userName));
    this.#line("message", name, ": ", show(element("bdi", {}), textOf(message)));
  }

  #note(kind, text) {
    this.#line(kind, visible(text));
    this.show();
  }

  #line(kind, ...content) {
    const { lines } = this.#parts;
    lines.prepend(element("li", { className: kind }, instant(new Date()), element("span", {}, ...content)));
    while (lines.childElementCount > KEPT) lines.lastElementChild.remove();
  }
}

/** `HH:mm:ss.SSS` of this device's clock. */
function instant(at) {
  const digits = (number, length = 2) => String(number).padStart(length, "0");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((number) => digits(number)).join(":");
  return element("time", { dateTime: at.toISOString() }, `${time}.${digits(at.getMilliseconds(), 3)}`);
}

function textOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}
