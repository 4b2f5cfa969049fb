/**
 * Server-Sent Events as a client understands them.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 * @module
 */

/** One event, as it is dispatched. */
export interface StreamEvent {
  /** The last id there was. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Interprets a whole stream; what is not ended by an empty line is no event. */
export function parseEvents(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  let [id, event] = ["", ""];
  let data: string[] = [];
  for (const line of text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/)) {
    if (line === "") {
      if (data.length > 0) events.push({ id, event: event || "message", data: data.join("\n") });
      [event, data] = ["", []];
      continue;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    if (name === "event") event = value;
    if (name === "id" && !value.includes("\0")) id = value;
  }
  return events;
}
