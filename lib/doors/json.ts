/**
 * The JSON door: lines of JSON both ways, several of them in a frame.
 *
 * @module
 */
import { encodeLine, encodeSignal } from "../codecs/line.ts";
import type { Door, DoorSession } from "../door.ts";
import { GongError } from "../errors.ts";
import { Fields, parseJson } from "../json.ts";
import { Answer, writeLine } from "./json/answer.ts";
import { COMMANDS } from "./json/commands.ts";
import { close, subscribed, unsubscribed, welcome } from "./lines.ts";

const MAX_ID = 64;
const NAMES = Object.keys(COMMANDS);

/** `GET /push?format=json`. */
export const json: Door = {
  name: "json",
  codec: { name: "json", separator: "\n", encode: encodeLine },

  opened(session) {
    writeLine(session, welcome(session));
  },

  received(session, data) {
    if (typeof data !== "string") throw new GongError("unsupported_type", "Only text frames are accepted.");
    for (const line of data.split("\n")) {
      if (session.hasLeft) return;
      if (line.trim() !== "") receiveLine(session, line);
    }
  },

  subscribed(session, channel, position, recovered) {
    writeLine(session, subscribed(channel, position, recovered));
  },

  refused(session, error) {
    new Answer(session).refused(error);
  },

  lost(session, channel, position) {
    writeLine(session, subscribed(channel, position, false));
  },

  signal(session, signal) {
    session.write(encodeSignal(signal));
  },

  unsubscribed(session, channel) {
    writeLine(session, unsubscribed(channel));
  },

  /** The wire's own end has a code and a reason, but no room for when to come back. */
  farewell: (ending) => ending.retryAfter === undefined ? undefined : JSON.stringify(close(ending)),
};

/** What is not JSON closes the session; a command that is refused is answered. */
function receiveLine(session: DoorSession, line: string): void {
  session.count();
  const fields = new Fields(parseJson(line));
  const id = fields.get("id");
  const answer = new Answer(session, id);
  try {
    checkId(fields, id);
    fields.only(["id", ...NAMES]);
    const names = fields.names().filter((name) => name !== "id");
    const [name] = names;
    if (name === undefined || names.length > 1) {
      throw new GongError("bad_request", `A line has one command: ${NAMES.join(", ")}.`);
    }
    COMMANDS[name]!(session, fields.object(name)!, answer);
  } catch (error) {
    answer.refused(GongError.from(error));
  }
}

function checkId(fields: Fields, id: unknown): void {
  if (id === undefined || typeof id === "number") return;
  if (typeof id === "string" && id.length <= MAX_ID) return;
  throw fields.error("id", `\`id\` has to be a number or a string of at most ${MAX_ID} characters.`);
}
