/**
 * The live figures: from the reserved channel `$admin` once a second, or by asking when that is silent.
 *
 * @module
 */

import { Gong } from "./gong.js";
import { call } from "./api.js";

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
  #handlers;
  #gong;
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
      const gong = this.#gong = new Gong({ url: location.href, transports: ["websocket", "sse"] });
      gong.addEventListener("state", ({ phase }) => this.#gong === gong && this.#state(phase));
      gong.addEventListener("error", () => this.#gong === gong && this.#state("closed"));
      gong.subscribe("$admin", (message) => this.#message(message));
    }
    this.#ticker = setInterval(() => this.#tick(), 1_000);
    this.#tick();
  }

  stop() {
    clearInterval(this.#ticker);
    clearTimeout(this.#drawing);
    this.#gong?.close();
    this.#gong = undefined;
    this.#drawing = this.#asked = 0;
  }

  /** Public id of the session behind the feed. */
  get session() {
    return this.#gong?.session;
  }

  #state(phase) {
    if (phase === "open") return this.#handlers.state("open", "Live");
    if (phase === "waiting") this.#handlers.state("waiting", "Not live, reconnecting …");
    if (phase === "closed") this.#handlers.state("waiting", "Not live, asking every 2 s");
  }

  #message({ data, time }) {
    this.#heard = performance.now();
    this.#draw({ stats: data?.stats, recent: data?.recent, time });
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
      if (!this.#gong) this.#handlers.state("open", "Every 2 s");
      this.#draw({ stats, recent: publications, time: Date.now() });
    } catch (error) {
      if (ticker !== this.#ticker) return;
      if (error.status === 401) this.#handlers.loggedOut();
      else if (!this.#gong) this.#handlers.state("waiting", error.message);
    }
  }
}
