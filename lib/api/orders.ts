/**
 * What the operator has done with sessions: closed, made to hear a channel, or to hear it no more.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { CHANNEL_GRAMMAR, isChannelName, isReserved } from "../globs.ts";
import type { Fields } from "../json.ts";
import { isUser, presenceOf } from "../reserved.ts";
import type { HubClient, Selector } from "../types.ts";
import { type Action, type Call, json, readObject } from "./call.ts";
import { SESSION_ID } from "./sessions.ts";

/** `POST /api/disconnect`. */
export const disconnect = order("api.disconnect", (hub, body) => {
  body.only(["user", "session", "channel"]);
  const selector = readSelector(body, "channel");
  return { selector, done: () => hub.disconnect(selector, "Closed by the operator.") };
});

/** `POST /api/subscribe`. */
export const subscribe = order("api.subscribe", (hub, body) => {
  body.only(["channel", "user", "session", "from"]);
  const channel = readTarget(body);
  const selector = readSelector(body, "from");
  return { selector, channel, done: () => hub.subscribeSessions(selector, channel) };
});

/** `POST /api/unsubscribe`. */
export const unsubscribe = order("api.unsubscribe", (hub, body) => {
  body.only(["channel", "user", "session"]);
  const channel = readTarget(body);
  const isAll = !body.has("user") && !body.has("session");
  const selector = isAll ? { channel } : readSelector(body);
  return { selector, channel, done: () => hub.unsubscribeSessions(selector, channel) };
});

/** An order that has been read. */
interface Order {
  readonly selector: Selector;
  /** What is to be heard or not. */
  readonly channel?: string;
  readonly done: () => Promise<number>;
}

/** Who gave it, and what came of it, is in the log. */
function order(event: string, read: (hub: HubClient, body: Fields) => Order): Action {
  return {
    scope: "admin",
    async run(call: Call) {
      const { hub, auth, log } = call.options;
      const { name } = auth.require(call.grant, "admin");
      const { selector, channel, done } = read(hub, await readObject(call));
      const count = await done();
      log.info(event, { name, address: call.address, ...describe(selector, channel), count });
      return json({ count });
    },
  };
}

/** Whom it was about, and what: a channel that chose them is called as in the request. */
function describe(selector: Selector, channel: string | undefined): Record<string, string> {
  if (channel === undefined) return { ...selector };
  if (!("channel" in selector)) return { ...selector, channel };
  return selector.channel === channel ? { channel } : { from: selector.channel, channel };
}

/** Exactly one of `user`, `session` and, under its name here, a channel that they hear. */
function readSelector(body: Fields, channel?: "channel" | "from"): Selector {
  const names = ["user", "session", ...(channel === undefined ? [] : [channel])];
  const given = names.filter((name) => body.has(name));
  if (given.length !== 1) {
    const list = names.map((name) => `\`${name}\``).join(", ");
    throw new GongError("bad_request", `Exactly one of ${list} is expected.`);
  }
  const [name] = given as [string];
  const text = body.string(name)!;
  if (name === "user") {
    if (isUser(text)) return { user: text };
    throw body.error(name, "`user` is no id of a user.");
  }
  if (name === "session") {
    if (SESSION_ID.test(text)) return { session: text };
    throw body.error(name, "`session` is no id of a session.");
  }
  return { channel: readChannel(body, name) };
}

/** Of the reserved names, only joining and leaving is for anybody: the rest follow from who somebody is. */
function readTarget(body: Fields): string {
  const channel = readChannel(body, "channel");
  if (!isReserved(channel) || presenceOf(channel) !== undefined) return channel;
  throw body.error("channel", "Of the reserved names, only `$presence/NAME` can be heard by an order, or no more.");
}

function readChannel(body: Fields, name: string): string {
  const channel = body.string(name);
  if (channel !== undefined && isChannelName(channel)) return channel;
  throw body.error(name, `\`${name}\` has to be ${CHANNEL_GRAMMAR}.`);
}
