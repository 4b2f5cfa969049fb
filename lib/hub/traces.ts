/**
 * What became of traced publications: by their ids, for as long as there is room.
 *
 * @module
 */
import type { Budget } from "../budget.ts";
import type { TraceCount } from "../methods.ts";
import type { Draft, NodeTrace, Position, Publication, PublishResult, Trace } from "../types.ts";

/** The part of the budget that notes may take. */
const SHARE = 1 / 16;
/** What a note takes beside its texts, in bytes: 570 measured, with its places in maps and set (Deno 2.9.6). */
const OVERHEAD = 600;
/** Notes of one id that are answered, the newest. */
const MOST = 1000;

/** How often a publication was queued and dropped, whatever notes tell of it. */
interface Counts {
  queued: number;
  dropped: Record<string, number>;
}

interface Note {
  readonly id: string;
  /** Unique within its id. */
  readonly key: string;
  readonly trace: NodeTrace;
  /** Not of what was refused, nor of what repeats a publication of which nothing is noted. */
  readonly counts: Counts | undefined;
  readonly bytes: number;
}

/** What {@linkcode Traces} go by. */
export interface TracesOptions {
  /** Whether other nodes may have noted what is not noted here. Default: there are none. */
  readonly isShared?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Notes of one hub. */
export class Traces {
  readonly #budget: Budget;
  readonly #most: number;
  readonly #isShared: boolean;
  readonly #now: () => number;
  readonly #byId = new Map<string, Map<string, Note>>();
  /** All of them, the oldest first. */
  readonly #notes = new Set<Note>();
  #bytes = 0;

  /** @param budget what notes take a part of, at most a sixteenth; they go when there is no other room */
  constructor(budget: Budget, { isShared = false, now = Date.now }: TracesOptions = {}) {
    this.#budget = budget;
    this.#most = budget.limit * SHARE;
    this.#isShared = isShared;
    this.#now = now;
    budget.lend(() => this.#forgetOldest());
  }

  /** Notes there are. */
  get size(): number {
    return this.#notes.size;
  }

  /** What they take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Notes those that are traced: they are numbered. */
  announced(publications: readonly Publication[]): void {
    for (const publication of publications) {
      if (!publication.trace) continue;
      const { id, channel, time } = publication;
      if (id !== undefined) this.#accept(id, channel, publication, time);
    }
  }

  /** Notes what the publisher is answered, of those that are traced. */
  settled(drafts: readonly Draft[], results: readonly PublishResult[]): void {
    for (let i = 0; i < drafts.length; i++) {
      const { trace, id, channel } = drafts[i]!;
      if (!trace || id === undefined) continue;
      const result = results[i]!;
      if ("error" in result) this.#refuse(id, channel, result.error.code);
      else if (result.repeated) this.#repeat(id, channel, result);
      // It may have been announced where this hub does not hear it.
      else this.#accept(id, channel, result, this.#now());
    }
  }

  /** Adds what an edge did; of what is not noted any more, nothing, unless another node may have noted it. */
  count(counts: readonly TraceCount[]): void {
    for (const { id, channel, queued, slow, ...position } of counts) {
      const known = this.#countsOf(id, channel, position);
      if (!known) continue;
      known.queued += queued;
      if (slow > 0) known.dropped.slow = (known.dropped.slow ?? 0) + slow;
    }
  }

  /** What is noted of an id, the newest so many of it, the oldest first. */
  get(id: string): NodeTrace[] {
    return Array.from(this.#byId.get(id)?.values() ?? [], ({ trace, counts }) => {
      return counts ? { ...trace, queued: counts.queued, dropped: { ...counts.dropped } } : trace;
    }).slice(-MOST);
  }

  #countsOf(id: string, channel: string, { epoch, offset }: Position): Counts | undefined {
    const key = keyOf(channel, { epoch, offset });
    const note = this.#byId.get(id)?.get(key);
    if (note || !this.#isShared) return note?.counts;
    const counts: Counts = { queued: 0, dropped: {} };
    this.#note(id, key, { channel, time: this.#now(), epoch, offset, partial: true }, counts);
    return counts;
  }

