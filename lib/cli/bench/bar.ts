import type { LoadProgress } from "./load.ts";

const WIDTH = 30;
/** Back to the start of the line, and clear it (ECMA-48: EL). */
const RESTART = "\r\x1b[K";

/** One line that is drawn over and over: how far a load is. */
export class ProgressBar {
  readonly #write: (text: string) => void;
  #shown = "";

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  show({ phase, connected, published, delivered, share }: LoadProgress): void {
    const full = Math.round(Math.min(1, Math.max(0, share)) * WIDTH);
    const bar = "#".repeat(full) + "-".repeat(WIDTH - full);
    const figures = `${connected} connected, ${published} published, ${delivered} delivered`;
    const line = `[${bar}] ${phase}: ${figures}`;
    if (line === this.#shown) return;
    this.#shown = line;
    this.#write(RESTART + line);
  }

  /** Takes it off the screen. */
  clear(): void {
    if (this.#shown !== "") this.#write(RESTART);
    this.#shown = "";
  }
}
