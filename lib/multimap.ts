/**
 * Several values a key, where most keys have just one: those take no set of their own.
 *
 * @module
 */

/** Values by key; of one key each value once, in the order of adding. Values are no sets themselves. */
export class Multimap<K, V extends object | number> {
  readonly #values = new Map<K, V | Set<V>>();

  has(key: K): boolean {
    return this.#values.has(key);
  }

  hasValue(key: K, value: V): boolean {
    const found = this.#values.get(key);
    return found === value || found instanceof Set && found.has(value);
  }

  /** Keys there are. */
  get size(): number {
    return this.#values.size;
  }

  /** Values of the key. */
  count(key: K): number {
    const found = this.#values.get(key);
    if (found === undefined) return 0;
    return found instanceof Set ? found.size : 1;
  }

  keys(): MapIterator<K> {
    return this.#values.keys();
  }

  /** May be changed while it is gone through: what is gone by then does not come. */
  get(key: K): Iterable<V> {
    const found = this.#values.get(key);
    if (found === undefined) return NONE;
    return found instanceof Set ? found : [found];
  }

  add(key: K, value: V): void {
    const found = this.#values.get(key);
    if (found === undefined) this.#values.set(key, value);
    else if (found instanceof Set) found.add(value);
    else if (found !== value) this.#values.set(key, new Set([found, value]));
  }

  /** Returns whether it was there. */
  delete(key: K, value: V): boolean {
    const found = this.#values.get(key);
    if (found === value) return this.#values.delete(key);
    if (!(found instanceof Set) || !found.delete(value)) return false;
    if (found.size === 0) this.#values.delete(key);
    return true;
  }
}

const NONE: readonly never[] = Object.freeze([]);
