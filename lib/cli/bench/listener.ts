import type { OnData } from "./frames.ts";
import { Histogram } from "./histogram.ts";
import { MarkReader, now, type OnMark, PROBE } from "./mark.ts";
import { Tally } from "./tally.ts";

/** What all subscribers of an isolate have heard, added up. */
export class Heard {
  delivered = 0;
  duplicated = 0;
  outOfOrder = 0;
  /** Subscribers that have heard a probe. */
  probed = 0;
  /** Time of the last arrival, in microseconds since 1970. */
  lastArrived = 0;
  readonly latency = new Histogram();
  readonly marks: MarkReader;
  readonly publishers: number;

  constructor(run: string, size: number, publishers: number) {
    this.marks = new MarkReader(run, size);
    this.publishers = publishers;
  }
}

/** What one subscriber hears. A message has arrived when the last byte of its frame has, as for any client. */
export class Listener {
  readonly tally: Tally;
  readonly #heard: Heard;
  /** Marks of a frame whose end is still to come: publisher, sequence, time; publisher, sequence, time ... */
  #early: number[] = [];
  #arrived = 0;
  #probed = false;
  readonly #count: OnMark;
  readonly #keep: OnMark;

  constructor(heard: Heard) {
    this.#heard = heard;
    this.tally = new Tally(heard.publishers);
    this.#count = (publisher, sequence, time) => this.#take(publisher, sequence, time);
    this.#keep = (publisher, sequence, time) => void this.#early.push(publisher, sequence, time);
  }

  readonly onData: OnData = (bytes, start, end, last) => {
    const { marks } = this.#heard;
    if (!last) return marks.read(bytes, start, end, this.#keep);
    this.#arrived = now();
    const early = this.#early;
    for (let i = 0; i < early.length; i += 3) this.#take(early[i]!, early[i + 1]!, early[i + 2]!);
    if (early.length > 0) this.#early = [];
    return marks.read(bytes, start, end, this.#count);
  };

  #take(publisher: number, sequence: number, time: number): void {
    const heard = this.#heard;
    if (publisher < heard.publishers) {
      this.tally.take(publisher, sequence, heard);
      heard.latency.record(this.#arrived - time);
      heard.lastArrived = this.#arrived;
    } else if (publisher === PROBE && !this.#probed) {
      this.#probed = true;
      heard.probed += 1;
    }
  }
}
