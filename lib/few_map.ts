/**
 * A map for many owners of whom most have one entry: a `Map` takes 216 bytes for that, this one 48.
 *
 * @module
 */

/** What a {@linkcode FewMap} shows, as a `Map` does. */
export interface ReadonlyFewMap<K, V> extends Iterable<[K, V]> {
  readonly size: number;
  has(key: K): boolean;
  get(key: K): V | undefined;
  keys(): Iterable<K>;
  values(): Iterable<V>;
}

/** Entries in the order of their adding. */
export class FewMap<K extends string, V> implements ReadonlyFewMap<K, V> {
  /** The only entry, until there is a second one. */
  #key: K | undefined;
  #value: V | undefined;
  /** All entries from then on. */
  #all: Map<K, V> | undefined;

  constructor(entries: Iterable<readonly [K, V]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#all?.size ?? (this.#key === undefined ? 0 : 1);
  }

  has(key: K): boolean {
    return this.#all?.has(key) ?? this.#key === key;
  }

  get(key: K): V | undefined {
    if (this.#all) return this.#all.get(key);
    return this.#key === key ? this.#value : undefined;
  }

  set(key: K, value: V): void {
    if (this.#all) this.#all.set(key, value);
    else if (this.#key === undefined || this.#key === key) this.#keep(key, value);
    else {
      this.#all = new Map([...this, [key, value]]);
      this.#keep(undefined, undefined);
    }
  }

  /** Returns whether it was there. */
  delete(key: K): boolean {
    if (this.#all) return this.#all.delete(key);
    if (this.#key !== key) return false;
    this.#keep(undefined, undefined);
    return true;
  }

  keys(): Iterable<K> {
    return this.#all?.keys() ?? Array.from(this, ([key]) => key);
  }

  values(): Iterable<V> {
    return this.#all?.values() ?? Array.from(this, ([_, value]) => value);
  }

  [Symbol.iterator](): Iterator<[K, V]> {
    if (this.#all) return this.#all[Symbol.iterator]();
    const only: [K, V][] = this.#key === undefined ? [] : [[this.#key, this.#value!]];
    return only[Symbol.iterator]();
  }

  #keep(key: K | undefined, value: V | undefined): void {
    this.#key = key;
    this.#value = value;
  }
}
