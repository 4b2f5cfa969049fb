/**
 * Entry of an isolate of the generator: makes its share of the load and does what it is asked.
 *
 * @module
 */

import { workerData } from "node:worker_threads";
import { obey } from "./obey.ts";
import type { PartOptions } from "./part.ts";
import { Publishers } from "./publishers.ts";
import { Subscribers } from "./subscribers.ts";

const options = workerData as PartOptions;

obey(options.role === "subscribers" ? new Subscribers(options) : new Publishers(options));
