/**
 * Entry of an isolate of the generator, each of whose subscribers is a user of its own, with a token.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { openConnection } from "../../../lib/cli/bench/connection.ts";
import { BUFFER_BYTES, type OnData } from "../../../lib/cli/bench/frames.ts";
import { obey } from "../../../lib/cli/bench/obey.ts";
import { subscriberUrl } from "../../../lib/cli/bench/options.ts";
import type { Line, PartOptions } from "../../../lib/cli/bench/part.ts";
import { Publishers } from "../../../lib/cli/bench/publishers.ts";
import { Subscribers } from "../../../lib/cli/bench/subscribers.ts";
import { signToken } from "../../support/tokens.ts";

/** Milliseconds. */
const TIMEOUT = 30_000;

function openAsUser({ load }: PartOptions, onData: OnData): Promise<Line> {
  const { apiKey, caCerts, publishers } = load;
  const buffer = publishers === 0 ? BUFFER_BYTES.idle : BUFFER_BYTES.busy;
  const url = subscriberUrl(load);
  url.searchParams.set("token", signToken({ sub: crypto.randomUUID() }));
  return openConnection({ url, apiKey, caCerts, timeout: TIMEOUT, buffer }, onData);
}

const options = workerData as PartOptions;

obey(options.role === "subscribers" ? new Subscribers(options, openAsUser) : new Publishers(options));
