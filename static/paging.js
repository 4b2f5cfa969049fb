/**
 * A table of which one page is shown, refreshed in place: rows that stay keep their place, selection and focus.
 *
 * @module
 */

import { Refused } from "./api.js";
import { Confirm } from "./confirm.js";
import { count, element, set, visible } from "./text.js";

/** Milliseconds between two refreshes. */
const REFRESH = 2_000;

/** The elements of a table by their names: those of its panel with `rows`, `range` and so on at the end of their ids. */
export function partsOf(panel) {
  const names = ["rows", "range", "previous", "next", "answer"];
  return Object.fromEntries(names.map((name) => [name, document.getElementById(`${panel}-${name}`)]));
}

export class PagedTable {
  #parts;
  #source;
  #size;
  #confirm;
  #rows = new Map();
  /** Cursor of each page up to the one that is shown. */
  #cursors = [undefined];
  #next;
  #timer = 0;
  #turn = 0;
  /** What is said beside the title is that the page could not be refreshed. */
  #isStale = false;

  /**
   * `load(query)` asks for a page with `limit` and `after` and resolves to `{items, total, next}`, with a `summary` in
   * place of their numbers where that says more; or to nothing where nothing is asked for. A page has `size` items. `keyOf(item)` tells which row
   * is whose, `create(item, table)` makes one with its `node`, and `update(row, item)` fills it. `none` is said of no
   * items; `loggedOut()` is called when the login is over, `failed(error)` at another refusal, and returns whether it
   * took care of it.
   */
  constructor(parts, source) {
    this.#parts = parts;
    this.#source = source;
    this.#size = source.size ?? 50;
    this.#confirm = new Confirm((text) => this.say(text));
    parts.previous.addEventListener("click", () => this.#turnTo(this.#cursors.slice(0, -1), parts.previous));
    parts.next.addEventListener("click", () => this.#turnTo([...this.#cursors, this.#next], parts.next));
    document.addEventListener("visibilitychange", () => !document.hidden && this.#timer && this.refresh());
  }

  /** Shows the first page, and refreshes it from now on. */
  start() {
    this.stop();
    this.#cursors = [undefined];
    this.#timer = setInterval(() => document.hidden || this.#confirm.isArmed || this.refresh(), REFRESH);
    return this.refresh();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#turn++;
    this.#confirm.disarm();
  }

  /** Asks for what is shown and shows it; the answer to an older question is dropped. */
  async refresh() {
    const turn = ++this.#turn;
    try {
      const query = new URLSearchParams({ limit: this.#size });
      const cursor = this.#cursors.at(-1);
      if (cursor !== undefined) query.set("after", cursor);
      const page = await this.#source.load(query);
      if (turn !== this.#turn) return;
      if (this.#isStale) this.say("");
      await this.#show(page);
    } catch (error) {
      if (turn === this.#turn) this.#isStale = this.#fail(error);
    }
  }

  /** Says it beside the title. */
  say(text, trouble = false) {
    this.#isStale = false;
    set(this.#parts.answer, visible(text));
    this.#parts.answer.classList.toggle("trouble", trouble);
  }

  /** A button of a row that does something at its second press. */
  button(order) {
    return this.#confirm.guard(element("button", { type: "button", className: "act" }), order);
  }

  /** Does it, and says so if it is refused. */
  async attempt(act) {
    try {
      await act();
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Does what may take the row away: `act()` resolves to what is to be said of it. The focus goes on to the row beside it,
   * or else to `otherwise`.
   */
  async take(row, act, otherwise) {
    const { node } = row;
    const buttons = [...node.querySelectorAll("button")];
    const beside = node.nextElementSibling ?? node.previousElementSibling;
    const at = buttons.indexOf(document.activeElement);
    node.classList.add("closing");
    for (const button of buttons) button.disabled = true;
    await this.attempt(async () => {
      this.say(await act());
      await this.refresh();
    });
    node.classList.remove("closing");
    for (const button of buttons) button.disabled = false;
    if (document.activeElement !== document.body) return;
    const next = node.isConnected ? node : beside?.isConnected ? beside : undefined;
    (next?.querySelectorAll("button")[Math.max(0, at)] ?? otherwise).focus();
  }

  /** Whether it is said beside the title, and not taken care of elsewhere. */
  #fail(error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401) this.#source.loggedOut();
    else if (!this.#source.failed?.(error)) {
      this.say(error.message, true);
      return true;
    }
    return false;
  }

  async #show({ items, total, next, summary } = { items: [], summary: "" }) {
    // The page may have emptied while it was looked at.
    if (items.length === 0 && this.#cursors.length > 1) return await this.#turnTo(this.#cursors.slice(0, -1));
    this.#next = next;
    const rows = new Map();
    for (const item of items) {
      const key = this.#source.keyOf(item);
      const row = this.#rows.get(key) ?? this.#source.create(item, this);
      this.#source.update(row, item);
      rows.set(key, row);
    }
    this.#place([...rows.values()].map(({ node }) => node));
    this.#rows = rows;
    const first = (this.#cursors.length - 1) * this.#size;
    const numbers = () => `${count(first + 1)}–${count(first + items.length)} of ${count(total)}`;
    const { range, previous, next: onward } = this.#parts;
    set(range, summary ?? (items.length > 0 ? numbers() : this.#source.none));
    previous.disabled = this.#cursors.length === 1;
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
    this.#confirm.disarm();
    this.#cursors = cursors;
    await this.refresh();
    if (!button) return;
    this.say(this.#parts.range.textContent);
    // A button that was disabled under the focus would drop it to the top of the page.
    if (button.disabled) (button === this.#parts.next ? this.#parts.previous : this.#parts.next).focus();
  }
}

/** A row of cells, each `[className, label, ...children]`; on a narrow screen the label stands before the cell. */
export function createRow(...cells) {
  const row = element("tr");
  row.setAttribute("role", "row");
  for (const [className, label, ...children] of cells) {
    const cell = element("td", { className }, ...children);
    cell.setAttribute("role", "cell");
    if (label) cell.dataset.label = label;
    row.append(cell);
  }
  return row;
}
