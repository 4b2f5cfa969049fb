/**
 * `GET /api/presence`: who hears a channel, and how many there are in all.
 *
 * @module
 */
import { compilePresence } from "../channel_rules.ts";
import { encodePresencePage } from "../codecs/presence.ts";
import type { Config } from "../config.ts";
import { GongError } from "../errors.ts";
import { type Action, type Call, json, jsonText } from "./call.ts";
import { readHeard } from "./channel.ts";
import { readLimit, readQuery } from "./query.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;

/** Of a channel, whoever may hear it may ask; without one, a key with the scope `stats`. */
export function createPresence(config: Pick<Config, "rule">): Action {
  const presenceOf = compilePresence(config);

  async function ofChannel(call: Call): Promise<Response> {
    const query = readQuery(call.url, ["channel", "limit", "after"]);
    const channel = readHeard(call, query.get("channel"));
    if (presenceOf(channel) === "off") throw new GongError("forbidden", `${channel} has no presence.`);
    const limit = readLimit(query, { least: 0, most: MAX_LIMIT, otherwise: DEFAULT_LIMIT });
    const after = query.get("after");
    const page = await call.options.hub.presence(channel, after === undefined ? { limit } : { limit, after });
    return jsonText(encodePresencePage(page, channel));
  }

  async function ofAll({ url, options, grant }: Call): Promise<Response> {
    readQuery(url, []);
    options.auth.require(grant, "stats");
    return json(await options.hub.totals());
  }

  return { scope: "channel", run: (call) => call.url.search === "" ? ofAll(call) : ofChannel(call) };
}
