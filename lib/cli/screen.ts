import type { Io } from "./command.ts";

/** What a command says. On a terminal the prompt gives way to it, and comes back after it. */
export class Screen {
  readonly #io: Io;
  readonly #live: boolean;
  #prompted = false;

  constructor(io: Io) {
    this.#io = io;
    this.#live = io.interactive && io.terminal;
  }

  /** A line of standard output. @throws when nobody reads it any more */
  message(line: string): void {
    this.#clear();
    this.#io.stdout(`${line}\n`);
    this.#restore();
  }

  /** A line of standard error. */
  notice(line: string): void {
    this.#clear();
    this.#io.stderr(`${line}\n`);
    this.#restore();
  }

  /** Asks for a line. What is typed belongs to the terminal: it stays when the prompt is shown again, but unseen. */
  prompt(): void {
    this.#prompted = true;
    this.#restore();
  }

  /** The line that was asked for has come, and with its end the cursor is on a new one. */
  answered(): void {
    this.#prompted = false;
  }

  /** No line will come any more. */
  end(): void {
    if (this.#live && this.#prompted) this.#io.stderr("\n");
    this.#prompted = false;
  }

  #clear(): void {
    if (this.#live && this.#prompted) this.#io.stderr("\r\x1b[K");
  }

  #restore(): void {
    if (this.#live && this.#prompted) this.#io.stderr("> ");
  }
}
