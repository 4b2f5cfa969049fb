/**
 * A publication as the API's JSON has it: checked, and turned into drafts.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import { type Content, CONTENT_FIELDS, readContent } from "../draft.ts";
import { GongError } from "../errors.ts";
import { isChannelName, isReserved } from "../globs.ts";
import type { Fields } from "../json.ts";
import type { Data, Draft } from "../types.ts";

/** Where a publication goes. */
export const TARGETS: readonly string[] = ["channel", "channels"];
/** Everything that a publication may say. */
export const PUBLICATION_FIELDS: readonly string[] = [...TARGETS, ...CONTENT_FIELDS, "id", "event", "tags"];

const MAX_CHANNELS = 100;
const MAX_ID = 64;
const MAX_EVENT = 128;
const MAX_TAGS = 16;
const MAX_TAG = 256;
const TAG_NAME = /^[\w.:/-]{1,64}$/;
const CONTROL = /\p{Cc}/u;

/** Who publishes, and how much. */
export interface PublicationOptions {
  readonly auth: Auth;
  readonly grant: Grant | undefined;
  /** Most bytes of data. */
  readonly maxMessage: number;
}

/**
 * One draft a channel, in the order of the channels.
 *
 * @throws {GongError} `bad_request`, `too_large`; `unauthorized` or `forbidden` when one channel is not allowed
 */
export function readDrafts(fields: Fields, options: PublicationOptions): Draft[] {
  fields.only(PUBLICATION_FIELDS);
  const channels = readChannels(fields);
  const content = readContent(fields, options.maxMessage);
  const details = readDetails(fields);
  for (const channel of channels) checkRight(channel, options);
  return channels.map((channel) => ({ channel, ...content, ...details }));
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

/** Bytes of data on a wire, at most. */
export function weigh(data: Data): number {
  return typeof data === "string" ? new TextEncoder().encode(data).length : data.length;
}

function readChannels(fields: Fields): readonly string[] {
  if (fields.has("channel") === fields.has("channels")) {
    throw new GongError("bad_request", "Exactly one of `channel` and `channels` is expected.", {
      field: fields.pointer("channel"),
    });
  }
  const single = fields.string("channel");
  if (single !== undefined) return [checkName(single, fields.pointer("channel"))];
  const channels = fields.array("channels")!;
  if (channels.length === 0 || channels.length > MAX_CHANNELS) {
    throw fields.error("channels", `\`channels\` has to name 1 to ${MAX_CHANNELS} channels.`);
  }
  const names = channels.map((name, index) => checkName(name, `${fields.pointer("channels")}/${index}`));
  if (new Set(names).size < names.length) throw fields.error("channels", "`channels` names a channel twice.");
  return names;
}

function checkName(name: unknown, field: string): string {
  if (typeof name !== "string" || !isChannelName(name)) {
    throw new GongError("bad_request", "A channel name is 1 to 128 of `A-Z a-z 0-9 _ . : / % ~ = + ! -`.", { field });
  }
  if (isReserved(name)) {
    throw new GongError("forbidden", "Channels whose name begins with `$` belong to the server.", { field });
  }
  return name;
}

function checkRight(channel: string, { auth, grant }: PublicationOptions): void {
  if (auth.may(grant, "publish", channel)) return;
  if (grant === undefined) throw new GongError("unauthorized", `Publishing to ${channel} needs a key.`);
  throw new GongError("forbidden", `This key may not publish to ${channel}.`);
}

function readDetails(fields: Fields): Pick<Draft, "id" | "event" | "tags"> {
  const id = readLine(fields, "id", MAX_ID);
  const event = readLine(fields, "event", MAX_EVENT);
  const tags = readTags(fields);
  return {
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** Some doors write it on a line of its own, so it must not end one. */
function readLine(fields: Fields, name: string, limit: number): string | undefined {
  const text = fields.string(name);
  if (text === undefined) return undefined;
  if (text === "" || weigh(text) > limit || CONTROL.test(text)) {
    throw fields.error(name, `\`${name}\` has to be 1 to ${limit} bytes without control characters.`);
  }
  return text;
}

function readTags(fields: Fields): Readonly<Record<string, string>> | undefined {
  const tags = fields.object("tags");
  if (tags === undefined) return undefined;
  const names = tags.names();
  if (names.length > MAX_TAGS) throw fields.error("tags", `There may be at most ${MAX_TAGS} tags.`);
  return Object.fromEntries(names.map((name) => {
    if (!TAG_NAME.test(name) || name === "__proto__") {
      throw fields.error("tags", "A tag's name has to be 1 to 64 of `A-Z a-z 0-9 _ . : / -`.");
    }
    return [name, readLine(tags, name, MAX_TAG)!];
  }));
}
