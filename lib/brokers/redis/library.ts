/**
 * The functions that run inside Redis, as one library of Lua. Its name and those of its functions end with a digest of
 * its text, so that releases which run beside each other each find their own.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { CHANNELS } from "./functions/channels.ts";
import { COMMON } from "./functions/common.ts";
import { KEEPSAKES } from "./functions/keepsakes.ts";
import { NODES } from "./functions/nodes.ts";
import { QUEUE_BOOK } from "./functions/queue_book.ts";
import { QUEUES } from "./functions/queues.ts";
import { RECORDS } from "./functions/records.ts";
import { SETUP } from "./functions/setup.ts";

/** Those who add functions: each a piece of Lua that calls `register(name, function)`, and may use what stands before it. */
const PIECES: readonly string[] = [COMMON, SETUP, RECORDS, QUEUE_BOOK, QUEUES, CHANNELS, NODES, KEEPSAKES];

const BODY = PIECES.join("\n");
const DIGEST = createHash("sha256").update(BODY).digest("hex").slice(0, 12);

/** What Redis knows the library by. */
export const LIBRARY_NAME = `gong_${DIGEST}`;

/** The text of the library, for `FUNCTION LOAD`. */
export const LIBRARY = `#!lua name=${LIBRARY_NAME}
local function register(name, call)
  redis.register_function('gong_' .. name .. '_${DIGEST}', call)
end
-- It is called even where Redis has no room, as it makes some.
local function registerAlways(name, call)
  redis.register_function{ function_name = 'gong_' .. name .. '_${DIGEST}', callback = call, flags = { 'allow-oom' } }
end
${BODY}
`;

/** What Redis knows a function of the library by. */
export function functionName(name: string): string {
  return `gong_${name}_${DIGEST}`;
}
