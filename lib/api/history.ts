/**
 * `GET /api/history`: what a channel keeps.
 *
 * @module
 */
import { encodeCursor, parseCursor } from "../codecs/cursor.ts";
import { encodeLine } from "../codecs/line.ts";
import { GongError } from "../errors.ts";
import type { History, Position, Start } from "../types.ts";
import { type Action, jsonText } from "./call.ts";
import { readHeard } from "./channel.ts";
import { readLimit, readQuery } from "./query.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
/** Bytes of the publications of one page; a single one is answered whatever its size. */
const PAGE_BYTES = 4 * 2 ** 20;
/** The oldest that is kept. */
const OLDEST: Start = Object.freeze({ last: Number.MAX_SAFE_INTEGER });

/** One page; whoever may hear the channel may read it. */
export const history: Action = {
  scope: "channel",
  async run(call) {
    const query = readQuery(call.url, ["channel", "since", "limit"]);
    const channel = readHeard(call, query.get("channel"));
    const since = readSince(query.get("since"), channel);
    const count = readLimit(query, { most: MAX_LIMIT, otherwise: DEFAULT_LIMIT });
    const page = await call.options.hub.history(channel, since ?? OLDEST, { count, bytes: PAGE_BYTES });
    return jsonText(encodePage(channel, page));
  },
};

function readSince(text: string | undefined, channel: string): Position | undefined {
  if (text === undefined) return undefined;
  try {
    const position = parseCursor(text, channel).get(channel);
    if (position) return position;
  } catch (cause) {
    throw new GongError("bad_request", `\`since\`: ${(cause as Error).message}`, { cause, field: "since" });
  }
  throw new GongError("bad_request", `\`since\` does not name ${channel}.`, { field: "since" });
}

/** The lines of the JSON door stand in it as they are. */
function encodePage(channel: string, { top, publications, recovered }: History): string {
  const cursor = encodeCursor([[channel, publications.at(-1) ?? top]]);
  const head = JSON.stringify({ channel, epoch: top.epoch, offset: top.offset, recovered, cursor });
  const lines = publications.filter(({ expired }) => !expired).map(encodeLine);
  return `${head.slice(0, -1)},"publications":[${lines.join()}]}`;
}
