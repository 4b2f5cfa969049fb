/**
 * What becomes due, in the order of the times.
 *
 * @module
 */

/** Entries up to which nothing is cleared out. */
const FEW = 1024;

/** A binary heap of items by the time at which they are due. Those that are nobody's any more are cleared out now and then. */
export class Deadlines<T> {
  readonly #isWanted: (item: T) => boolean;
  #heap: { readonly due: number; readonly item: T }[] = [];
  #most = FEW;

  /** @param isWanted false for an item that need not become due any more */
  constructor(isWanted: (item: T) => boolean) {
    this.#isWanted = isWanted;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** When the next is due, if there is one. */
  get next(): number | undefined {
    return this.#heap[0]?.due;
  }

  add(due: number, item: T): void {
    if (this.#heap.length >= this.#most) this.#clear();
    const heap = this.#heap;
    let at = heap.push({ due, item }) - 1;
    for (let above; at > 0 && heap[above = (at - 1) >> 1]!.due > due; at = above) this.#swap(at, above);
  }

  /** Takes out the next that is due, if one is. */
  take(now: number): T | undefined {
    const heap = this.#heap;
    const [first] = heap;
    if (first === undefined || first.due > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first.item;
  }

  #sink(): void {
    const heap = this.#heap;
    for (let at = 0;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && heap[child]!.due < heap[least]!.due) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(one: number, other: number): void {
    const heap = this.#heap;
    [heap[one], heap[other]] = [heap[other]!, heap[one]!];
  }

  /** Sorted it is a heap too. It is done again when there are twice as many, so that each addition pays for itself. */
  #clear(): void {
    this.#heap = this.#heap.filter(({ item }) => this.#isWanted(item)).sort((one, other) => one.due - other.due);
    this.#most = Math.max(FEW, 2 * this.#heap.length);
  }
}
