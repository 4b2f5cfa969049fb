/**
 * What was so lately: known for a while, and then no more.
 *
 * @module
 */

/** How long each is known, in milliseconds, and how many are. */
const KEPT = 60_000;
const MOST = 10_000;

/** Values by key, the oldest first. */
export class Lately<K, V> {
  readonly #now: () => number;
  readonly #found = new Map<K, { readonly value: V; readonly until: number }>();

  /** @param now milliseconds; only differences count. Default `performance.now` */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  set(key: K, value: V): void {
    const now = this.#now();
    this.#found.delete(key);
    for (const [oldest, { until }] of this.#found) {
      if (until > now && this.#found.size < MOST) break;
      this.#found.delete(oldest);
    }
    this.#found.set(key, { value, until: now + KEPT });
  }

  get(key: K): V | undefined {
    const found = this.#found.get(key);
    return found && found.until > this.#now() ? found.value : undefined;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** It is so no more. */
  delete(key: K): void {
    this.#found.delete(key);
  }
}
