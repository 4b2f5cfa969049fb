/**
 * Loads over plain HTTP: the generator of `gong bench`, with streams and polls in place of WebSockets.
 *
 * @module
 */
import type { LoadOptions } from "../../../lib/cli/bench/options.ts";
import { type LoadHooks, type Report, runLoad } from "../../support/load.ts";
import type { DIALECTS } from "./dialects.ts";

/** A load, as it crosses isolates. */
export interface HttpLoad extends LoadOptions {
  readonly server: keyof typeof DIALECTS;
  readonly door: "sse" | "poll";
}

/** What has to be said of one. */
export type HttpLoadOptions = Partial<LoadOptions> & Pick<HttpLoad, "url" | "server" | "door">;

const WORKER = new URL("./worker.ts", import.meta.url);

/** Runs it; everything published is looked for at every subscriber. */
export function runHttpLoad(load: HttpLoadOptions, hooks: LoadHooks): Promise<Report> {
  return runLoad(load, { ...hooks, worker: WORKER });
}
