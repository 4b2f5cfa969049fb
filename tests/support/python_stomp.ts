/**
 * stomp.py, the client of Debian's `python3-stomp`.
 *
 * @module
 */
import { Python } from "./python.ts";

const python = new Python("stomp_client.py", ["stomp"]);

/** Runs the script, and gives what it printed. @throws with what it said, when it failed */
export async function runPython(args: readonly string[]): Promise<Record<string, unknown>[]> {
  await using script = python.start(args);
  return await script.rest();
}

/** A test that needs stomp.py. */
export function pythonTest(name: string, run: () => Promise<void>): void {
  python.test(name, run);
}
