/**
 * Files in which brokers keep channels, without what it takes to open them.
 *
 * @module
 */

/** The files of the broker that a setting names, as far as they are there, with their sizes. */
export function brokerFiles(broker: string): { path: string; bytes: number }[] {
  return broker.startsWith("sqlite:") ? listFiles(broker.slice("sqlite:".length)) : [];
}

/** A file of SQLite, what that keeps beside it, and what we do. */
export function listFiles(name: string): { path: string; bytes: number }[] {
  const path = followLink(name);
  return [path, `${path}-wal`, `${path}-shm`, `${path}-run`].flatMap((path) => {
    const bytes = sizeOfFile(path);
    return bytes === undefined ? [] : [{ path, bytes }];
  });
}

/** What a link leads to, if it is one and that is there: beside it SQLite keeps the rest. Any other path is as it was. */
export function followLink(path: string): string {
  try {
    return Deno.lstatSync(path).isSymlink ? Deno.realPathSync(path) : path;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path;
    throw error;
  }
}

export function sizeOfFile(path: string): number | undefined {
  return statFile(path)?.size;
}

/** What there is to know of a file, if it is there. */
export function statFile(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
