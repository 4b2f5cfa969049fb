import type { Io } from "../../lib/cli/command.ts";
import type { Signals } from "../../lib/cli/signals.ts";

/** What a {@linkcode World} starts with. */
export interface WorldOptions {
  /** Written to standard input, which then ends. Without it `type()` and `end()` do. */
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Both ends are a terminal. Default false. */
  terminal?: boolean;
}

/** The outside of a command: what it reads is given, what it writes is kept, and a person may press Ctrl-C. */
export class World {
  readonly io: Io;
  readonly signals: Signals;
  /** Everything written, in order, each piece with where it went. */
  readonly written: { to: "stdout" | "stderr"; text: string }[] = [];
  /** Thrown by the next write to standard output. */
  broken: Error | undefined;
  readonly #watchers = new Set<() => void>();
  #keyboard!: ReadableStreamDefaultController<Uint8Array>;
  #handler: ((signal: string, code: number) => void) | undefined;

  constructor({ input, env = {}, terminal = false }: WorldOptions = {}) {
    const stdin = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#keyboard = controller) });
    if (input !== undefined) {
      this.type(input);
      this.end();
    }
    this.io = {
      stdin,
      stdout: (text) => {
        if (this.broken) throw this.broken;
        this.#write("stdout", text);
      },
      stderr: (text) => this.#write("stderr", text),
      terminal,
      interactive: terminal,
      env: { get: (name) => env[name], toObject: () => env },
    };
    this.signals = {
      listenReload: () => () => {},
      listen: (handler) => {
        this.#handler = handler;
        return () => this.#handler = undefined;
      },
    };
  }

  get stdout(): string {
    return this.#textOf("stdout");
  }

  get stderr(): string {
    return this.#textOf("stderr");
  }

  type(input: string | Uint8Array): void {
    this.#keyboard.enqueue(typeof input === "string" ? new TextEncoder().encode(input) : input);
  }

  end(): void {
    this.#keyboard.close();
  }

  /** Ctrl-C. */
  interrupt(): void {
    if (this.#handler === undefined) throw new Error("nobody listens for signals");
    this.#handler("SIGINT", 130);
  }

  /** Whether somebody listens for signals. */
  get listening(): boolean {
    return this.#handler !== undefined;
  }

  /** Resolves once `text` was written, to either output. */
  async see(text: string): Promise<void> {
    while (!this.written.some((piece) => piece.text.includes(text))) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      await promise;
    }
  }

  #textOf(output: "stdout" | "stderr"): string {
    return this.written.filter(({ to }) => to === output).map(({ text }) => text).join("");
  }

  #write(to: "stdout" | "stderr", text: string): void {
    this.written.push({ to, text });
    for (const resolve of this.#watchers) resolve();
    this.#watchers.clear();
  }
}
