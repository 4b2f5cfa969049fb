/**
 * A publication as the API's JSON has it: checked, and turned into drafts.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import { type Content, CONTENT_FIELDS, MESSAGE_FIELDS, readContent, readMessage } from "../draft.ts";
import { GongError } from "../errors.ts";
import { CHANNEL_GRAMMAR, isChannelName, isReserved } from "../globs.ts";
import type { Fields } from "../json.ts";
import { isUser, userChannel } from "../reserved.ts";
import type { Draft } from "../types.ts";

/** Where a publication goes. */
export const TARGETS: readonly string[] = ["channel", "channels", "users"];
/** Everything that a publication may say. */
export const PUBLICATION_FIELDS: readonly string[] = [...TARGETS, ...MESSAGE_FIELDS, "trace"];

/** Channels, or users. */
const MAX_TARGETS = 100;

/** Who publishes, and how much. */
export interface PublicationOptions {
  readonly auth: Auth;
  readonly grant: Grant | undefined;
  /** Most bytes of data. */
  readonly maxMessage: number;
}

/** One publication of a request. */
export interface Publishing {
  /** One a channel, in the order of the channels. */
  readonly drafts: readonly Draft[];
  /** Whom it is for, if it is for users. */
  readonly users?: readonly string[];
  /** The `id` that it was given here, since it is traced and had none. */
  readonly newId?: string;
}

/**
 * Reads one publication.
 *
 * @throws {GongError} `bad_request`, `too_large`; `unauthorized` or `forbidden` when one channel is not allowed
 */
export function readPublishing(fields: Fields, options: PublicationOptions): Publishing {
  fields.only(PUBLICATION_FIELDS);
  const { grant } = options;
  const { channels, users } = readTarget(fields);
  const message = readMessage(fields, options.maxMessage);
  const trace = readTrace(fields);
  for (const channel of channels) checkRight(channel, options);
  if (trace) checkTrace(fields, options);
  const newId = trace && message.id === undefined ? crypto.randomUUID() : undefined;
  const rest: Omit<Draft, "channel"> = {
    ...message,
    ...(trace ? { trace } : {}),
    ...(newId === undefined ? {} : { id: newId }),
    ...(grant === undefined ? {} : { publisher: grant.name }),
    ...(grant?.user === undefined ? {} : { user: grant.user.id }),
  };
  const drafts = channels.map((channel) => ({ channel, ...rest }));
  return { drafts, ...(users === undefined ? {} : { users }), ...(newId === undefined ? {} : { newId }) };
}

/**
 * Content without a channel, for sessions.
 *
 * @throws {GongError} `bad_request`, `too_large`
 */
export function readSignal(fields: Fields, maxMessage: number): Content {
  fields.only(["sessions", ...CONTENT_FIELDS]);
  return readContent(fields, maxMessage);
}

/**
 * Where it goes: to channels, or to users, each of whom is a channel.
 *
 * @throws {GongError} `bad_request`, `forbidden` for a reserved channel
 */
export function readTarget(fields: Fields): { channels: readonly string[]; users?: readonly string[] } {
  const targets = TARGETS.filter((name) => fields.has(name));
  if (targets.length !== 1) {
    throw new GongError("bad_request", "Exactly one of `channel`, `channels` and `users` is expected.", {
      field: fields.pointer("channel"),
    });
  }
  const single = fields.string("channel");
  if (single !== undefined) return { channels: [checkName(single, fields.pointer("channel"))] };
  if (!fields.has("users")) return { channels: readNames(fields, "channels", checkName) };
  const users = readNames(fields, "users", checkUser);
  return { channels: users.map(userChannel), users };
}

function readNames(fields: Fields, list: string, check: (name: unknown, field: string) => string): readonly string[] {
  const names = fields.array(list)!;
  if (names.length === 0 || names.length > MAX_TARGETS) {
    throw fields.error(list, `\`${list}\` has to name 1 to ${MAX_TARGETS} ${list}.`);
  }
  const checked = names.map((name, index) => check(name, `${fields.pointer(list)}/${index}`));
  if (new Set(checked).size === checked.length) return checked;
  throw fields.error(list, `\`${list}\` names one of them twice.`);
}

function checkUser(name: unknown, field: string): string {
  if (typeof name === "string" && isUser(name)) return name;
  throw new GongError("bad_request", "This is not the id of a user.", { field });
}

function checkName(name: unknown, field: string): string {
  if (typeof name !== "string" || !isChannelName(name)) {
    throw new GongError("bad_request", `A channel name is ${CHANNEL_GRAMMAR}.`, { field });
  }
  if (isReserved(name)) {
    const message = "Channels whose name begins with `$` belong to the server; a user is named in `users`.";
    throw new GongError("forbidden", message, { field });
  }
  return name;
}

function readTrace(fields: Fields): true | undefined {
  const trace = fields.get("trace");
  if (trace === undefined || trace === false) return undefined;
  if (trace === true) return trace;
  throw fields.error("trace", "`trace` has to be `true` or `false`.");
}

/** Notes take memory, which is not for everybody. */
function checkTrace(fields: Fields, { auth, grant }: PublicationOptions): void {
  if (auth.has(grant, "publish")) return;
  throw new GongError("forbidden", "`trace` needs a key that may publish.", { field: fields.pointer("trace") });
}

/** @throws {GongError} `unauthorized` or `forbidden` */
export function checkRight(channel: string, { auth, grant }: Pick<PublicationOptions, "auth" | "grant">): void {
  if (auth.may(grant, "publish", channel)) return;
  if (grant === undefined) throw new GongError("unauthorized", `Publishing to ${channel} needs a key or a token.`);
  throw new GongError("forbidden", `${grant.user ? "This user" : "This key"} may not publish to ${channel}.`);
}
