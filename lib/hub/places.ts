/**
 * On which edges sessions are. Most are where their ids were made; only of the others something is remembered.
 *
 * @module
 */
import { edgeOf } from "../methods.ts";

/** Where every session is. */
export class Places {
  readonly #elsewhere = new Map<string, number>();
  readonly #watches = new Set<Map<string, number>>();

  /** Sessions that are not where their ids were made. */
  get size(): number {
    return this.#elsewhere.size;
  }

  /** The edge that the session is on, if it is anywhere. */
  edgeOf(id: string): number {
    return this.#elsewhere.get(id) ?? edgeOf(id);
  }

  /** The session is on this edge from now on. */
  put(id: string, edge: number): void {
    if (edgeOf(id) === edge) this.#elsewhere.delete(id);
    else this.#elsewhere.set(id, edge);
    for (const moves of this.#watches) moves.set(id, edge);
  }

  /** The session is no more. */
  forget(id: string): void {
    this.#elsewhere.delete(id);
  }

  /** The edge is gone, and its sessions with it. */
  forgetEdge(gone: number): void {
    for (const [id, edge] of this.#elsewhere) if (edge === gone) this.#elsewhere.delete(id);
  }

  /** Tells what moves while something is done; `moves` may be cleared to see only what comes then. */
  async during<T>(act: (moves: Map<string, number>) => Promise<T>): Promise<T> {
    const moves = new Map<string, number>();
    this.#watches.add(moves);
    try {
      return await act(moves);
    } finally {
      this.#watches.delete(moves);
    }
  }
}
