/**
 * How the server is: figures, the last publications, health.
 *
 * @module
 */
import { within } from "../link.ts";
import { PROMETHEUS_TYPE, renderJson, renderPrometheus } from "../metrics.ts";
import { userOf } from "../reserved.ts";
import type { HubClient, Readiness } from "../types.ts";
import { type Action, HEADERS, json } from "./call.ts";

/** How long the hub may take to say whether it is ready, in seconds. */
const PATIENCE = 2;

/** `GET /api/recent`: what the hub remembers, newest first; what a user is told is shown to an admin only. */
export const recent: Action = {
  scope: "stats",
  async run({ options: { hub, auth }, grant }) {
    const publications = await hub.recent();
    if (auth.has(grant, "admin")) return json({ publications });
    return json({
      publications: publications.map((one) => userOf(one.channel) === undefined ? one : { ...one, preview: "" }),
    });
  },
};

/** `GET /api/stats`. */
export const stats: Action = {
  scope: "stats",
  async run({ options }) {
    return json(renderJson(await options.hub.samples()));
  },
};

/** `GET /metrics`. */
export const metrics: Action = {
  scope: "stats",
  async run({ options }) {
    const text = renderPrometheus(await options.hub.samples());
    return new Response(text, { headers: { ...HEADERS, "content-type": PROMETHEUS_TYPE } });
  },
};

/** `GET /health`: answered by whoever lives. */
export const health: Action = {
  scope: "none",
  run() {
    return Promise.resolve(json({ status: "ok" }));
  },
};

/**
 * `GET /ready`. A balancer asks without a key and must not be refused, so it is not limited; instead those who ask at
 * the same time share one question to the hub, and a hub that does not answer is not ready.
 */
export function createReady(hub: HubClient, patience: number = PATIENCE): Action {
  let asked: Promise<Readiness> | undefined;
  return {
    scope: "none",
    async run() {
      asked ??= within(patience, hub.readiness())
        .catch((): Readiness => ({ ready: false, reasons: ["the hub does not answer"] }))
        .finally(() => asked = undefined);
      const readiness = await asked;
      return json(readiness, readiness.ready ? 200 : 503);
    },
  };
}
