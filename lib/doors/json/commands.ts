/**
 * What a client of the JSON door may say.
 *
 * @module
 */
import { encodeAsked, encodeSignal } from "../../codecs/line.ts";
import { encodePresencePage } from "../../codecs/presence.ts";
import type { DoorSession, SignalTarget } from "../../door.ts";
import { CONTENT_FIELDS, MESSAGE_FIELDS, readContent, readMessage } from "../../draft.ts";
import type { Fields } from "../../json.ts";
import type { Answer } from "./answer.ts";
import { readChannel, readCount, readSeconds, readStart, readTarget, readText, TARGET_FIELDS } from "./read.ts";

/** Who hears a channel, on one page. */
const MAX_PRESENT = 500;
const MAX_AFTER = 256;
/** So many of them count as one message more. */
const ENTRIES = 10;
/** Seconds that a question may wait. */
const MIN_WAIT = 0.1;
const MAX_WAIT = 60;
const MAX_REPLY = 128;
/** Seconds from one time to the next. */
const MAX_PERIOD = 3600;

/** Does one command, whose fields have not been looked at, and answers it; what it throws is answered too. */
export type Command = (session: DoorSession, fields: Fields, answer: Answer) => void;

/** By their names. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  publish(session, fields, answer) {
    fields.only(["channel", ...MESSAGE_FIELDS]);
    const draft = { channel: readChannel(fields), ...readMessage(fields, session.maxMessage) };
    if (answer.id === undefined) return session.post(draft);
    answer.later(session.publish(draft));
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

  authenticate(session, fields, answer) {
    fields.only(["token"]);
    const token = fields.string("token");
    if (token === undefined) throw fields.error("token", "`token` is missing.");
    answer.later(session.authenticate(token));
  },

  ping(_session, fields, answer) {
    fields.only([]);
    answer.ok({ time: Date.now() });
  },

  presence(session, fields, answer) {
    fields.only(["channel", "limit", "after"]);
    const after = readText(fields, "after", MAX_AFTER);
    const page = { limit: readCount(fields, "limit", MAX_PRESENT) ?? 100, ...(after === undefined ? {} : { after }) };
    // A long list costs what some messages do.
    session.count(Math.floor(page.limit / ENTRIES));
    const found = session.presence(readChannel(fields), page);
    answer.later(found, (value) => encodePresencePage(value));
  },

  send(session, fields, answer) {
    fields.only([...TARGET_FIELDS, ...CONTENT_FIELDS]);
    const target = countTarget(session, readTarget(fields));
    answer.later(session.send(target, readContent(fields, session.maxMessage)));
  },

  ask(session, fields, answer) {
    fields.only([...TARGET_FIELDS, ...CONTENT_FIELDS, "timeout"]);
    const seconds = readSeconds(fields, "timeout", MIN_WAIT, MAX_WAIT) ?? 10;
    const target = countTarget(session, readTarget(fields));
    answer.later(session.ask(target, readContent(fields, session.maxMessage), seconds), encodeAsked);
  },

  answer(session, fields, answer) {
    fields.only(["reply", ...CONTENT_FIELDS]);
    const reply = readText(fields, "reply", MAX_REPLY);
    if (reply === undefined) throw fields.error("reply", "`reply` is missing.");
    answer.later(session.answer(reply, readContent(fields, session.maxMessage)).then(() => ({})));
  },

  every(session, fields, answer) {
    const seconds = readSeconds(fields, "seconds", 1, MAX_PERIOD) ?? 10;
    const action = fields.has("channel") ? readPublishing(session, fields) : readReminder(session, fields);
    answer.ok({ seconds });
    session.every(seconds, action);
  },

  stop(session, fields, answer) {
    fields.only([]);
    answer.ok({ stopped: session.stop() });
  },
};

/** Each copy is a message in; the line has been counted as one. @throws {GongError} `rate_limited` */
function countTarget(session: DoorSession, target: SignalTarget): SignalTarget {
  const { length } = "users" in target ? target.users : target.sessions;
  if (length > 1) session.count(length - 1);
  return target;
}

/** Each time is a publication of its own, so that none has an id. */
function readPublishing(session: DoorSession, fields: Fields): () => unknown {
  fields.only(["seconds", "channel", ...MESSAGE_FIELDS.filter((name) => name !== "id")]);
  const draft = { channel: readChannel(fields), ...readMessage(fields, session.maxMessage) };
  return () => session.publish(draft);
}

function readReminder(session: DoorSession, fields: Fields): () => unknown {
  fields.only(["seconds", ...CONTENT_FIELDS]);
  const { data, contentType } = readContent(fields, session.maxMessage);
  return () => {
    const { id: from, user } = session;
    session.write(encodeSignal({ data, contentType, from, ...(user === undefined ? {} : { user }) }));
  };
}
