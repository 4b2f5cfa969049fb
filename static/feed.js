/**
 * The live figures: from the reserved channel `$admin` once a second, or by asking when that is silent.
 *
 * @module
 */

import { call } from "./api.js";
import { Connection } from "./connection.js";

/** Silence of the channel, in milliseconds, after which the page asks; and how often it then does. */
const SILENCE = 3_000;
const POLL = 2_000;
/** The page is drawn at most once in this many milliseconds. */
const DRAW = 1_000;

/**
 * `update({stats, recent, time})` is called at most once a second, with the newest; `state(phase, text)` with how the
 * figures come: `open`, `waiting`, `closed`; `loggedOut()` when the server no longer knows the login.
 * `live` false means polling only: the channel is for keys that may do everything.
 */
export class Feed {
  /** Public id of the session behind the feed. */
  session;
  #handlers;
  #connection;
  #ticker = 0;
  #heard = 0;
  #asked = 0;
  #drawn = 0;
  #newest;
  #drawing = 0;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  start({ live }) {
    this.stop();
    this.#heard = 0;
    this.#handlers.state("connecting", "Connecting …");
    if (live) {
      const url = new URL("push?format=json&channel=$admin", location.href);
      url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      this.#connection = new Connection(url, {
        state: (state) => this.#state(state),
        message: (data) => this.#message(data),
        after: ({ code }) => [4401, 4403].includes(code) ? "stop" : "wait",
      });
      this.#connection.open();
    }
    this.#ticker = setInterval(() => this.#tick(), 1_000);
    this.#tick();
  }

  stop() {
    clearInterval(this.#ticker);
    clearTimeout(this.#drawing);
    this.#connection?.close();
    this.#connection = this.session = undefined;
    this.#drawing = this.#asked = 0;
  }

  #state({ phase }) {
    if (phase === "open") return this.#handlers.state("open", "Live");
    this.session = undefined;
    if (phase === "waiting") this.#handlers.state("waiting", "Not live, reconnecting …");
    if (phase === "closed") this.#handlers.state("waiting", "Not live, asking every 2 s");
  }

  #message(data) {
    if (typeof data !== "string") return;
    for (const line of data.split("\n")) {
      if (line === "") continue;
      const value = JSON.parse(line);
      if (value.type === "welcome") this.session = value.session;
      else if (value.type === undefined && value.channel === "$admin") {
        this.#heard = performance.now();
        this.#draw({ stats: value.data?.stats, recent: value.data?.recent, time: value.time });
      }
    }
  }

  #draw(newest) {
    this.#newest = newest;
    if (this.#drawing) return;
    this.#drawing = setTimeout(() => {
      this.#drawing = 0;
      this.#drawn = performance.now();
      if (!document.hidden) this.#handlers.update(this.#newest);
    }, Math.max(0, this.#drawn + DRAW * 0.9 - performance.now()));
  }

  async #tick() {
    const now = performance.now();
    if (document.hidden || now - this.#heard < SILENCE || now - this.#asked < POLL) return;
    this.#asked = now;
    const ticker = this.#ticker;
    try {
      const [stats, { publications }] = await Promise.all([call("GET", "api/stats"), call("GET", "api/recent")]);
      if (ticker !== this.#ticker) return;
      if (!this.#connection) this.#handlers.state("open", "Every 2 s");
      this.#draw({ stats, recent: publications, time: Date.now() });
    } catch (error) {
      if (ticker !== this.#ticker) return;
      if (error.status === 401) this.#handlers.loggedOut();
      else if (!this.#connection) this.#handlers.state("waiting", error.message);
    }
  }
}
