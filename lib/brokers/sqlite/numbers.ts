/**
 * How far the file has come, and in which numberings.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";

/** New numberings for all channels and queues. */
export function renewEpochs(db: DatabaseSync, newEpoch: () => string): void {
  for (const table of ["channels", "queues"]) {
    const update = db.prepare(`UPDATE ${table} SET epoch = ? WHERE number = ?`);
    for (const { number } of db.prepare(`SELECT number FROM ${table}`).all()) update.run(newEpoch(), number!);
  }
}

/** Whatever is committed of channels is a use of each, with a number of its own, and of queues it is one of all. */
export function lastUse(db: DatabaseSync): number {
  const found = db.prepare(
    "SELECT max((SELECT ifnull(max(used), 0) FROM channels), (SELECT ifnull(max(used), 0) FROM progress)) AS used",
  );
  return Number(found.get()!.used);
}
