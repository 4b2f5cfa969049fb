/**
 * What the admin page sees live: once a second, and only while somebody looks.
 *
 * @module
 */
import { ADMIN_CHANNEL } from "../reserved.ts";
import type { Hub } from "../hub.ts";
import { renderJson } from "../metrics.ts";

/** Between two publications of the feed, in milliseconds. */
const INTERVAL = 1000;

/** Publishes figures and the last publications on the reserved channel of the admin page. */
export class AdminFeed {
  readonly #hub: Hub;
  readonly #timer: ReturnType<typeof setInterval>;
  #busy = false;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.#timer = setInterval(() => void this.#publish(), INTERVAL);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #publish(): Promise<void> {
    if (this.#busy || !this.#hub.isHosted(ADMIN_CHANNEL)) return;
    this.#busy = true;
    try {
      const stats = renderJson(await this.#hub.directory.samples());
      this.#hub.feed(JSON.stringify({ stats, recent: this.#hub.recent() }));
    } finally {
      this.#busy = false;
    }
  }
}
