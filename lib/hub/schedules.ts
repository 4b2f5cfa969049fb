/**
 * Publications that are to be made later.
 *
 * @module
 */
import { decodeScheduleRecord, encodeScheduleRecord } from "../codecs/schedule.ts";
import { Deadlines } from "../deadlines.ts";
import { ERRORS, GongError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { startTimer, type Timer } from "../timer.ts";
import type {
  Broker,
  Draft,
  PageRequest,
  PutOptions,
  RecordChange,
  Schedule,
  ScheduleOrder,
  SchedulePage,
} from "../types.ts";
import { isPeriodic, nextTime } from "../when.ts";
import { Firing, type FiringOptions } from "./firing.ts";
import { ScheduleBook } from "./schedule_book.ts";

/** What {@linkcode Schedules} are made of. */
export interface SchedulesOptions extends FiringOptions {
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "count">;
  readonly broker: Pick<Broker, "record" | "records" | "capabilities">;
  /** Whether whoever has that name may publish to the channel now. */
  readonly may: (creator: string, channel: string) => boolean;
  /** Schedules at once. */
  readonly max: number;
  /** Where several nodes have the same records. */
  readonly shared?: SharedSchedules;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Default `setTimeout`. */
  readonly timer?: Timer;
}

/** What there is to know of other nodes. */
export interface SharedSchedules {
  /** How many nodes come before this one: the first fires at once, and the others only if it did not. */
  rank(): number;
  /** The schedule of this id has changed: the others may want to know. */
  changed(schedule: string): void;
}

type Outcome = "published" | "refused" | "late" | "skipped";

/** When something is to be done about a schedule. */
interface Wake {
  readonly id: string;
  readonly due: number;
}

const PREFIX = "schedule:";
/** How long what fired once is kept, in milliseconds. */
const KEPT = 86_400_000;
/** Clocks jump: the next time is looked at again after so long at most, in milliseconds. */
const LONGEST = 60_000;
/** How long those that are due follow each other before somebody who wants to change something has a turn. */
const SLICE = 100;
/** Before what could not be published is tried again, in milliseconds. */
const RETRY = 1000;
/** How much later each node fires than the one before it, in milliseconds. */
const HANDICAP = 1000;
/** How often all records are read again where others change them too, in milliseconds: a word of that may be lost. */
const RELOAD = 10_000;
/** How often a change is tried that another node was faster than. */
const MOST_TRIES = 5;
const APART = "This broker cannot publish to several channels in one step: each needs a schedule of its own.";

/**
 * All schedules, the same in memory as in the broker's records. Changes and firings come one after the other, so that
 * none undoes another. What was due while nothing ran fires late if it is to fire once, and is passed over if not.
 *
 * Where several nodes have them, a record is changed only if it is still what this node knows, in one step with what is
 * published: so each time that is due one node publishes it, whichever lives, and no other does. {@linkcode Firing} says
 * what is so where that cannot be one step.
 */
export class Schedules {
  readonly #options: SchedulesOptions;
  readonly #now: () => number;
  readonly #timer: Timer;
  readonly #book: ScheduleBook;
  readonly #firing: Firing;
  readonly #wakes = new Deadlines<Wake>(({ id, due }) => this.#wakeOf(id) === due);
  readonly #started: number;
  /** The records as the broker has them, by id; those that are damaged too. */
  readonly #texts = new Map<string, string>();
  readonly #loaded: Promise<void>;
  #last: Promise<unknown>;
  #stopTimer: () => void = () => {};
  #stopReloading: () => void = () => {};
  #closed = false;

  constructor(options: SchedulesOptions) {
    const { now = Date.now, timer = startTimer } = options;
    this.#options = options;
    this.#book = new ScheduleBook(options.max);
    this.#firing = new Firing(options);
    this.#now = now;
    this.#timer = timer;
    this.#started = now();
    this.#last = this.#loaded = this.#load();
    if (options.shared) this.#reloadLater();
  }

  get size(): number {
    return this.#book.size;
  }

  async list(page: PageRequest & { creator?: string }): Promise<SchedulePage> {
    await this.#loaded;
    return this.#book.list(page);
  }

  async get(id: string): Promise<Schedule | undefined> {
    await this.#loaded;
    if (this.#options.shared) await this.refresh(id);
    return this.#book.get(id);
  }

  /** Another node has changed it, perhaps. */
  refresh(id: string): Promise<void> {
    return this.#inTurn(() => this.#refresh(id));
  }

  /** As {@linkcode HubClient.putSchedule}. */
  put(order: ScheduleOrder, { replace, owner }: PutOptions): Promise<{ schedule: Schedule; created: boolean }> {
    const { id, channels } = order;
    return this.#change(id, async () => {
      if (channels.length > 1 && !this.#options.broker.capabilities.atomic) throw new GongError("bad_request", APART);
      const known = this.#book.get(id);
      if (known && !replace) throw new GongError("conflict", "There is a schedule of this id.", { field: "/id" });
      if (known && owner !== undefined && known.creator !== owner) {
        throw new GongError("forbidden", "The schedule of this id is another key's.");
      }
      const created = this.#now();
      const next = nextTime(order.when, created, "at" in order.when ? order.when.at - 1 : created);
      const schedule: Schedule = { ...order, created, ...(next === undefined ? {} : { next }) };
      const gone = this.#book.roomFor(schedule);
      await this.#record([...gone.map((id) => ({ key: PREFIX + id })), recordOf(schedule)]);
      for (const id of gone) this.#delete(id);
      this.#firing.forget(id);
      this.#set(schedule);
      return { schedule, created: known === undefined };
    });
  }

  /** As {@linkcode HubClient.cancelSchedule}. */
  cancel(id: string, owner?: string): Promise<boolean> {
    return this.#change(id, async () => {
      const known = this.#book.get(id);
      if (!known || owner !== undefined && known.creator !== owner) return false;
      await this.#drop(id);
      return true;
    });
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer();
    this.#stopReloading();
    await this.#last;
  }

  async #load(): Promise<void> {
    try {
      for (const [key, text] of await this.#options.broker.records(PREFIX)) this.#take(key, text);
    } catch (error) {
      // A broker that never began, or is closed, will not answer.
      if (this.#closed || error instanceof GongError && error.code === "going_away") return;
      this.#options.log.error("schedules.unread", { error: String(error) });
      await new Promise<void>((resolve) => this.#timer(RETRY, resolve));
      return await this.#load();
    }
    this.#plan();
  }

  /** One that is damaged stays where it is: somebody may want to know what it was. */
  #take(key: string, text: string): void {
    const { log, shared } = this.#options;
    this.#texts.set(key.slice(PREFIX.length), text);
    try {
      const schedule = decodeScheduleRecord(text);
      const { id, when, created, next } = schedule;
      if (PREFIX + id !== key) throw new TypeError("its id is that of another");
      const later = nextTime(when, created, this.#started);
      // Where another node runs it is not passed over: it may be firing now.
      const isMissed = next !== undefined && next <= this.#started && !shared?.rank();
      if (!isMissed || !isPeriodic(when)) return this.#set(schedule, text);
      this.#set({ ...withoutNext(schedule), ...(later === undefined ? {} : { next: later }) }, text);
      this.#skip(id, next);
    } catch (error) {
      log.error("schedule.damaged", { key, error: String(error) });
    }
  }

  /** As of what the broker has now; once more where another node has changed it meanwhile. */
  #change<T>(id: string, change: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      if (!this.#options.shared) return await change();
      for (let tries = 1;; tries++) {
        await this.#refresh(id);
        const known = this.#texts.get(id);
        try {
          return await change();
        } catch (error) {
          if (!isConflict(error) || tries === MOST_TRIES) throw error;
          await this.#refresh(id);
          // What was refused is not what another node has done.
          if (this.#texts.get(id) === known) throw error;
        }
      }
    });
  }

  async #refresh(id: string): Promise<void> {
    const key = PREFIX + id;
    this.#compare(id, (await this.#options.broker.records(key)).get(key));
  }

  /** Takes over what another node has changed. */
  #compare(id: string, text: string | undefined): void {
    if (text === this.#texts.get(id)) return;
    this.#delete(id);
    if (text !== undefined) this.#take(PREFIX + id, text);
  }

  #reloadLater(): void {
    this.#stopReloading = this.#timer(RELOAD, () => {
      this.#inTurn(async () => {
        const records = await this.#options.broker.records(PREFIX);
        const ids = [...records.keys()].map((key) => key.slice(PREFIX.length));
        for (const id of new Set([...this.#texts.keys(), ...ids])) this.#compare(id, records.get(PREFIX + id));
      }).catch(() => {}).finally(() => this.#closed || this.#reloadLater());
    });
  }

  /** Changes records, if they are what they were here, and tells the others. */
  async #record(changes: readonly RecordChange[]): Promise<void> {
    await this.#options.broker.record(changes.map((change) => this.#conditional(change)));
    for (const { key } of changes) this.#options.shared?.changed(key.slice(PREFIX.length));
  }

  #conditional(change: RecordChange): RecordChange {
    if (!this.#options.shared) return change;
    const was = this.#texts.get(change.key.slice(PREFIX.length));
    return was === undefined ? { ...change, isNew: true } : { ...change, was };
  }

  /** Runs what changes something when everything before it is done. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      if (this.#closed) throw new GongError("going_away");
      return change();
    });
    this.#last = result.then(() => this.#plan(), () => this.#plan());
    return result;
  }

  #plan(): void {
    this.#stopTimer();
    const next = this.#wakes.next;
    if (next === undefined || this.#closed) return;
    const wait = Math.min(LONGEST, Math.max(0, next - this.#time()));
    this.#stopTimer = this.#timer(wait, () => void this.#inTurn(() => this.#fireDue()).catch(() => {}));
  }

  async #fireDue(): Promise<void> {
    const end = this.#now() + SLICE;
    while (!this.#closed && this.#now() <= end) {
      const wake = this.#wakes.take(this.#time());
      if (!wake) return;
      const { id, due } = wake;
      const schedule = this.#book.get(id);
      if (!schedule || this.#wakeOf(id) !== due) continue;
      try {
        if (schedule.next === undefined) await this.#drop(id);
        else await this.#fire(schedule, schedule.next);
      } catch (error) {
        this.#options.log.error("schedule.failed", { id, error: String(error) });
        this.#wakes.add(this.#now() + RETRY, wake);
      }
    }
  }

  /** Publishes what is due, and notes in the same step that it was; or comes back to it, when that may help. */
  async #fire(schedule: Schedule, due: number): Promise<void> {
    const { id, creator, channels, message, when, created } = schedule;
    const time = this.#now();
    // What was over already when it was made is not late for want of a server.
    const isLate = Math.max(due, created) < this.#started;
    const following = nextTime(when, created, due);
    const settle = (refused?: string, next = nextTime(when, created, Math.max(due, time))): Schedule => ({
      ...withoutNext(schedule),
      ...(next === undefined ? {} : { next }),
      last: { due, time, ...(isLate ? { late: true } : {}), ...(refused === undefined ? {} : { refused }) },
    });
    const denied = channels.find((channel) => !this.#options.may(creator, channel));
    if (denied !== undefined) return await this.#refuse(settle("forbidden"), "forbidden");
    const drafts = channels.map((channel): Draft => {
      return { ...message, channel, id: `schedule:${id}:${due}`, publisher: creator };
    });
    const published = settle();
    const change = this.#conditional(recordOf(published));
    const results = await this.#firing.fire({ id, due, drafts, change });
    const failed = results.find((result) => "error" in result);
    if (failed && "error" in failed) {
      const { code } = GongError.fromRefusal(failed.error);
      if (code === "conflict" && await this.#isOthers(id)) return;
      if (!ERRORS[code].retry) return await this.#refuse(settle(code), code);
      // The next time may be there before this one was possible.
      if (following !== undefined && following <= this.#now()) return await this.#refuse(settle(code, following), code);
      this.#wakes.add(this.#now() + RETRY, { id, due });
      return;
    }
    this.#set(published);
    this.#options.shared?.changed(id);
    this.#count(isLate ? "late" : "published");
    if (isLate) this.#options.log.warning("schedule.late", { id, seconds: Math.round((time - due) / 1000) });
    // The machine slept, or its clock was set.
    if (following !== undefined && following <= time) this.#skip(id, following);
  }

  /** What was due then, and perhaps more after it, is passed over. */
  #skip(id: string, due: number): void {
    this.#count("skipped");
    this.#options.log.warning("schedule.skipped", { id, due });
  }

  /** One that is refused every second is worth one line. */
  async #refuse(schedule: Schedule, code: string): Promise<void> {
    const { id } = schedule;
    const isNews = this.#book.get(id)?.last?.refused !== code;
    try {
      await this.#record([recordOf(schedule)]);
    } catch (error) {
      if (isConflict(error) && await this.#isOthers(id)) return;
      throw error;
    }
    this.#set(schedule);
    this.#count("refused");
    if (isNews) this.#options.log.warning("schedule.refused", { id, code });
  }

  async #drop(id: string): Promise<void> {
    await this.#record([{ key: PREFIX + id }]);
    this.#delete(id);
  }

  #delete(id: string): void {
    this.#book.delete(id);
    this.#firing.forget(id);
    this.#texts.delete(id);
  }

  /** Whether another node has changed it, which is taken over then. */
  async #isOthers(id: string): Promise<boolean> {
    if (!this.#options.shared) return false;
    const known = this.#texts.get(id);
    await this.#refresh(id);
    return this.#texts.get(id) !== known;
  }

  /** What time it is for this node to fire. */
  #time(): number {
    return this.#now() - HANDICAP * (this.#options.shared?.rank() ?? 0);
  }

  /** @param text as the broker has it */
  #set(schedule: Schedule, text = encodeScheduleRecord(schedule)): void {
    this.#book.set(schedule);
    const { id } = schedule;
    this.#texts.set(id, text);
    const due = this.#wakeOf(id);
    if (due !== undefined) this.#wakes.add(due, { id, due });
  }

  /** When the schedule has to be looked at: when it is due, or has been kept long enough. */
  #wakeOf(id: string): number | undefined {
    const schedule = this.#book.get(id);
    return schedule && (schedule.next ?? (schedule.last?.time ?? schedule.created) + KEPT);
  }

  #count(outcome: Outcome): void {
    this.#options.metrics.count("gong_schedule_runs_total", { outcome });
  }
}

function recordOf(schedule: Schedule): RecordChange {
  return { key: PREFIX + schedule.id, value: encodeScheduleRecord(schedule) };
}

function isConflict(error: unknown): boolean {
  return error instanceof GongError && error.code === "conflict";
}

function withoutNext({ next: _, ...schedule }: Schedule): Schedule {
  return schedule;
}
