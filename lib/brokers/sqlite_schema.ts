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
];
