/**
 * `POST /api/publish`: to channels, in batches, and to sessions.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import { checkCopies } from "../draft.ts";
import { type ErrorCode, ERRORS, GongError } from "../errors.ts";
import { Fields } from "../json.ts";
import { sessionName } from "../reserved.ts";
import type { Draft, PublishResult } from "../types.ts";
import { type Action, type Call, json, readObject } from "./call.ts";
import { PUBLICATION_FIELDS, type Publishing, readPublishing, readSignal, TARGETS } from "./publication.ts";

const MAX_BATCH = 1000;
const MAX_SESSIONS = 1000;
const MAX_SESSION_ID = 128;
const FORMS = [...TARGETS, "publications", "sessions"];

/** Channels that one entry of the log names. */
const MAX_NAMED = 32;

/** A publication of a batch, or why it is none. */
type Item = Publishing | GongError;
/** What came of one publication, as it is answered. */
type Outcome = ReturnType<typeof sortResults>;

/** The rights over a channel are looked at for each publication. */
export const publish: Action = {
  scope: "publish",
  orChannel: true,
  async run(call) {
    const body = await readObject(call);
    body.only([...FORMS, ...PUBLICATION_FIELDS]);
    const forms = FORMS.filter((name) => body.has(name));
    if (forms.length !== 1) {
      throw new GongError(
        "bad_request",
        "Exactly one of `channel`, `channels`, `users`, `publications` and `sessions` is expected.",
      );
    }
    if (forms[0] === "publications") return await publishBatch(call, body);
    if (forms[0] === "sessions") return await signal(call, body);
    return await publishOne(call, body);
  },
};

async function publishOne(call: Call, body: Fields): Promise<Response> {
  const publishing = readPublishing(body, publicationOptions(call));
  const { drafts } = publishing;
  checkCopies(lengthOf(drafts), call.options.config.maxMessage);
  const outcome = sortResults(publishing, await call.options.hub.publish(drafts));
  record(call, drafts, outcome.failed.length);
  if (outcome.failed.length === drafts.length) throw outcome.failed[0]!;
  count(call, outcome.failed);
  return json({ ...outcome.body, ...await reach(call, publishing) });
}

/** How many sessions of its users there are. */
async function reach({ options }: Call, { users }: Publishing): Promise<{ reached?: number }> {
  return users === undefined ? {} : { reached: await options.hub.reach(users) };
}

async function publishBatch(call: Call, body: Fields): Promise<Response> {
  body.only(["publications"]);
  const publications = body.array("publications")!;
  if (publications.length === 0 || publications.length > MAX_BATCH) {
    throw body.error("publications", `A batch has 1 to ${MAX_BATCH} publications.`);
  }
  const items = publications.map((publication, index): Item => {
    try {
      const fields = new Fields(publication, `${body.pointer("publications")}/${index}`);
      return readPublishing(fields, publicationOptions(call));
    } catch (error) {
      return GongError.from(error);
    }
  });
  const drafts = items.flatMap((item) => item instanceof GongError ? [] : item.drafts);
  if (drafts.length > MAX_BATCH) {
    throw body.error("publications", `A batch has at most ${MAX_BATCH} publications, counted once a channel.`);
  }
  checkCopies(lengthOf(drafts), call.options.config.maxMessage);
  const results = drafts.length === 0 ? [] : await call.options.hub.publish(drafts);
  let next = 0;
  const outcomes = await Promise.all(items.map(async (item): Promise<Outcome> => {
    if (item instanceof GongError) return { body: { error: describe(item) }, failed: [item] };
    const { length } = item.drafts;
    const { body, failed } = sortResults(item, results.slice(next, next += length));
    if (failed.length === length) return { body: { error: describe(failed[0]!) }, failed };
    return { body: { ...body, ...await reach(call, item) }, failed };
  }));
  const failed = outcomes.flatMap((outcome) => outcome.failed);
  record(call, drafts, failed.length);
  const whole = commonRefusal(outcomes);
  if (whole) throw whole;
  count(call, failed);
  return json({ results: outcomes.map((outcome) => outcome.body) });
}

async function signal(call: Call, body: Fields): Promise<Response> {
  const { config, hub, log } = call.options;
  const content = readSignal(body, config.maxMessage);
  const sessions = readSessions(body);
  checkSignal(call, sessions);
  const user = call.grant?.user?.id;
  const reached = await hub.signal(sessions, user === undefined ? content : { ...content, user });
  const name = call.grant?.name ?? "anonymous";
  log.debug("api.signal", { name, address: call.address, reached, bytes: byteLength(content.data) });
  return json({ reached });
}

