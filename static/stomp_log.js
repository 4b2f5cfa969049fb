/**
 * The frames that went and came: bounded, can be held and emptied.
 *
 * @module
 */

import { bytes, clock, count, element, show, visible } from "./text.js";

/** Frames kept in the page. */
const KEPT = 500;
/** Bytes of a binary body that are shown. */
const DUMPED = 512;
const COLUMNS = 16;
/** Headers whose values nobody is to read over a shoulder. */
const SECRET = new Set(["passcode", "authorization", "token", "x-api-key"]);
/** Closer to the end than this, in pixels, counts as reading along. */
const NEAR = 48;

export class FrameLog {
  #list;
  #scroll;
  #hold;
  #actions;
  #pending = [];
  #isHeld = false;
  #isScheduled = false;
  #isFollowing = true;

  /** @param actions of a frame: pairs of a button's text and what it does, none for most */
  constructor({ list, scroll, hold, clear, actions }) {
    this.#list = list;
    this.#scroll = scroll;
    this.#hold = hold;
    this.#actions = actions;
    hold.addEventListener("click", () => this.#toggle());
    clear.addEventListener("click", () => {
      this.#pending = [];
      this.#list.replaceChildren();
      this.#label();
    });
    scroll.addEventListener("scroll", () => {
      this.#isFollowing = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
    }, { passive: true });
  }

  /** @param direction `in` or `out` */
  add(direction, frame) {
    this.#push({ direction, frame, time: Date.now() });
  }

  /** A remark between the frames. */
  note(text) {
    this.#push({ text, time: Date.now() });
  }

  #push(entry) {
    this.#pending.push(entry);
    if (this.#pending.length > KEPT) this.#pending.shift();
    if (this.#isHeld) return this.#label();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Hidden pages get no frames to draw in.
    if (document.hidden) setTimeout(() => this.#flush(), 200);
    else requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#isScheduled = false;
    if (this.#isHeld) return;
    this.#list.append(...this.#pending.splice(0).map((entry) => this.#render(entry)));
    while (this.#list.childElementCount > KEPT) this.#list.firstElementChild.remove();
    if (this.#isFollowing) this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#label();
  }

  #toggle() {
    this.#isHeld = !this.#isHeld;
    this.#hold.setAttribute("aria-pressed", String(this.#isHeld));
    this.#flush();
    this.#label();
  }

  #label() {
    const waiting = this.#isHeld ? this.#pending.length : 0;
    this.#hold.textContent = waiting === 0 ? "Pause" : `Pause (${count(waiting)} more)`;
  }

  #render({ direction, frame, text, time }) {
    if (frame === undefined) {
      return element("li", { className: "note" }, clock(time), element("span", {}, visible(text)));
    }
    const head = element(
      "p",
      { className: "line" },
      clock(time),
      element("span", { className: "way" }, direction === "in" ? "received" : "sent"),
      show(element("strong", {}), frame.command),
      ...this.#buttons(frame),
    );
    const headers = element("pre", { className: "fields" });
    show(headers, frame.headers.map(([name, value]) => `${name}:${SECRET.has(name) ? "…" : value}`).join("\n"));
    const item = element("li", { className: `frame ${direction}` }, head, headers);
    if (frame.body.length > 0) item.append(renderBody(frame));
    return item;
  }

  #buttons(frame) {
    return this.#actions(frame).map(([text, act]) => {
      const button = element("button", { className: "plain", type: "button" }, text);
      button.addEventListener("click", () => act(button));
      return button;
    });
  }
}

/** Text as it is, bytes as hex. */
function renderBody({ body, isText }) {
  if (!isText) return element("pre", { className: "body bytes" }, `${bytes(body.length)}\n${dump(body)}`);
  return show(element("pre", { className: "body", dir: "auto" }), new TextDecoder().decode(body));
}

/** `00000000  00 01 02 ...  |...|`, a line for every sixteen bytes. */
export function dump(body) {
  const lines = [];
  for (let at = 0; at < Math.min(body.length, DUMPED); at += COLUMNS) {
    const row = [...body.subarray(at, Math.min(at + COLUMNS, DUMPED))];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(3 * COLUMNS - 1);
    const signs = row.map((byte) => byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex}  |${signs}|`);
  }
  if (body.length > DUMPED) lines.push(`… ${count(body.length - DUMPED)} more bytes`);
  return lines.join("\n");
}
