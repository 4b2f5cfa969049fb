/**
 * Programs of the machine that tests need.
 *
 * @module
 */

/** A test that needs a program. */
export function programTest(program: string, name: string, run: () => Promise<void>): void {
  Deno.test({ ...needsProgram(program), name, fn: run });
}

/** Where there is none, tests that need it are skipped, but not in CI, where that is a failure. */
export function needsProgram(program: string): { readonly ignore: boolean } {
  return { ignore: findProgram(program) === undefined && Deno.env.get("CI") === undefined };
}

/** Path of a program, those for the operator included. */
export function findProgram(program: string): string | undefined {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => `${folder}/${program}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
