/**
 * Those who wait until a session has room.
 *
 * @module
 */

/** Somebody who waits until frames of these sizes may be queued. */
interface Waiting {
  readonly sizes: readonly number[];
  readonly resolve: () => void;
}

/** They go on first come, first served. */
export class RoomQueue {
  readonly #waiting: Waiting[] = [];

  /** Resolves when there is room for frames of these sizes, in bytes. */
  wait(sizes: readonly number[]): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ sizes, resolve }));
  }

  /** Lets those go on for whom there is room. Returns whether nobody waits any more. */
  letIn(takes: (sizes: readonly number[]) => boolean): boolean {
    while (this.#waiting.length > 0) {
      if (!takes(this.#waiting[0]!.sizes)) return false;
      this.#waiting.shift()!.resolve();
    }
    return true;
  }
}
