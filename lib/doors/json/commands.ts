/**
 * What a client of the JSON door may say.
 *
 * @module
 */
import type { DoorSession } from "../../door.ts";
import { MESSAGE_FIELDS, readMessage } from "../../draft.ts";
import type { Fields } from "../../json.ts";
import type { Answer } from "./answer.ts";
import { readChannel, readStart } from "./read.ts";

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
};
