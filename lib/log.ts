/**
 * The log: named events with fields, on standard error, one write an event. LogTape stands behind it; nothing else in
 * the project knows that.
 *
 * @module
 */

import { configure, getLogger, type LogRecord } from "@logtape/logtape";
import { formatJson, formatPretty, type Level, type LogEvent } from "./log/format.ts";

/** What belongs to an event. Names such as `key`, `token`, `cookie`, `data` are hidden unless the event is `debug`. */
export type Fields = Record<string, unknown>;

/** Writes events of one part of the server. */
export interface Logger {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warning(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** A logger that adds these fields to each of its events. */
  with(fields: Fields): Logger;
}

/** How the log is written. */
export interface LogOptions {
  /** Events below it are dropped. */
  readonly level: Level;
  /** `auto`: pretty on a terminal, JSON lines otherwise. */
  readonly format: "auto" | "pretty" | "json";
  /** Whether standard error is a terminal. Default: found out. */
  readonly terminal?: boolean;
  /** Where a line goes. Default: one write to standard error. */
  readonly write?: (line: string) => void;
}

const ROOT = "gong";

/**
 * Sets up the log of this isolate; every worker calls it for itself. Before the first call events are dropped; a later
 * call replaces the earlier.
 */
export async function configureLog(options: LogOptions): Promise<void> {
  const { level, format, terminal = Deno.stderr.isTerminal(), write = writeError } = options;
  const pretty = format === "pretty" || (format === "auto" && terminal);
  const colors = terminal && !Deno.noColor;
  await configure({
    reset: true,
    sinks: {
      out: (record) => write(pretty ? formatPretty(toEvent(record), { colors }) : formatJson(toEvent(record))),
    },
    loggers: [
      { category: ROOT, lowestLevel: level, sinks: ["out"] },
      // LogTape's word about itself: at lower levels only that it was configured.
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["out"] },
    ],
  });
}

/** A logger of the part of that name: `hub`, `edge`, `api` ... */
export function createLogger(part: string): Logger {
  return new PartLogger(part, {});
}

class PartLogger implements Logger {
  readonly #part: string;
  readonly #fields: Fields;
  readonly #inner: ReturnType<typeof getLogger>;

  constructor(part: string, fields: Fields) {
    this.#part = part;
    this.#fields = fields;
    this.#inner = getLogger([ROOT, part]);
  }

  debug(event: string, fields?: Fields): void {
    this.#emit("debug", event, fields);
  }

  info(event: string, fields?: Fields): void {
    this.#emit("info", event, fields);
  }

  warning(event: string, fields?: Fields): void {
    this.#emit("warning", event, fields);
  }

  error(event: string, fields?: Fields): void {
    this.#emit("error", event, fields);
  }

  with(fields: Fields): Logger {
    return new PartLogger(this.#part, { ...this.#fields, ...fields });
  }

  // emit() and not info(event): that would read `{...}` in an event's name as a placeholder.
  #emit(level: Level, event: string, fields?: Fields): void {
    if (!this.#inner.isEnabledFor(level)) return;
    const properties = { ...this.#fields, ...fields };
    this.#inner.emit({ level, message: [event], rawMessage: event, timestamp: Date.now(), properties });
  }
}

function toEvent(record: LogRecord): LogEvent {
  const level = record.level === "trace" ? "debug" : record.level === "fatal" ? "error" : record.level;
  return {
    time: record.timestamp,
    level,
    part: record.category.slice(1).join("."),
    event: typeof record.rawMessage === "string" ? record.rawMessage : record.message.join(""),
    fields: record.properties,
  };
}

// Synchronous, so that the last line before an exit is written, and whole lines of several isolates do not mix.
function writeError(line: string): void {
  const bytes = new TextEncoder().encode(line);
  try {
    let written = 0;
    while (written < bytes.length) written += Deno.stderr.writeSync(bytes.subarray(written));
  } catch {
    // Nobody reads standard error any more. That must not end the server.
  }
}
