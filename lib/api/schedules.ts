/**
 * `/api/schedules`: publications that are to be made later.
 *
 * @module
 */
import type { Grant } from "../auth.ts";
import { encodeSchedule } from "../codecs/schedule.ts";
import { MESSAGE_FIELDS, readMessage } from "../draft.ts";
import { GongError } from "../errors.ts";
import type { Fields } from "../json.ts";
import type { ScheduleOrder, When } from "../types.ts";
import { checkCron, checkZone } from "../when.ts";
import { type Action, type Call, HEADERS, jsonText, readObject } from "./call.ts";
import { checkRight, readTarget, TARGETS } from "./publication.ts";
import { lastName, readLimit, readQuery } from "./query.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
/** With the time that it was due, it has to fit the id of a publication. */
const ID = /^[\w.~-]{1,40}$/;
const WHENS: readonly string[] = ["at", "in", "every", "cron"];
const DETAILS = MESSAGE_FIELDS.filter((name) => name !== "id");
/** Seconds: about ten years. */
const FARTHEST = 315_576_000;
/** An ISO 8601 time that says where on Earth it is meant. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
/** A time may be over by so much, in milliseconds: clocks differ. */
const TOLERANCE = 60_000;

/** `GET /api/schedules`: one page, of one's own unless one is admin. */
export const listSchedules: Action = {
  scope: "publish",
  async run(call) {
    const query = readQuery(call.url, ["limit", "after"]);
    const limit = readLimit(query, { most: MAX_LIMIT, otherwise: DEFAULT_LIMIT });
    const after = query.get("after");
    const owner = ownerOf(call, identify(call));
    const page = await call.options.hub.listSchedules({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(owner === undefined ? {} : { creator: owner }),
    });
    const { schedules, total, next } = page;
    const rest = JSON.stringify({ total, next });
    return jsonText(`{"schedules":[${schedules.map(encodeSchedule).join()}],${rest.slice(1)}`);
  },
};

/** `GET /api/schedules/ID`. */
export const getSchedule: Action = {
  scope: "publish",
  async run(call) {
    const owner = ownerOf(call, identify(call));
    const schedule = await call.options.hub.getSchedule(idOf(call));
    if (!schedule || owner !== undefined && schedule.creator !== owner) throw noSchedule();
    return jsonText(encodeSchedule(schedule));
  },
};

/** `POST /api/schedules`. */
export const makeSchedule: Action = {
  scope: "publish",
  run: (call) => put(call, (body) => readId(body) ?? crypto.randomUUID(), false),
};

/** `PUT /api/schedules/ID`. */
export const replaceSchedule: Action = {
  scope: "publish",
  run: (call) =>
    put(call, (body) => {
      const id = idOf(call);
      if ((readId(body) ?? id) === id) return id;
      throw body.error("id", "`id` is another than that of the path.");
    }, true),
};

/** `DELETE /api/schedules/ID`. */
export const cancelSchedule: Action = {
  scope: "publish",
  async run(call) {
    const { hub, log } = call.options;
    const grant = identify(call);
    const id = idOf(call);
    if (!await hub.cancelSchedule(id, ownerOf(call, grant))) throw noSchedule();
    log.info("api.schedule_cancelled", { id, name: grant.name, address: call.address });
    return new Response(null, { status: 204, headers: HEADERS });
  },
};

async function put(call: Call, idOf: (body: Fields) => string, replace: boolean): Promise<Response> {
  const { hub, log, config, auth } = call.options;
  const grant = identify(call);
  const body = await readObject(call);
  body.only(["id", ...WHENS, "zone", ...TARGETS, ...DETAILS]);
  const when = readWhen(body, Date.now());
  const { channels } = readTarget(body);
  for (const channel of channels) checkRight(channel, { auth, grant });
  // What it is published under says when it was due.
  const { id: _, ...message } = readMessage(body, config.maxMessage);
  const order: ScheduleOrder = { id: idOf(body), creator: grant.name, when, channels, message };
  const owner = ownerOf(call, grant);
  const { schedule, created } = await hub.putSchedule(order, { replace, ...(owner === undefined ? {} : { owner }) });
  const { id } = schedule;
  log.info("api.schedule_put", { id, name: grant.name, address: call.address, created, channels: channels.length });
  return jsonText(encodeSchedule(schedule), created ? 201 : 200);
}

/** Who asks: a key. What fires when nobody is there needs rights that can be looked at then; a token has only its own time. */
function identify({ options: { auth }, grant }: Call): Grant {
  return auth.require(grant, "publish");
}

/** Whose schedules it is about; an admin's is everybody's. */
function ownerOf({ options: { auth } }: Call, grant: Grant): string | undefined {
  return auth.has(grant, "admin") ? undefined : grant.name;
}

function readId(body: Fields): string | undefined {
  const id = body.string("id");
  if (id === undefined || ID.test(id)) return id;
  throw body.error("id", "`id` has to be 1 to 40 of `A-Z a-z 0-9 _ . ~ -`.");
}

function idOf({ url }: Call): string {
  const id = lastName(url);
  if (!ID.test(id)) throw noSchedule();
  return id;
}

function readWhen(body: Fields, now: number): When {
  const names = WHENS.filter((name) => body.has(name));
  const [name] = names;
  if (names.length !== 1) throw body.error("at", "Exactly one of `at`, `in`, `every` and `cron` is expected.");
  if (body.has("zone") && name !== "cron") throw body.error("zone", "`zone` belongs to `cron`.");
  if (name === "at") return { at: readTime(body, now) };
  if (name === "cron") return readCron(body, now);
  const seconds = body.get(name!);
  const least = name === "every" ? 1 : 0;
  if (typeof seconds !== "number" || !(seconds >= least && seconds <= FARTHEST)) {
    throw body.error(name!, `\`${name}\` has to be ${least} to ${FARTHEST} seconds.`);
  }
  return name === "every" ? { every: seconds } : { at: now + Math.round(seconds * 1000) };
}

function readTime(body: Fields, now: number): number {
  const value = body.get("at");
  const at = typeof value === "string" && TIME.test(value) ? Date.parse(value) : value;
  if (typeof at !== "number" || !Number.isInteger(at)) {
    throw body.error("at", "`at` has to be a time with its offset, e.g. 2027-01-31T09:00:00+01:00, or milliseconds.");
  }
  if (at < now - TOLERANCE) throw body.error("at", "`at` is over.");
  if (at > now + FARTHEST * 1000) throw body.error("at", "`at` is more than ten years ahead.");
  return at;
}

function readCron(body: Fields, now: number): When {
  const cron = body.string("cron")!;
  const zone = body.string("zone") ?? "UTC";
  for (const [name, check] of [["cron", () => checkCron(cron, now)], ["zone", () => checkZone(zone)]] as const) {
    try {
      check();
    } catch (error) {
      throw body.error(name, `\`${name}\`: ${(error as Error).message}.`);
    }
  }
  return { cron, zone };
}

function noSchedule(): GongError {
  return new GongError("not_found", "There is no schedule of this id.");
}
