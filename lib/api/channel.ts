/**
 * The channel that a request is about.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../globs.ts";
import type { Call } from "./call.ts";

/** @throws {GongError} `bad_request`; `unauthorized` or `forbidden` when it may not be heard */
export function readHeard({ options, grant }: Call, channel: string | undefined): string {
  if (channel === undefined || !isChannelName(channel)) {
    throw new GongError("bad_request", `\`channel\` has to be ${CHANNEL_GRAMMAR}.`, { field: "channel" });
  }
  if (options.auth.may(grant, "subscribe", channel)) return channel;
  if (grant === undefined) throw new GongError("unauthorized", `Listening to ${channel} needs a key or a token.`);
  throw new GongError("forbidden", `Listening to ${channel} is not allowed.`);
}
