/**
 * Entry of an isolate of the generator, each of whose subscribers is a user of its own, with a token.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import type { OnData } from "../../../lib/cli/bench/frames.ts";
import { obey } from "../../../lib/cli/bench/obey.ts";
import type { Line, PartOptions } from "../../../lib/cli/bench/part.ts";
import { Publishers } from "../../../lib/cli/bench/publishers.ts";
import { Subscribers } from "../../../lib/cli/bench/subscribers.ts";
import { WIRES } from "../../../lib/cli/bench/wires/mod.ts";
import { signToken } from "../../support/tokens.ts";

function openAsUser(options: PartOptions, onData: OnData): Promise<Line> {
  const url = new URL(options.load.url);
  url.searchParams.set("token", signToken({ sub: crypto.randomUUID() }));
  const load = { ...options.load, url: url.href };
  return WIRES[load.format].listen({ ...options, load }, onData);
}

const options = workerData as PartOptions;

obey(options.role === "subscribers" ? new Subscribers(options, openAsUser) : new Publishers(options));
