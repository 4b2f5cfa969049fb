import type { DatabaseSync } from "node:sqlite";

/** Statements that make of each version of the file the next; the first make version 1 of an empty one. */
export const SCHEMA: readonly string[] = [
  `
  CREATE TABLE channels (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    offset INTEGER NOT NULL,
    first INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    id_bytes INTEGER NOT NULL,
    -- Those used last have the highest.
    used INTEGER NOT NULL
  ) STRICT;
  -- In the order of their coming: rows are added at one end and go at the other, so that pages are full or free.
  CREATE TABLE publications (
    number INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    time INTEGER NOT NULL,
    type TEXT NOT NULL,
    data ANY NOT NULL,
    id TEXT,
    -- JSON of everything that most publications have not.
    details TEXT,
    expires INTEGER,
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX log ON publications (channel, offset);
  CREATE INDEX expiring ON publications (expires) WHERE expires IS NOT NULL;
  CREATE TABLE ids (
    number INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL,
    publisher TEXT NOT NULL,
    id TEXT NOT NULL,
    offset INTEGER NOT NULL,
    digest TEXT NOT NULL,
    time INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX known ON ids (channel, publisher, id);
  `,
  `
  CREATE TABLE records (
    key TEXT PRIMARY KEY,
    -- A text as its UTF-8: of one with NUL in it, SQLite would give back what is before it.
    value BLOB NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE queues (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    offset INTEGER NOT NULL,
    -- Messages that it has.
    count INTEGER NOT NULL
  ) STRICT;
  -- Like publications. What is counted stands in front of the data: it is read without that.
  CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    expires INTEGER,
    time INTEGER NOT NULL,
    type TEXT NOT NULL,
    data ANY NOT NULL,
    id TEXT,
    details TEXT
  ) STRICT;
  CREATE UNIQUE INDEX waiting ON messages (queue, offset);
  -- The last change of queues: they are gone when they have no messages, so that they cannot tell.
  CREATE TABLE progress (used INTEGER NOT NULL) STRICT;
  INSERT INTO progress VALUES (0);
  `,
];

/** A channel or a queue of which something is missing: without it, nothing of it could be counted or read. */
export function findFault(db: DatabaseSync): string | undefined {
  return findChannelFault(db) ?? findQueueFault(db);
}

function findChannelFault(db: DatabaseSync): string | undefined {
  const found = db.prepare(`
    SELECT name FROM channels WHERE offset - first + 1 <> (
      SELECT count(*) FROM publications
      WHERE channel = channels.number AND publications.offset BETWEEN channels.first AND channels.offset
    ) LIMIT 1`).get();
  return found && `publications of ${found.name} are missing`;
}

function findQueueFault(db: DatabaseSync): string | undefined {
  const found = db.prepare(`
    SELECT name FROM queues WHERE count <> (
      SELECT count(*) FROM messages WHERE queue = queues.number AND messages.offset BETWEEN 1 AND queues.offset
    ) LIMIT 1`).get();
  return found && `messages of the queue ${found.name} are missing`;
}
