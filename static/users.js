/**
 * The users who are connected: how many there are of everything, and a table of them.
 *
 * @module
 */

import { call } from "./api.js";
import { createRow, PagedTable, partsOf } from "./paging.js";
import { element, plural, refill, set, show } from "./text.js";
import { SendDialog } from "./send.js";
import { go, point } from "./views.js";

export class Users {
  #prefix = "";
  #input = document.getElementById("users-prefix");
  #totals = document.getElementById("users-totals");
  #table;
  #dialog;

  /** `loggedOut()` is called when the login is over. */
  constructor({ loggedOut }) {
    this.#table = new PagedTable(partsOf("users"), {
      load: (query) => this.#load(query),
      keyOf: ({ user }) => user,
      create: ({ user }, table) => this.#create(user, table),
      update,
      none: "No user is connected",
      loggedOut,
    });
    const sent = (text) => {
      this.#table.say(text);
      // The user may have left meanwhile, and with it the button that the focus would go back to.
      if (document.activeElement === document.body) this.#input.focus();
    };
    this.#dialog = new SendDialog({ sent, loggedOut });
    document.getElementById("users-find").addEventListener("submit", (event) => {
      event.preventDefault();
      const prefix = this.#input.value.trim();
      go("users", prefix === "" ? {} : { prefix });
    });
    this.#input.addEventListener("input", () => this.#input.value === "" && this.#prefix && go("users"));
  }

  /** Shows the users whose id begins with the `prefix` of the query. */
  start(query) {
    this.#prefix = this.#input.value = query.get("prefix") ?? "";
    return this.#table.start();
  }

  stop() {
    this.#table.stop();
    this.#dialog.close();
  }

  async #load(query) {
    if (this.#prefix) query.set("prefix", this.#prefix);
    const [page, totals] = await Promise.all([call("GET", `api/users?${query}`), call("GET", "api/presence")]);
    const { connections, sessions, users } = totals;
    const parts = [plural(users, "user"), plural(sessions, "session"), plural(connections, "connection")];
    set(this.#totals, parts.join(" · "));
    const none = this.#prefix && page.users.length === 0 ? { summary: "No user's id begins so" } : {};
    return { items: page.users, total: page.total, next: page.next, ...none };
  }

  #create(user, table) {
    const row = { info: element("bdi", { className: "info" }), sessions: element("a") };
    const message = element("button", { type: "button", className: "act" }, "Message");
    const what = `user ${user}`;
    message.setAttribute("aria-label", `Message to ${what}`);
    message.addEventListener("click", () => this.#dialog.open(user));
    point(row.sessions, "connections", { user });
    const run = () => table.take(row, () => disconnect(user), this.#input);
    row.node = createRow(
      ["main", "", show(element("bdi", { className: "name" }), user)],
      ["whole", "", row.info],
      ["whole", "", row.sessions],
      ["action wide", "", message, table.button({ act: "Disconnect", what, run })],
    );
    return row;
  }
}

async function disconnect(user) {
  const { count } = await call("POST", "api/disconnect", { user });
  return count > 0 ? `Disconnected ${user}: ${plural(count, "session")}.` : `${user} was gone already.`;
}

function update(row, { info, count }) {
  refill(row.info, info === undefined ? "" : JSON.stringify(info));
  set(row.sessions, plural(count, "session"));
}
