/**
 * The table of connections: all of them by pages, one session, or those of one user.
 *
 * @module
 */

import { call } from "./api.js";
import { createRow, PagedTable, partsOf } from "./paging.js";
import { bytes, count, duration, element, plural, refill, set, show } from "./text.js";
import { go, point } from "./views.js";

/** Channels shown of one session. */
const CHANNELS = 4;

export class Connections {
  #input = document.getElementById("find-id");
  #table;
  #session = "";
  #user = "";

  /** `own()` is the id of this page's own session, `loggedOut()` is called when the login is over. */
  constructor({ own, loggedOut }) {
    this.#table = new PagedTable(partsOf("connections"), {
      load: (query) => this.#load(query),
      keyOf: ({ id }) => id,
      create: ({ id }, table) => this.#create(id, table),
      update: (row, session) => update(row, session, session.id === own()),
      none: "Nobody is connected",
      loggedOut,
    });
    const form = document.getElementById("find");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const sought = this.#input.value.trim();
      go("connections", sought === "" ? {} : { [form.elements.by.value]: sought });
    });
    this.#input.addEventListener("input", () => {
      if (this.#input.value === "" && (this.#session || this.#user)) go("connections");
    });
  }

  /** Shows what is asked for: a `session`, those of a `user`, or all. */
  start(query) {
    this.#session = query.get("session") ?? "";
    this.#user = this.#session ? "" : query.get("user") ?? "";
    this.#input.value = this.#session || this.#user;
    this.#input.form.elements.by.value = this.#user ? "user" : "session";
    return this.#table.start();
  }

  stop() {
    this.#table.stop();
  }

  async #load(query) {
    if (this.#session) {
      const session = await find(`api/sessions/${encodeURIComponent(this.#session)}`);
      return { items: session ? [session] : [], summary: session ? "One session found" : "No session has this id" };
    }
    if (this.#user) {
      const { sessions = [], count: all = 0 } = await find(`api/users/${encodeURIComponent(this.#user)}`) ?? {};
      return { items: sessions, summary: describe(sessions.length, all) };
    }
    const { sessions, total, next } = await call("GET", `api/sessions?${query}`);
    return { items: sessions, total, next };
  }

  #create(id, table) {
    const row = {
      name: show(element("bdi", { className: "name" }), id),
      door: element("span", { className: "sub quiet" }),
      address: element("bdi", { className: "name" }),
      user: element("a", { className: "name" }),
      agent: element("bdi", { className: "sub quiet agent" }),
      channels: element("bdi"),
      connected: element("span"),
      delivered: element("span"),
      pending: element("span"),
    };
    const what = `session ${id}`;
    const run = () => table.take(row, () => close(id), this.#input);
    row.node = createRow(
      ["main session", "", row.name, row.door],
      ["whole client", "", row.address, row.user, row.agent],
      ["whole channels", "", row.channels],
      ["number", "Connected", row.connected],
      ["number", "Delivered", row.delivered],
      ["number", "Queued", row.pending],
      ["action", "", table.button({ act: "Close", what, run })],
    );
    return row;
  }
}

/** What there is at the path, or undefined. */
async function find(path) {
  try {
    return await call("GET", path);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

async function close(id) {
  try {
    await call("DELETE", `api/sessions/${encodeURIComponent(id)}`, {});
    return `Closed ${id}.`;
  } catch (error) {
    if (error.status !== 404) throw error;
    return `${id} was gone already.`;
  }
}

function describe(shown, all) {
  if (all === 0) return "This user is not connected";
  return `${shown < all ? `${count(shown)} of the ` : ""}${plural(all, "session")} of this user`;
}

function update(row, session, own) {
  const { door, edge, address, userAgent, user, channels = [], queues = [], since, delivered, pending } = session;
  set(row.door, `${own ? "this page · " : ""}${door} · edge ${edge}`);
  refill(row.address, address);
  row.user.hidden = !user;
  point(row.user, "connections", { user: user ?? "" });
  refill(row.user, user ?? "");
  refill(row.agent, userAgent || "no user agent");
  const heard = [...channels, ...queues.map((queue) => `queue ${queue}`)];
  const more = heard.length - CHANNELS;
  refill(
    row.channels,
    heard.slice(0, CHANNELS).join(", ") + (more > 0 ? ` and ${count(more)} more` : "") || "none",
  );
  set(row.connected, duration((Date.now() - since) / 1000));
  row.connected.title = new Date(since).toLocaleString();
  set(row.delivered, count(delivered ?? 0));
  set(row.pending, bytes(pending ?? 0));
}