  #accept(id: string, channel: string, { epoch, offset }: Position, time: number): void {
    const key = keyOf(channel, { epoch, offset });
    const known = this.#byId.get(id)?.get(key);
    if (known && !known.trace.partial) return;
    this.#note(id, key, { channel, time, epoch, offset }, known?.counts ?? { queued: 0, dropped: {} });
  }

  /** However often it is repeated, the last time is what counts. */
  #repeat(id: string, channel: string, { epoch, offset }: Position): void {
    const key = keyOf(channel, { epoch, offset });
    const trace: Trace = { channel, time: this.#now(), epoch, offset, repeated: true };
    this.#note(id, `${key} repeated`, trace, this.#byId.get(id)?.get(key)?.counts);
  }

  #refuse(id: string, channel: string, code: string): void {
    this.#note(id, `${channel} refused ${code}`, { channel, time: this.#now(), refused: code });
  }

  /** Notes it as the newest, in place of what has the same key, and makes room. */
  #note(id: string, key: string, trace: NodeTrace, counts?: Counts): void {
    this.#forget(this.#byId.get(id)?.get(key));
    const bytes = OVERHEAD + id.length + trace.channel.length + key.length;
    const note: Note = { id, key, trace, counts, bytes };
    const siblings = this.#byId.get(id);
    if (siblings) siblings.set(key, note);
    else this.#byId.set(id, new Map([[key, note]]));
    this.#notes.add(note);
    this.#bytes += bytes;
    this.#budget.take(bytes);
    while (this.#bytes > this.#most) this.#forgetOldest();
  }

  #forgetOldest(): boolean {
    const [oldest] = this.#notes;
    this.#forget(oldest);
    return oldest !== undefined;
  }

  #forget(note: Note | undefined): void {
    if (!note || !this.#notes.delete(note)) return;
    this.#bytes -= note.bytes;
    this.#budget.give(note.bytes);
    const siblings = this.#byId.get(note.id)!;
    siblings.delete(note.key);
    if (siblings.size === 0) this.#byId.delete(note.id);
  }
}

/**
 * What all nodes have noted of an id, as one alone would have noted it: the oldest first; undefined when that is nothing.
 * What is only told in part is nothing where nobody has noted the rest any more.
 */
export function joinTraces(notes: readonly NodeTrace[]): Trace[] | undefined {
  const byKey = new Map<string, NodeTrace>();
  for (const part of [false, true]) {
    for (const note of notes) {
      if (("partial" in note) !== part) continue;
      const key = keyOfTrace(note);
      const other = byKey.get(key);
      if (other || !part) byKey.set(key, other ? join(other, note) : note);
    }
  }
  if (byKey.size === 0) return undefined;
  return Array.from(byKey.values(), (note) => {
    if ("refused" in note || !note.repeated) return note;
    // However often it is repeated, it was published once.
    const { queued, dropped } = { ...note, ...byKey.get(keyOf(note.channel, note)) };
    return queued === undefined || dropped === undefined ? note : { ...note, queued, dropped };
  }).sort((one, other) => one.time - other.time).slice(-MOST);
}

/** Of two notes of the same: the sum, or of what happens again and again the last. */
function join(one: NodeTrace, other: NodeTrace): NodeTrace {
  if ("refused" in one || "refused" in other || one.repeated) return one.time > other.time ? one : other;
  const dropped = { ...one.dropped };
  for (const [reason, count] of Object.entries(other.dropped ?? {})) dropped[reason] = (dropped[reason] ?? 0) + count;
  const time = other.partial ? one.time : Math.min(one.time, other.time);
  return { ...one, time, queued: (one.queued ?? 0) + (other.queued ?? 0), dropped };
}

function keyOfTrace(trace: Trace): string {
  if ("refused" in trace) return `${trace.channel} refused ${trace.refused}`;
  return keyOf(trace.channel, trace) + (trace.repeated ? " repeated" : "");
}

/** No channel has a space in its name. */
function keyOf(channel: string, { epoch, offset }: Position): string {
  return `${channel} ${epoch}:${offset}`;
}
