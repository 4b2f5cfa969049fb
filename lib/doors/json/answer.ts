/**
 * What one command is answered.
 *
 * @module
 */
import type { DoorSession } from "../../door.ts";
import { GongError } from "../../errors.ts";

/** Answers one command. Who gave it no `id` hears only of a refusal. */
export class Answer {
  constructor(readonly session: DoorSession, readonly id?: unknown) {}

  ok(value: object): void {
    if (this.id !== undefined) writeLine(this.session, { id: this.id, ok: value });
  }

  refused({ code, message, retryAfter }: GongError): void {
    writeLine(this.session, { id: this.id, error: { code, message, retryAfter } });
  }

  /** Answers with what comes of it, at the end. */
  later(outcome: Promise<object>): void {
    outcome.then((value) => this.ok(value), (error) => this.refused(GongError.from(error)));
  }
}

/** Writes an object as one line. */
export function writeLine(session: DoorSession, line: object): void {
  session.write(JSON.stringify(line));
}
