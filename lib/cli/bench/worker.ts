/**
 * Entry of an isolate of the generator: makes its share of the load and does what it is asked.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import type { PartCommand, PartMessage, PartOptions } from "./part.ts";
import { Publishers } from "./publishers.ts";
import { Subscribers } from "./subscribers.ts";

/** Milliseconds between two reports. */
const EVERY = 50;

const options = workerData as PartOptions;
const part = options.role === "subscribers" ? new Subscribers(options) : new Publishers(options);

function post(message: PartMessage): void {
  parentPort!.postMessage(message);
}

parentPort!.on("message", async (command: PartCommand) => {
  const result = await part[command]();
  post({ progress: part.progress() });
  post(result === undefined ? { done: command } : { done: command, result });
});

setInterval(() => post({ progress: part.progress() }), EVERY);
