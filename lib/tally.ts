/**
 * How many there are of each key.
 *
 * @module
 */

/** Counts by key; a key of which there is none takes no room. */
export class Tally<K> {
  readonly #counts = new Map<K, number>();

  of(key: K): number {
    return this.#counts.get(key) ?? 0;
  }

  /** The keys of which there is one at least. */
  keys(): IterableIterator<K> {
    return this.#counts.keys();
  }

  add(key: K): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  delete(key: K): void {
    const left = this.of(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
