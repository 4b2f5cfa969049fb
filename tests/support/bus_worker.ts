/**
 * An isolate with the receiving end of a bus: it asks for what it misses, and reports the numbers of what it got.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { BusReceiver, type Replay } from "../../lib/bus.ts";
import { readBatchHead } from "../../lib/codecs/batch.ts";
import { Link, type Port } from "../../lib/link.ts";

/** What the isolate asks of the test. */
export interface SenderSide {
  ready(payload: null): void;
  replay(from: number): Replay;
  acknowledge(number: number): void;
  lost(payload: null): void;
}

/** What the test asks of the isolate. */
export interface ReceiverSide {
  /** Takes nothing until the second element is no longer 0; the first says that it does so from now on. */
  halt(gate: Int32Array<SharedArrayBuffer>): void;
  remind(last: number): void;
  numbers(payload: null): number[];
}

const numbers: number[] = [];
const methods: ReceiverSide = {
  halt(gate) {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    Atomics.wait(gate, 1, 0);
  },
  remind: (last) => receiver.remind(last),
  numbers: () => numbers,
};
const link = new Link<SenderSide>(parentPort as Port, methods);
const { name, last } = workerData as { name: string; last: number };
const receiver = new BusReceiver(name, last, {
  batch(batch) {
    const { number } = readBatchHead(batch);
    numbers.push(number);
    link.notify("acknowledge", number);
  },
  replay: (from) => link.request("replay", from),
  gap() {},
  lost: () => link.notify("lost", null),
});
link.notify("ready", null);
