/**
 * The real outside world of a command.
 *
 * @module
 */

import type { Io } from "./command.ts";

/** Standard input, output and error, and the environment, of this process. */
export function openIo(): Io {
  return {
    get stdin() {
      return Deno.stdin.readable;
    },
    stdout: (text) => writeAll(Deno.stdout, text),
    stderr(text) {
      try {
        writeAll(Deno.stderr, text);
      } catch {
        // Nobody reads standard error any more; that is no reason to fail.
      }
    },
    terminal: Deno.stderr.isTerminal(),
    interactive: Deno.stdin.isTerminal(),
    env: { get: (name) => Deno.env.get(name), toObject: () => Deno.env.toObject() },
  };
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  let written = 0;
  while (written < bytes.length) written += stream.writeSync(bytes.subarray(written));
}
