/**
 * The table of connections: one page of it, refreshed in place, each with a button that closes it at the second press.
 *
 * @module
 */

import { call, Refused } from "./api.js";
import { bytes, count, duration, element, set, show, visible } from "./text.js";

const PAGE = 50;
/** Milliseconds between two refreshes. */
const REFRESH = 2_000;
/** How long a first press waits for the second; and what is too soon for one: a double click, a key held down. */
const ARMED = 5_000;
const BOUNCE = 300;
/** Channels shown of one session. */
const CHANNELS = 4;

export class SessionTable {
  #parts;
  #handlers;
  #rows = new Map();
  /** Cursor of each page up to the one that is shown. */
  #cursors = [undefined];
  #next;
  #sought = "";
  #timer = 0;
  #turn = 0;
  #armed;

  /** `own()` is the id of this page's own session, `loggedOut()` is called when the login is over. */
  constructor(parts, handlers) {
    this.#parts = parts;
    this.#handlers = handlers;
    parts.previous.addEventListener("click", () => this.#turnTo(this.#cursors.slice(0, -1), parts.previous));
    parts.next.addEventListener("click", () => this.#turnTo([...this.#cursors, this.#next], parts.next));
    parts.find.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#seek(parts.id.value.trim());
    });
    parts.id.addEventListener("input", () => parts.id.value === "" && this.#sought && this.#seek(""));
    document.addEventListener("visibilitychange", () => !document.hidden && this.#timer && this.refresh());
  }

  start() {
    this.stop();
    this.#timer = setInterval(() => document.hidden || this.#armed || this.refresh(), REFRESH);
    return this.refresh();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#turn++;
    this.#disarm();
  }

  /** Asks for what is shown and shows it; the answer to an older question is dropped. */
  async refresh() {
    const turn = ++this.#turn;
    try {
      const page = this.#sought ? await this.#fetchOne() : await this.#fetchPage();
      if (turn === this.#turn) this.#show(page);
    } catch (error) {
      if (turn !== this.#turn || !(error instanceof Refused)) return;
      if (error.status === 401) this.#handlers.loggedOut();
      else this.#say(error.message, true);
    }
  }

  #fetchPage() {
    const query = new URLSearchParams({ limit: PAGE });
    const cursor = this.#cursors.at(-1);
    if (cursor !== undefined) query.set("after", cursor);
    return call("GET", `api/sessions?${query}`);
  }

  async #fetchOne() {
    try {
      return { sessions: [await call("GET", `api/sessions/${encodeURIComponent(this.#sought)}`)] };
    } catch (error) {
      if (error.status !== 404) throw error;
      return { sessions: [] };
    }
  }

  #show({ sessions, total, next }) {
    // The page may have emptied while it was looked at.
    if (sessions.length === 0 && this.#cursors.length > 1 && !this.#sought) {
      return this.#turnTo(this.#cursors.slice(0, -1));
    }
    this.#next = next;
    const own = this.#handlers.own();
    const rows = new Map();
    for (const session of sessions) {
      const row = this.#rows.get(session.id) ?? this.#createRow(session.id);
      updateRow(row, session, session.id === own);
      rows.set(session.id, row);
    }
    this.#place([...rows.values()].map(({ node }) => node));
    this.#rows = rows;
    const first = (this.#cursors.length - 1) * PAGE;
    const { range, previous, next: onward } = this.#parts;
    if (this.#sought) set(range, sessions.length ? "One session found" : "No session has this id");
    else {set(
        range,
        sessions.length
          ? `${count(first + 1)}–${count(first + sessions.length)} of ${count(total)}`
          : "Nobody is connected",
      );}
    previous.disabled = this.#cursors.length === 1 || this.#sought !== "";
    onward.disabled = next === undefined;
    previous.hidden = onward.hidden = previous.disabled && onward.disabled;
  }

  /** Moves only the rows that are out of place, so that the focus stays in the others. */
  #place(nodes) {
    const { rows } = this.#parts;
    const keep = new Set(nodes);
    for (const node of [...rows.children]) if (!keep.has(node)) node.remove();
    nodes.forEach((node, at) => rows.children[at] === node || rows.insertBefore(node, rows.children[at] ?? null));
  }

  async #turnTo(cursors, button) {
    this.#disarm();
    this.#cursors = cursors;
    await this.refresh();
    if (!button) return;
    this.#say(this.#parts.range.textContent);
    // A button that was disabled under the focus would drop it to the top of the page.
    if (button.disabled) (button === this.#parts.next ? this.#parts.previous : this.#parts.next).focus();
  }

  #seek(id) {
    this.#sought = id;
    this.#disarm();
    this.#cursors = [undefined];
    return this.refresh();
  }

  #createRow(id) {
    const cell = (className, ...children) => {
      const node = element("td", { className }, ...children);
      node.setAttribute("role", "cell");
      return node;
    };
    const row = {
      id,
      name: show(element("bdi", { className: "name" }), id),
      door: element("span", { className: "sub quiet" }),
      address: element("bdi", { className: "name" }),
      agent: element("bdi", { className: "sub quiet agent" }),
      channels: cell("channels"),
      connected: cell("number connected"),
      delivered: cell("number delivered"),
      pending: cell("number pending"),
      button: element("button", { type: "button", className: "close" }, "Close"),
    };
    row.node = element(
      "tr",
      {},
      cell("session", row.name, row.door),
      cell("client", row.address, row.agent),
      row.channels,
      row.connected,
      row.delivered,
      row.pending,
      cell("action", row.button),
    );
    row.node.setAttribute("role", "row");
    row.button.setAttribute("aria-label", `Close session ${visible(id)}`);
    row.button.addEventListener("click", () => this.#press(row));
    row.button.addEventListener("blur", () => this.#armed?.row === row && this.#disarm());
    row.button.addEventListener("keydown", (event) => event.key === "Escape" && this.#disarm());
    return row;
  }

  #press(row) {
    if (this.#armed?.row === row) {
      if (performance.now() - this.#armed.time > BOUNCE) this.#close(row);
      return;
    }
    this.#disarm();
    this.#armed = { row, time: performance.now(), timer: setTimeout(() => this.#disarm(), ARMED) };
    row.button.textContent = "Really?";
    row.button.classList.add("armed");
    row.button.setAttribute("aria-label", `Really close session ${visible(row.id)}?`);
    this.#say("Press again to close.");
  }

  #disarm() {
    if (!this.#armed) return;
    const { row, timer } = this.#armed;
    clearTimeout(timer);
    this.#armed = undefined;
    row.button.textContent = "Close";
    row.button.classList.remove("armed");
    row.button.setAttribute("aria-label", `Close session ${visible(row.id)}`);
    this.#say("");
  }

  async #close(row) {
    this.#disarm();
    const { node, button, id } = row;
    const beside = node.nextElementSibling ?? node.previousElementSibling;
    node.classList.add("closing");
    button.disabled = true;
    try {
      await call("DELETE", `api/sessions/${encodeURIComponent(id)}`, {});
      this.#say(`Closed ${visible(id)}.`);
    } catch (error) {
      if (error.status === 401) return this.#handlers.loggedOut();
      if (error.status === 404) this.#say(`${visible(id)} was gone already.`);
      else {
        node.classList.remove("closing");
        button.disabled = false;
        return this.#say(error.message, true);
      }
    }
    if (document.activeElement === document.body || document.activeElement === button) {
      (beside?.querySelector("button") ?? this.#parts.id).focus();
    }
    await this.refresh();
  }

  #say(text, trouble = false) {
    set(this.#parts.answer, text);
    this.#parts.answer.classList.toggle("trouble", trouble);
  }
}

function updateRow(row, session, own) {
  const { door, edge, address, userAgent, user, channels = [], since, delivered, pending } = session;
  set(row.door, `${own ? "this page · " : ""}${door} · edge ${edge}`);
  refill(row.address, user ? `${address} · ${user}` : address);
  refill(row.agent, userAgent || "no user agent");
  const more = channels.length - CHANNELS;
  refill(
    row.channels,
    channels.slice(0, CHANNELS).join(", ") + (more > 0 ? ` and ${count(more)} more` : "") || "none",
  );
  set(row.connected, duration((Date.now() - since) / 1000));
  row.connected.title = new Date(since).toLocaleString();
  set(row.delivered, count(delivered ?? 0));
  set(row.pending, bytes(pending ?? 0));
}

/** Received text is taken apart only when it changed. */
function refill(node, text) {
  const whole = String(text ?? "");
  if (node.received === whole) return;
  node.received = whole;
  node.title = visible(whole);
  show(node, whole);
}
