/**
 * The event stream of Server-Sent Events, parsed by its grammar and nothing more lenient.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 * @module
 */

/** One event, as it is dispatched. */
export interface StreamEvent {
  /** The last id there was. */
  readonly id: string;
  /** Its name; `message` without one. */
  readonly event: string;
  readonly data: string;
}

/** What a stream holds, in its order. */
export type StreamPart =
  | ({ readonly kind: "event" } & StreamEvent)
  /** An `id:` in a block without data: no event, but it counts. */
  | { readonly kind: "id"; readonly id: string }
  | { readonly kind: "retry"; readonly milliseconds: number }
  | { readonly kind: "comment"; readonly text: string };

/** The events of a whole stream; what is not ended by an empty line is no event. */
export function parseEvents(text: string): StreamEvent[] {
  const parts = [...new EventStreamParser().feed(text)];
  return parts.filter((part) => part.kind === "event").map(({ id, event, data }) => ({ id, event, data }));
}

/** Takes text in any pieces, gives what is complete. */
export class EventStreamParser {
  #rest = "";
  #isFirst = true;
  #id = "";
  #data: string[] = [];
  #type = "";
  #hasId = false;

  /** Whether nothing is left that would be lost if the stream ended here. */
  get isClean(): boolean {
    return this.#rest === "" && this.#data.length === 0 && this.#type === "" && !this.#hasId;
  }

  /** @throws {SyntaxError} for a line that the grammar allows but no server has a reason to send */
  *feed(text: string): Generator<StreamPart> {
    let input = this.#rest + text;
    if (this.#isFirst && input !== "") {
      this.#isFirst = false;
      // One leading byte order mark is no part of the stream.
      if (input.startsWith("\ufeff")) input = input.slice(1);
    }
    for (;;) {
      const end = /\r\n|\r(?!$)|\n/.exec(input);
      if (!end) break;
      const line = input.slice(0, end.index);
      input = input.slice(end.index + end[0].length);
      yield* this.#line(line);
    }
    this.#rest = input;
  }

  *#line(line: string): Generator<StreamPart> {
    if (line === "") return yield* this.#dispatch();
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line)!;
    switch (name) {
      case "":
        return yield { kind: "comment", text: value };
      case "data":
        return void this.#data.push(value);
      case "event":
        if (this.#type !== "") throw new SyntaxError(`two names of one event: ${line}`);
        return void (this.#type = value);
      case "id":
        if (value.includes("\0")) throw new SyntaxError("an id with NUL is ignored");
        this.#id = value;
        return void (this.#hasId = true);
      case "retry":
        if (!/^\d+$/.test(value)) throw new SyntaxError(`not a time: ${line}`);
        return yield { kind: "retry", milliseconds: Number(value) };
      default:
        throw new SyntaxError(`an unknown field is ignored: ${JSON.stringify(line.slice(0, 100))}`);
    }
  }

  *#dispatch(): Generator<StreamPart> {
    const [data, type, hasId, id] = [this.#data, this.#type, this.#hasId, this.#id];
    this.#data = [];
    this.#type = "";
    this.#hasId = false;
    if (data.length > 0) yield { kind: "event", event: type || "message", data: data.join("\n"), id };
    else if (type !== "") throw new SyntaxError(`an event without data is never seen: ${type}`);
    else if (hasId) yield { kind: "id", id };
  }
}
