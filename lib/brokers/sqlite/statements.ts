import type { DatabaseSync, StatementSync } from "node:sqlite";
import { COLUMNS } from "./rows.ts";

/** The types of Node.js lack the method. */
export function prepareArrays(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql) as StatementSync & { setReturnArrays(enabled: boolean): void };
  statement.setReturnArrays(true);
  return statement;
}

/** What is asked of the file again and again, but for ids. */
export function prepareStatements(db: DatabaseSync) {
  const page = "FROM publications WHERE channel = ? AND offset >= ? ORDER BY offset LIMIT ?";
  return {
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    rollback: db.prepare("ROLLBACK"),
    loadChannels: db.prepare("SELECT * FROM channels ORDER BY used"),
    saveChannel: db.prepare(`
      INSERT INTO channels (number, name, epoch, offset, first, bytes, id_bytes, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (number) DO UPDATE SET offset = excluded.offset, first = excluded.first, bytes = excluded.bytes,
        id_bytes = excluded.id_bytes, used = excluded.used`),
    forgetChannel: db.prepare("DELETE FROM channels WHERE number = ?"),
    insert: db.prepare(`
      INSERT INTO publications (channel, offset, time, type, data, id, details, expires, bytes)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    trim: db.prepare(`
      DELETE FROM publications WHERE channel = ? AND offset < (SELECT first FROM channels WHERE number = ?)`),
    owing: db.prepare(`
      SELECT number FROM channels WHERE EXISTS (
        SELECT 1 FROM publications WHERE channel = channels.number AND publications.offset < first)`),
    clear: db.prepare("DELETE FROM publications WHERE channel = ?"),
    page: prepareArrays(db, `SELECT ${COLUMNS} ${page}`),
    expired: db.prepare(`
      SELECT channel AS number, name, publications.offset, publications.bytes
      FROM publications JOIN channels ON channels.number = channel WHERE expires <= ? ORDER BY expires LIMIT ?`),
    blank: db.prepare(`
      UPDATE publications SET type = ?, data = ?, id = ?, details = ?, expires = NULL, bytes = ?
      WHERE channel = ? AND offset = ?`),
    firstExpiry: db.prepare("SELECT min(expires) AS expires FROM publications WHERE expires IS NOT NULL"),
  };
}
