/**
 * Acknowledgements that a client owes.
 *
 * @module
 */

/** One that is owed, as it crosses isolates. */
export type Owed = readonly [number: number, namespace: string, answered: string];

/** What was asked, by the numbers of the packets. */
export class Asked {
  readonly #owed = new Map<number, Owed>();

  /** @param most so many are kept: the oldest is forgotten */
  add(owed: Owed, most: number): void {
    this.#owed.set(owed[0], owed);
    if (this.#owed.size > most) this.#owed.delete(this.#owed.keys().next().value!);
  }

  /** What was asked so, if it was there; once. */
  take(number: number, namespace: string): string | undefined {
    const owed = this.#owed.get(number);
    if (owed?.[1] !== namespace) return undefined;
    this.#owed.delete(number);
    return owed[2];
  }

  /** Nobody answers any more in this namespace. */
  forget(namespace: string): void {
    for (const [number, owed] of this.#owed) if (owed[1] === namespace) this.#owed.delete(number);
  }

  pack(): Owed[] {
    return [...this.#owed.values()];
  }
}
