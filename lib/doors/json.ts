/**
 * The JSON door: lines of JSON both ways, several of them in a frame.
 *
 * @module
 */
import { parsePosition } from "../codecs/cursor.ts";
import type { Door, DoorSession } from "../door.ts";
import { MESSAGE_FIELDS, readMessage } from "../draft.ts";
import { encodeLine, encodeSignal } from "../codecs/line.ts";
import { GongError } from "../errors.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../globs.ts";
import { Fields, parseJson } from "../json.ts";
import type { Start } from "../types.ts";
import { subscribed, unsubscribed, welcome } from "./lines.ts";
import { MAX_HISTORY } from "./query.ts";

const MAX_ID = 64;

/** Answers one command. Who gave it no `id` hears only of a refusal. */
class Answer {
  constructor(readonly session: DoorSession, readonly id?: unknown) {}

  ok(value: object): void {
    if (this.id !== undefined) write(this.session, { id: this.id, ok: value });
  }

  refused({ code, message, retryAfter }: GongError): void {
    write(this.session, { id: this.id, error: { code, message, retryAfter } });
  }
}

type Command = (session: DoorSession, fields: Fields, answer: Answer) => void;

const COMMANDS: Readonly<Record<string, Command>> = {
  publish(session, fields, answer) {
    fields.only(["channel", ...MESSAGE_FIELDS]);
    const draft = { channel: readChannel(fields), ...readMessage(fields, session.maxMessage) };
    if (answer.id === undefined) return session.post(draft);
    session.publish(draft).then((position) => answer.ok(position), (error) => answer.refused(GongError.from(error)));
  },

  subscribe(session, fields, answer) {
    fields.only(["channel", "since", "history"]);
    const channel = readChannel(fields);
    session.subscribe(channel, readStart(fields), {
      subscribed: (position, recovered) => answer.ok({ ...position, recovered }),
      refused: (error) => answer.refused(error),
    });
  },

  unsubscribe(session, fields, answer) {
    fields.only(["channel"]);
    session.unsubscribe(readChannel(fields));
    answer.ok({});
  },

  ping(_session, fields, answer) {
    fields.only([]);
    answer.ok({ time: Date.now() });
  },
};
const NAMES = Object.keys(COMMANDS);

/** `GET /push?format=json`. */
export const json: Door = {
  name: "json",
  codec: { name: "json", separator: "\n", encode: encodeLine },

  opened(session) {
    write(session, welcome(session));
  },

  received(session, data) {
    if (typeof data !== "string") throw new GongError("unsupported_type", "Only text frames are accepted.");
    for (const line of data.split("\n")) {
      if (session.hasLeft) return;
      if (line.trim() !== "") receiveLine(session, line);
    }
  },

  subscribed(session, channel, position, recovered) {
    write(session, subscribed(channel, position, recovered));
  },

  refused(session, error) {
    new Answer(session).refused(error);
  },

  lost(session, channel, position) {
    write(session, subscribed(channel, position, false));
  },

  signal(session, signal) {
    session.write(encodeSignal(signal));
  },

  unsubscribed(session, channel) {
    write(session, unsubscribed(channel));
  },
};

function write(session: DoorSession, line: object): void {
  session.write(JSON.stringify(line));
}

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

function readChannel(fields: Fields): string {
  const channel = fields.string("channel");
  if (channel !== undefined && isChannelName(channel)) return channel;
  throw fields.error("channel", `\`channel\` has to be ${CHANNEL_GRAMMAR}.`);
}

/** A position wins over a number of publications before the top. */
function readStart(fields: Fields): Start | undefined {
  const since = fields.string("since");
  const last = fields.get("history");
  if (last !== undefined && !(Number.isInteger(last) && last as number >= 0 && last as number <= MAX_HISTORY)) {
    throw fields.error("history", `\`history\` has to be a whole number from 0 to ${MAX_HISTORY}.`);
  }
  if (since === undefined) return last ? { last: last as number } : undefined;
  try {
    return parsePosition(since);
  } catch (error) {
    throw fields.error("since", `\`since\`: ${(error as Error).message}`);
  }
}
