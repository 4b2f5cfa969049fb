/**
 * stomp.py, the client of Debian's `python3-stomp`.
 *
 * @module
 */

const SCRIPT = new URL("./stomp_client.py", import.meta.url).pathname;
const NAMES = [Deno.env.get("PYTHON") ?? "", "/usr/bin/python3", "python3"];

/** The Python that has it, if there is one on this machine. `PYTHON` names another. */
function findPython(): string | undefined {
  return NAMES.filter((name) => name !== "").find((name) => {
    try {
      const command = new Deno.Command(name, { args: ["-c", "import stomp"], stdout: "null", stderr: "null" });
      return command.outputSync().success;
    } catch {
      return false;
    }
  });
}

const python = findPython();

/** Runs the script, and gives what it printed: a JSON value a line. @throws with what it said, when it failed */
export async function runPython(args: readonly string[]): Promise<Record<string, unknown>[]> {
  if (python === undefined) throw new Error("no stomp.py here: install python3-stomp");
  const command = new Deno.Command(python, { args: [SCRIPT, ...args], stdout: "piped", stderr: "piped" });
  const { code, stdout, stderr } = await command.output();
  const printed = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`stomp.py ended with ${code}:\n${printed}${new TextDecoder().decode(stderr)}`);
  return printed.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** A test that needs stomp.py. Where there is none it is skipped, but not in CI, where that is a failure. */
export function pythonTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name, ignore: python === undefined && Deno.env.get("CI") === undefined, fn: run });
}
