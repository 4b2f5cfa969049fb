/**
 * `/api/users`: the users who are connected.
 *
 * @module
 */
import { encodeUser, encodeUserPage } from "../codecs/users.ts";
import { GongError } from "../errors.ts";
import { isUser } from "../reserved.ts";
import { type Action, jsonText } from "./call.ts";
import { decodeId, readLimit, readQuery } from "./query.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
const USERS = "/api/users/";

/** `GET /api/users`: one page. */
export const listUsers: Action = {
  scope: "admin",
  async run({ url, options }) {
    const query = readQuery(url, ["prefix", "limit", "after"]);
    const limit = readLimit(query, { most: MAX_LIMIT, otherwise: DEFAULT_LIMIT });
    const [prefix, after] = [readUser(query, "prefix"), readUser(query, "after")];
    const page = { limit, ...(after === undefined ? {} : { after }), ...(prefix === undefined ? {} : { prefix }) };
    return jsonText(encodeUserPage(await options.hub.users(page)));
  },
};

/** `GET /api/users/ID`: one user, and its sessions as `/api/sessions` has them. */
export const getUser: Action = {
  scope: "admin",
  async run({ url, options: { hub } }) {
    readQuery(url, []);
    // An id may have slashes in it.
    const user = await hub.user(decodeId(url.pathname.slice(USERS.length)));
    if (user === undefined) throw new GongError("not_found", "No user of this id is connected.");
    const found = await Promise.all(user.sessions.map((id) => hub.getSession(id)));
    // Those that have left meanwhile are no sessions any more.
    return jsonText(encodeUser(user, found.filter((session) => session !== undefined)));
  },
};

function readUser(query: ReadonlyMap<string, string>, name: "prefix" | "after"): string | undefined {
  const text = query.get(name);
  if (text === undefined || text === "" && name === "prefix" || isUser(text)) return text;
  throw new GongError("bad_request", `\`${name}\` has to be 1 to 128 characters of an id.`, { field: name });
}
