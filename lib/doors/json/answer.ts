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
    this.okText(JSON.stringify(value));
  }

  /** @param json the value as text */
  okText(json: string): void {
    if (this.id !== undefined) this.session.write(`{"id":${JSON.stringify(this.id)},"ok":${json}}`);
  }

  refused({ code, message, retryAfter }: GongError): void {
    if (this.session.hasLeft) return;
    this.session.countRefusal(code);
    writeLine(this.session, { id: this.id, error: { code, message, retryAfter } });
  }

  /** Answers as soon as it is known what comes of it. */
  later<T extends object>(outcome: Promise<T>, encode: (value: T) => string = JSON.stringify): void {
    outcome.then((value) => this.okText(encode(value)), (error) => this.refused(GongError.from(error)));
  }
}

/** Writes an object as one line. */
export function writeLine(session: DoorSession, line: object): void {
  session.write(JSON.stringify(line));
}
