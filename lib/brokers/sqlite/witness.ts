/**
 * What tells a file that went back in time from one that did not: a mark that each opening makes anew, in the file and in
 * another one beside it. A copy of before that is put in the place of the file has an older mark.
 *
 * @module
 */

/** The name of the file beside it. */
export function witnessOf(path: string): string {
  return `${path}-run`;
}

/** A mark that no other opening has. */
export function newMark(): string {
  return crypto.randomUUID();
}

/** The mark beside the file, if there is one. */
export function readMark(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(witnessOf(path)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Puts the mark beside the file, whole or not at all. */
export function writeMark(path: string, mark: string): void {
  const draft = `${witnessOf(path)}-${mark}`;
  Deno.writeTextFileSync(draft, `${mark}\n`, { mode: 0o600 });
  Deno.renameSync(draft, witnessOf(path));
}
