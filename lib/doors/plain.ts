/**
 * The plain door: text in is published to the session's first channel, publications come out as they are.
 *
 * @module
 */
import type { Door } from "../door.ts";
import { GongError } from "../errors.ts";

/** `GET /push`. */
export const plain: Door = {
  name: "plain",
  codec: { name: "plain", encode: ({ data }) => data },

  opened() {},

  received(session, data) {
    if (typeof data !== "string") throw new GongError("unsupported_type", "Only text frames are accepted.");
    session.count();
    const [channel] = session.named;
    session.post({ channel: channel!, data, contentType: "text/plain" });
  },

  subscribed(session, _channel, _position, recovered) {
    if (!recovered) session.close("lost");
  },

  refused(session, error) {
    session.refuse(error);
  },

  // There is no word for it on this wire: better no session than a part, unnoticed.
  lost(session) {
    session.close("lost");
  },

  signal(session, { data }) {
    session.write(data);
  },

  // There is no word for it either.
  unsubscribed(session, channel) {
    session.close("forbidden", `Listening to ${channel} is not allowed any more.`);
  },
};
