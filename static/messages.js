/**
 * The list of messages: bounded, the newest in view unless the reader has scrolled up.
 *
 * @module
 */

import { clock, count, element, show } from "./text.js";

/** Messages kept in the page. */
const KEPT = 500;
/** Closer to the end than this, in pixels, counts as reading along. */
const NEAR = 48;

export class MessageList {
  #list;
  #scroll;
  #latest;
  #pending = [];
  #scheduled = false;
  #following = true;
  #unread = 0;

  constructor({ list, scroll, latest }) {
    this.#list = list;
    this.#scroll = scroll;
    this.#latest = latest;
    scroll.addEventListener("scroll", () => {
      this.#following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
      if (this.#following) this.#read();
    }, { passive: true });
    latest.addEventListener("click", () => this.follow());
    new ResizeObserver(() => this.#following && this.follow()).observe(scroll);
  }

  /** Shows a message. */
  add(text, { binary = false, time = Date.now() } = {}) {
    this.#push({ text, binary, time });
  }

  /** Shows a remark between the messages. */
  note(time, text) {
    this.#push({ text, time, note: true });
  }

  clear() {
    this.#pending = [];
    this.#list.replaceChildren();
    this.#read();
  }

  /** Scrolls to the newest and stays with it. */
  follow() {
    this.#following = true;
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#read();
  }

  /** A burst is laid out once a frame, and never more of it than the list keeps. Hidden pages get no frames. */
  #push(entry) {
    this.#pending.push(entry);
    if (this.#pending.length > KEPT * 2) this.#pending.splice(0, this.#pending.length - KEPT);
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (document.hidden) setTimeout(() => this.#flush(), 200);
    else requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#scheduled = false;
    const entries = this.#pending.splice(0).slice(-KEPT);
    if (entries.length === 0) return;
    this.#list.append(...entries.map(render));
    while (this.#list.childElementCount > KEPT) this.#list.firstElementChild.remove();
    if (this.#following) return this.follow();
    this.#unread += entries.length;
    this.#latest.textContent = `${count(this.#unread)} new ↓`;
    this.#latest.hidden = false;
  }

  #read() {
    this.#unread = 0;
    this.#latest.hidden = true;
  }
}

function render({ text, binary, note, time }) {
  if (note) return element("li", { className: "note" }, clock(time), element("span", {}, text));
  const body = show(element("bdi", { className: binary ? "quiet" : "text", dir: "auto" }), text);
  return element("li", { className: "message" }, clock(time), body);
}
