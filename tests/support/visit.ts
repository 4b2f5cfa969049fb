/**
 * Requests to the doors over plain HTTP, on the stage.
 *
 * @module
 */
import { findHttpDoor } from "../../lib/doors/mod.ts";
import { GongError } from "../../lib/errors.ts";
import { problem } from "../../lib/http/problem.ts";
import type { Stage, StageEdge } from "./stage.ts";

/** How one request goes. */
export interface VisitOptions {
  readonly edge?: StageEdge;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly signal?: AbortSignal;
  /** When the answer was sent to its end. Default: at once. */
  readonly completed?: Promise<void>;
}

/** Asks a door over plain HTTP as `Deno.serve` would. */
export async function visit(stage: Stage, target: string, options: VisitOptions = {}): Promise<Response> {
  const { edge = stage.edge, completed = Promise.resolve(), headers = {}, ...init } = options;
  const request = new Request(`http://localhost${target}`, { headers: { host: "localhost", ...headers }, ...init });
  const url = new URL(request.url);
  const handler = findHttpDoor(url.pathname)!;
  const parts = { config: stage.config, edge: edge.edge, auth: edge.auth };
  try {
    return await handler(request, url, { address: "::1", completed: () => completed }, parts);
  } catch (error) {
    return problem(GongError.from(error));
  }
}
