/**
 * `/api/sessions`: who is connected.
 *
 * @module
 */
import { ERRORS, GongError } from "../errors.ts";
import { type Action, type Call, HEADERS, json } from "./call.ts";
import { lastName, readLimit, readQuery } from "./query.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
/** What any id is made of; anything else is nobody's. */
export const SESSION_ID = /^[\w.~-]{1,128}$/;

/** `GET /api/sessions`: one page. */
export const listSessions: Action = {
  scope: "admin",
  async run({ url, options }) {
    const query = readQuery(url, ["limit", "after"]);
    const limit = readLimit(query, { most: MAX_LIMIT, otherwise: DEFAULT_LIMIT });
    const after = query.get("after");
    if (after !== undefined && !SESSION_ID.test(after)) {
      throw new GongError("bad_request", "`after` has to be the id of a session.", { field: "after" });
    }
    return json(await options.hub.listSessions(after === undefined ? { limit } : { limit, after }));
  },
};

/** `GET /api/sessions/ID`. */
export const getSession: Action = {
  scope: "admin",
  async run(call) {
    const session = await call.options.hub.getSession(idOf(call));
    if (session === undefined) throw noSession();
    return json(session);
  },
};

/** `DELETE /api/sessions/ID`. */
export const closeSession: Action = {
  scope: "admin",
  async run(call) {
    const { hub, auth, log } = call.options;
    const session = idOf(call);
    const { name } = auth.require(call.grant, "admin");
    const closed = await hub.closeSession(session, ERRORS.forbidden.close, "Closed by the operator.");
    if (!closed) throw noSession();
    log.info("api.session_closed", { session, name, address: call.address });
    return new Response(null, { status: 204, headers: HEADERS });
  },
};

function idOf({ url }: Call): string {
  const id = lastName(url);
  if (!SESSION_ID.test(id)) throw noSession();
  return id;
}

function noSession(): GongError {
  return new GongError("not_found", "There is no session of this id.");
}
