/**
 * Who hears a channel.
 *
 * @module
 */

import { call } from "./api.js";
import { moment } from "./instants.js";
import { createRow, PagedTable, partsOf } from "./paging.js";
import { element, plural, refill, set, show, visible } from "./text.js";
import { go, point } from "./views.js";

export class Presence {
  #channel = "";
  #input = document.getElementById("presence-channel");
  #count = document.getElementById("presence-count");
  #mayAct;
  #table;

  /** `mayAct()` is whether one may unsubscribe and disconnect, `loggedOut()` is called when the login is over. */
  constructor({ mayAct, loggedOut }) {
    this.#mayAct = mayAct;
    this.#table = new PagedTable(partsOf("presence"), {
      load: (query) => this.#load(query),
      // Who left and came back has another row: its buttons are about this channel, and it shows when that was.
      keyOf: ({ session, since }) => `${this.#channel} ${session} ${since}`,
      create: (present, table) => this.#create(present, table),
      update: (row, present) => this.#update(row, present),
      none: "Nobody hears it",
      loggedOut,
      failed: (error) => this.#failed(error),
    });
    document.getElementById("presence-find").addEventListener("submit", (event) => {
      event.preventDefault();
      go("presence", { channel: this.#input.value.trim() });
    });
  }

  /** Shows who hears the `channel` of the query. */
  start(query) {
    this.#channel = this.#input.value = query.get("channel") ?? "";
    this.#table.say("");
    return this.#table.start();
  }

  stop() {
    this.#table.stop();
  }

  async #load(query) {
    if (this.#channel === "") {
      set(this.#count, "");
      return;
    }
    query.set("channel", this.#channel);
    const { count, users, present, next } = await call("GET", `api/presence?${query}`);
    set(this.#count, `${plural(count, "session")}, ${plural(users, "user")}: ${visible(this.#channel)}`);
    return { items: present, total: count, next };
  }

  /** What is refused once is refused again: it is not asked for any more, and nothing older is shown. */
  #failed({ status, message }) {
    if (status < 400 || status >= 500 || status === 429) return false;
    this.#channel = "";
    this.#table.refresh();
    this.#table.say(message, true);
    return true;
  }

  #create({ session, since }, table) {
    const row = {
      user: element("a", { className: "name" }),
      info: element("bdi", { className: "info" }),
      since: moment(since),
    };
    const id = this.#mayAct() ? element("a", { className: "name" }) : element("bdi", { className: "name" });
    if (this.#mayAct()) point(id, "connections", { session });
    const channel = this.#channel;
    const what = `session ${session}`;
    const take = (act) => table.take(row, act, this.#input);
    const buttons = this.#mayAct()
      ? [
        table.button({ act: "Unsubscribe", what, run: () => take(() => unsubscribe(session, channel)) }),
        table.button({ act: "Disconnect", what, run: () => take(() => disconnect(session)) }),
      ]
      : [];
    row.node = createRow(
      ["main", "", show(id, session)],
      ["whole", "", row.user],
      ["whole", "", row.info],
      ["whole", "", row.since],
      ["action wide", "", ...buttons],
    );
    return row;
  }

  #update(row, { user, info }) {
    row.user.hidden = user === undefined;
    if (this.#mayAct()) point(row.user, "connections", { user: user ?? "" });
    refill(row.user, user ?? "");
    refill(row.info, info === undefined ? "" : JSON.stringify(info));
  }
}

async function unsubscribe(session, channel) {
  const { count } = await call("POST", "api/unsubscribe", { channel, session });
  return count > 0 ? `${session} hears ${channel} no more.` : `${session} did not hear ${channel} any more.`;
}

async function disconnect(session) {
  const { count } = await call("POST", "api/disconnect", { session });
  return count > 0 ? `Disconnected ${session}.` : `${session} was gone already.`;
}