/** Whoever may publish to a session's name may send to it; to all of them only a key may. */
function checkSignal({ options: { auth }, grant }: Call, sessions: readonly string[] | "all"): void {
  if (sessions === "all") return void auth.require(grant, "publish");
  const denied = sessions.find((id) => !auth.may(grant, "publish", sessionName(id)));
  if (denied === undefined) return;
  if (grant === undefined) throw new GongError("unauthorized", `Sending to session ${denied} needs a key or a token.`);
  throw new GongError("forbidden", `Sending to session ${denied} is not allowed.`);
}

function readSessions(body: Fields): readonly string[] | "all" {
  const sessions = body.get("sessions");
  if (sessions === "all") return sessions;
  if (!Array.isArray(sessions)) throw body.error("sessions", '`sessions` has to be an array of ids, or "all".');
  if (sessions.length === 0 || sessions.length > MAX_SESSIONS) {
    throw body.error("sessions", `\`sessions\` has to name 1 to ${MAX_SESSIONS} sessions.`);
  }
  const wrong = sessions.findIndex((id) => typeof id !== "string" || id === "" || id.length > MAX_SESSION_ID);
  if (wrong >= 0) {
    throw new GongError("bad_request", "This is not the id of a session.", {
      field: `${body.pointer("sessions")}/${wrong}`,
    });
  }
  if (new Set(sessions).size < sessions.length) throw body.error("sessions", "`sessions` names a session twice.");
  return sessions;
}

/** Where the drafts of one publication went, and why some went nowhere. */
function sortResults({ drafts, newId: id }: Publishing, results: readonly PublishResult[]) {
  const positions: ({ channel: string } & Exclude<PublishResult, { error: unknown }>)[] = [];
  const errors: { channel: string; code: ErrorCode; message: string; retryAfter?: number }[] = [];
  const failed: GongError[] = [];
  for (const [index, { channel }] of drafts.entries()) {
    const result = results[index]!;
    if ("error" in result) {
      const error = GongError.fromRefusal(result.error);
      failed.push(error);
      errors.push({ channel, ...describe(error) });
    } else {
      const { epoch, offset, repeated } = result;
      positions.push(repeated ? { channel, epoch, offset, repeated } : { channel, epoch, offset });
    }
  }
  const body: Record<string, unknown> = {
    positions,
    ...(errors.length === 0 ? {} : { errors }),
    ...(id === undefined ? {} : { id }),
  };
  return { body, failed };
}

/**
 * The refusal of a whole batch: nothing was taken, for a reason that lies in none of its publications. A client that
 * looks at the status alone then knows to come back, or to bring a key.
 */
function commonRefusal(outcomes: readonly Outcome[]): GongError | undefined {
  const first = outcomes[0]!.failed[0];
  if (first === undefined || !(ERRORS[first.code].retry || first.code === "unauthorized")) return undefined;
  const isCommon = outcomes.every(({ body, failed }) => "error" in body && failed[0]!.code === first.code);
  return isCommon ? first : undefined;
}

function describe({ code, message, field, retryAfter }: GongError) {
  return {
    code,
    message,
    ...(field === undefined ? {} : { field }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
}

function lengthOf(drafts: readonly Draft[]): number {
  return drafts.reduce((sum, { data }) => sum + data.length, 0);
}

function publicationOptions({ options, grant }: Call) {
  return { auth: options.auth, grant, maxMessage: options.config.maxMessage };
}

/** What somebody publishes by hand, on the admin page, is told apart: it is little, and asked for afterwards. */
function record({ options: { log }, grant, address }: Call, drafts: readonly Draft[], failed: number): void {
  const bytes = lengthOf(drafts);
  const name = grant?.name ?? "anonymous";
  const fields = { name, address, channels: drafts.length, bytes, failed };
  if (grant?.login === undefined) return log.debug("api.publish", fields);
  const to = drafts.slice(0, MAX_NAMED).map(({ channel }) => channel).join(",");
  log.info("api.publish", { ...fields, to });
}

/** What is refused in part; a refusal of the whole is counted with every other. */
function count({ options }: Call, failed: readonly GongError[]): void {
  for (const { code } of failed) options.metrics.count("gong_refused_total", { reason: code });
}
