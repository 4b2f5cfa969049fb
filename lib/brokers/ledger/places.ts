/**
 * Offsets that are taken out from the least on.
 *
 * @module
 */

/** A binary heap: whatever the order in which they come, each costs the logarithm of how many there are. */
export class Places {
  readonly #heap: number[] = [];

  /** The least, if there is one. */
  get first(): number | undefined {
    return this.#heap[0];
  }

  add(offset: number): void {
    const heap = this.#heap;
    let at = heap.push(offset) - 1;
    for (let above; at > 0 && heap[above = (at - 1) >> 1]! > offset; at = above) heap[at] = heap[above]!;
    heap[at] = offset;
  }

  /** Takes out the least. */
  take(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let child; (child = 2 * at + 1) < heap.length; at = child) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
    }
    heap[at] = last;
  }
}
