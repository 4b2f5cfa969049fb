/**
 * The last publications as the admin page shows them.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import type { Glimpse, Publication } from "../types.ts";

/** Publications remembered, and characters shown of each. */
const MOST = 50;
const PREVIEW = 200;

/** The last publications. */
export class Recent {
  #glimpses: Glimpse[] = [];

  add(publications: readonly Publication[]): void {
    for (const publication of publications.slice(-MOST)) this.#glimpses.push(glimpse(publication));
    // Twice as many are let in, so that not each publication moves all the others.
    if (this.#glimpses.length > 2 * MOST) this.#glimpses = this.#glimpses.slice(-MOST);
  }

  /** Newest first. */
  list(): Glimpse[] {
    return this.#glimpses.slice(-MOST).reverse();
  }
}

function glimpse({ channel, offset, time, contentType, data }: Publication): Glimpse {
  return { channel, offset, time, contentType, bytes: byteLength(data), preview: previewOf(data) };
}

function previewOf(data: Publication["data"]): string {
  if (typeof data !== "string") return "";
  // A slice would keep the whole text alive.
  return data.length <= PREVIEW ? data : JSON.parse(JSON.stringify(data.slice(0, PREVIEW)));
}
