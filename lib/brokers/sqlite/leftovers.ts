/** What stands behind the name of the file in those that are there for a moment, while it is checked or its mark is written. */
const PASSING = /^-(?:check|run)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-wal|-shm)?$/;

/** Removes what a process that was killed in such a moment left beside the file. For whoever has the file alone. */
export function removeLeftovers(path: string): void {
  const at = path.lastIndexOf("/") + 1;
  const name = path.slice(at);
  try {
    for (const { name: found } of Deno.readDirSync(path.slice(0, at))) {
      if (found.startsWith(name) && PASSING.test(found.slice(name.length))) Deno.removeSync(path.slice(0, at) + found);
    }
  } catch {
    // They are in nobody's way.
  }
}
