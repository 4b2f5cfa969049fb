/**
 * What an isolate of the generator does once it has its share of the load.
 *
 * @module
 */

import { parentPort } from "node:worker_threads";
import type { Part, PartCommand, PartMessage } from "./part.ts";

/** Milliseconds between two reports. */
const EVERY = 50;

/** Does what the leading isolate asks for, and tells it how far it is. */
export function obey(part: Part): void {
  parentPort!.on("message", async (command: PartCommand) => {
    const result = await part[command]();
    post({ progress: part.progress() });
    post(result === undefined ? { done: command } : { done: command, result });
  });
  setInterval(() => post({ progress: part.progress() }), EVERY);
}

function post(message: PartMessage): void {
  parentPort!.postMessage(message);
}
