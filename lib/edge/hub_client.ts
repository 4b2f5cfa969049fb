import { unpackHistory } from "../codecs/page.ts";
import type { Link } from "../link.ts";
import type { HubMethods } from "../methods.ts";
import type { HubClient } from "../types.ts";

/** What the doors, the API and the pages of an edge ask, over its link to the hub. */
export function createHubClient(link: Link<HubMethods>): HubClient {
  return {
    publish: (drafts, { atomic = false } = {}) => link.request("publish", { drafts, atomic }),
    signal: (sessions, signal) => link.request("signal", { sessions, signal }),
    reach: (users) => link.request("reach", users),
    presence: (channel, page) => link.request("presence", { channel, ...page }),
    totals: () => link.request("totals", null),
    users: (page) => link.request("users", page),
    user: (id) => link.request("user", id),
    disconnect: (selector, reason) => link.request("disconnect", { selector, reason }),
    subscribeSessions: (selector, channel) => link.request("subscribeSessions", { selector, channel }),
    unsubscribeSessions: (selector, channel) => link.request("unsubscribeSessions", { selector, channel }),
    listSchedules: (page) => link.request("listSchedules", page),
    getSchedule: (id) => link.request("getSchedule", id),
    putSchedule: (order, options) => link.request("putSchedule", { order, ...options }),
    cancelSchedule: (id, owner) => link.request("cancelSchedule", owner === undefined ? { id } : { id, owner }),
    listSessions: (page) => link.request("listSessions", page),
    getSession: (id) => link.request("getSession", id),
    closeSession: (id, code, reason) => link.request("closeSession", { id, code, reason }),
    samples: () => link.request("samples", null),
    readiness: () => link.request("readiness", null),
    recent: () => link.request("recent", null),
    history: async (channel, start, limit) => unpackHistory(await link.request("history", { channel, start, limit })),
    publication: (id) => link.request("publication", id),
    failedAuth: (address) => link.notify("failedAuth", address),
    revoke: (login) => link.notify("revoke", login),
  };
}
