/**
 * Python, with clients that Debian has packages of.
 *
 * @module
 */

const NAMES = [Deno.env.get("PYTHON") ?? "", "/usr/bin/python3", "python3"];

/** A running script. */
export interface Script extends AsyncDisposable {
  /** The next line that it prints, a JSON value. @throws with what it said, when it ends first */
  next(): Promise<Record<string, unknown>>;
  /** Waits for its end, and gives the lines that are left. @throws with what it said, when it failed */
  rest(): Promise<Record<string, unknown>[]>;
}

/** A Python that can import all of `modules`, if there is one on this machine. `PYTHON` names another. */
export class Python {
  readonly #command: string | undefined;
  readonly #modules: readonly string[];
  readonly #script: string;

  /** @param script its path, below `tests/support/` */
  constructor(script: string, modules: readonly string[]) {
    this.#script = new URL(script, import.meta.url).pathname;
    this.#modules = modules;
    this.#command = NAMES.filter((name) => name !== "").find((name) => canImport(name, modules));
  }

  /** A test that needs it. Where it is not there it is skipped, but not in CI, where that is a failure. */
  test(name: string, run: () => Promise<void>): void {
    Deno.test({ name, ignore: this.#command === undefined && Deno.env.get("CI") === undefined, fn: run });
  }

  /** Starts the script. */
  start(args: readonly string[]): Script {
    if (this.#command === undefined) throw new Error(`no Python here that has ${this.#modules.join(", ")}`);
    const child = new Deno.Command(this.#command, {
      args: [this.#script, ...args],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(lineByLine()).getReader();
    const said = new Response(child.stderr).text();
    let isOver = false;

    async function read(): Promise<Record<string, unknown> | undefined> {
      const { value } = await lines.read();
      if (value !== undefined) return JSON.parse(value);
      isOver = true;
      const { code } = await child.status;
      if (code !== 0) throw new Error(`the script ended with ${code}:\n${await said}`);
      return undefined;
    }
    return {
      async next() {
        const line = await read();
        if (line === undefined) throw new Error(`the script has nothing more to say:\n${await said}`);
        return line;
      },
      async rest() {
        const rest: Record<string, unknown>[] = [];
        for (let line = await read(); line !== undefined; line = await read()) rest.push(line);
        return rest;
      },
      async [Symbol.asyncDispose]() {
        if (!isOver) child.kill("SIGKILL");
        await lines.cancel();
        await Promise.all([child.status, said]);
      },
    };
  }
}

function canImport(name: string, modules: readonly string[]): boolean {
  try {
    const args = ["-c", modules.map((module) => `import ${module}`).join("\n")];
    return new Deno.Command(name, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

function lineByLine(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) controller.enqueue(line);
    },
  });
}
