/**
 * What became of one publication: looked up by its id, and again a few times, since it changes at first.
 *
 * @module
 */

import { call, Refused } from "./api.js";
import { clock, element, plural, set, show, visible } from "./text.js";

/** When it is looked at again, in milliseconds after the time before. */
const AGAIN = [400, 1_000, 3_000, 6_000];
const NOTHING =
  "Nothing is noted under this id: no publication with it was traced, or its notes made room for newer ones.";

export class TracePanel {
  #parts;
  #handlers;
  #timer = 0;
  #turn = 0;
  #shown = "";

  /** `loggedOut()` is called when the login is over. */
  constructor(parts, handlers) {
    this.#parts = parts;
    this.#handlers = handlers;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.look(parts.id.value.trim());
    });
  }

  /** Shows what is noted under the id. */
  look(id) {
    this.stop();
    this.#parts.id.value = id;
    this.#render([]);
    this.#say("");
    if (id !== "") return this.#ask(id, AGAIN, ++this.#turn);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#turn++;
  }

  /** The answer to a question about another publication is dropped. */
  async #ask(id, pauses, turn) {
    try {
      const { publications } = await call("GET", `api/publications/${encodeURIComponent(id)}`);
      if (turn !== this.#turn) return;
      this.#render(publications);
      this.#say(summary(publications));
    } catch (error) {
      if (turn !== this.#turn || !(error instanceof Refused)) return;
      if (error.status === 401) return this.#handlers.loggedOut();
      return this.#say(error.status === 404 ? NOTHING : visible(error.message), true);
    }
    const [pause, ...rest] = pauses;
    if (pause !== undefined) this.#timer = setTimeout(() => this.#ask(id, rest, turn), pause);
  }

  #render(traces) {
    const { list } = this.#parts;
    const key = JSON.stringify(traces);
    if (key === this.#shown) return;
    this.#shown = key;
    list.hidden = traces.length === 0;
    list.replaceChildren(...traces.map(renderTrace));
  }

  #say(text, trouble = false) {
    set(this.#parts.answer, text);
    this.#parts.answer.classList.toggle("trouble", trouble);
  }
}

/** All channels in one sentence. */
function summary(traces) {
  const first = traces.filter(({ repeated, refused }) => !repeated && refused === undefined);
  const refused = traces.filter(({ refused }) => refused !== undefined).length;
  const parts = [];
  if (first.length > 0) {
    const queued = first.reduce((sum, trace) => sum + (trace.queued ?? 0), 0);
    const dropped = first.flatMap((trace) => Object.values(trace.dropped ?? {})).reduce((sum, n) => sum + n, 0);
    parts.push(queued > 0 ? `Queued to ${sessions(queued)}` : "Nobody was listening");
    if (dropped > 0) parts.push(`dropped for ${sessions(dropped)}`);
  }
  if (traces.some(({ repeated }) => repeated)) parts.push(parts.length > 0 ? "repeated" : "Repeated");
  if (refused > 0) parts.push(parts.length > 0 ? "refused in part" : "Refused");
  return `${parts.join(", ")}.`;
}

function renderTrace(trace) {
  const { channel, time, epoch, offset, refused } = trace;
  const where = element("p", { className: "where" }, show(element("bdi", { className: "name" }), channel ?? ""));
  if (refused === undefined) where.append(show(element("bdi", { className: "name quiet" }), ` ${epoch}:${offset}`));
  return element("li", {}, clock(time ?? 0), where, show(fate(trace), outcome(trace)));
}

function fate({ refused, dropped = {} }) {
  const isBad = refused !== undefined || Object.keys(dropped).length > 0;
  return element("p", { className: isBad ? "fate bad" : "fate" });
}

function outcome({ refused, repeated, queued, dropped = {} }) {
  if (refused !== undefined) return `refused: ${refused}`;
  const parts = repeated ? ["had been published before"] : [];
  if (queued !== undefined) parts.push(queued > 0 ? `queued to ${sessions(queued)}` : "queued to nobody");
  for (const [reason, times] of Object.entries(dropped)) parts.push(`dropped for ${sessions(times)}: ${reason}`);
  return parts.join("; ");
}

function sessions(number) {
  return plural(number, "session");
}
