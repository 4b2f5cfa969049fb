/**
 * What tells a file that went back in time from one that did not: a mark that each opening makes anew, in the file and in
 * another one beside it, and there how far the file has come since. A copy of before that is put in the place of the file
 * has an older mark, or has not come so far.
 *
 * @module
 */

/** What stands beside the file. */
export interface Witness {
  readonly mark: string;
  /** The file has come at least so far. */
  readonly progress: number;
}

/** The name of the file beside it. */
export function witnessOf(path: string): string {
  return `${path}-run`;
}

/** A mark that no other opening has. */
export function newMark(): string {
  return crypto.randomUUID();
}

/** What stands beside the file, if there is something. */
export function readWitness(path: string): Witness | undefined {
  try {
    const [mark = "", progress = "0"] = Deno.readTextFileSync(witnessOf(path)).trim().split(" ");
    return { mark, progress: Number(progress) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Puts it beside the file, whole or not at all; with `isDurable` the end of the machine leaves it whole too. */
export function writeWitness(path: string, { mark, progress }: Witness, isDurable: boolean): void {
  const draft = `${witnessOf(path)}-${mark}`;
  try {
    Deno.writeTextFileSync(draft, `${mark} ${progress}\n`, { mode: 0o600 });
    if (isDurable) sync(draft);
    Deno.renameSync(draft, witnessOf(path));
  } catch (error) {
    tryRemove(draft);
    throw error;
  }
}

function sync(path: string): void {
  using file = Deno.openSync(path, { write: true });
  file.syncDataSync();
}

function tryRemove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was not even made.
  }
}
