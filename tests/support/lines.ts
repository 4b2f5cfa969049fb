/** Text that grows line by line, and whoever waits for a line of it. */
export class Lines {
  #text = "";
  #lines: string[] = [];
  #ended = false;
  #waiting = new Set<() => void>();

  /** Collects `stream` until it ends; never rejects. */
  async collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    try {
      for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
        this.#text += chunk;
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        this.#lines.push(...lines);
        this.#wake();
      }
    } catch {
      // The pipe broke: the child is gone, which its status tells.
    }
    if (rest !== "") this.#lines.push(rest);
    this.#ended = true;
    this.#wake();
  }

  /** Everything so far. */
  text(): string {
    return this.#text;
  }

  /**
   * The first line, already seen or still to come, that `matches`.
   *
   * @throws when the stream ends, or `within` milliseconds pass, without such a line
   */
  async find(matches: RegExp | ((line: string) => boolean), within = 20_000): Promise<string> {
    const test = typeof matches === "function" ? matches : (line: string) => matches.test(line);
    const deadline = Date.now() + within;
    for (let at = 0;;) {
      while (at < this.#lines.length) {
        const line = this.#lines[at++] ?? "";
        if (test(line)) return line;
      }
      if (this.#ended) throw new Error(`the output ended without ${matches}:\n${this.#text}`);
      if (Date.now() >= deadline) throw new Error(`no ${matches} within ${within} ms:\n${this.#text}`);
      await this.#change(deadline - Date.now());
    }
  }

  #change(within: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, within);
      const waiting = this.#waiting;
      function done() {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
