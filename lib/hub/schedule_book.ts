/**
 * The schedules that there are: by id, in order, and within bounds.
 *
 * @module
 */
import { sizeOf } from "../bytes.ts";
import { GongError } from "../errors.ts";
import type { PageRequest, Schedule, SchedulePage } from "../types.ts";

/** Bytes of the data of all of them. */
const MAX_BYTES = 64 * 2 ** 20;
/** Bytes of the data of one page; a single one is answered whatever its size. */
const PAGE = 4 * 2 ** 20;

/** Holds schedules. Nothing happens to them here. */
export class ScheduleBook {
  readonly #max: number;
  readonly #schedules = new Map<string, Schedule>();
  /** Ids in order, until something changes. */
  #sorted: string[] | undefined;
  #bytes = 0;

  /** @param max schedules at once */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#schedules.size;
  }

  get(id: string): Schedule | undefined {
    return this.#schedules.get(id);
  }

  /** Puts it in, in the place of one of its id. */
  set(schedule: Schedule): void {
    this.delete(schedule.id);
    this.#schedules.set(schedule.id, schedule);
    this.#sorted = undefined;
    this.#bytes += bytesOf(schedule);
  }

  delete(id: string): void {
    const known = this.#schedules.get(id);
    if (!known) return;
    this.#schedules.delete(id);
    this.#bytes -= bytesOf(known);
    this.#sorted = undefined;
  }

  /** One page in the order of the ids, of all or of one creator. */
  list({ limit, after = "", creator }: PageRequest & { creator?: string }): SchedulePage {
    const ids = this.#sorted ??= [...this.#schedules.keys()].sort();
    const all = ids.map((id) => this.#schedules.get(id)!)
      .filter((schedule) => creator === undefined || schedule.creator === creator);
    const rest = all.filter(({ id }) => id > after);
    const schedules = rest.slice(0, limit);
    let bytes = 0;
    const end = schedules.findIndex((one, index) => (bytes += bytesOf(one)) > PAGE && index > 0);
    if (end > 0) schedules.length = end;
    const page = { schedules, total: all.length };
    return rest.length > schedules.length ? { ...page, next: schedules.at(-1)!.id } : page;
  }

  /**
   * Ids of what has to go so that there is room for it: what does not fire any more, the oldest first.
   *
   * @throws {GongError} `too_many`
   */
  roomFor(schedule: Schedule): string[] {
    const known = this.#schedules.get(schedule.id);
    const bytes = this.#bytes + bytesOf(schedule) - (known ? bytesOf(known) : 0);
    const count = this.#schedules.size + (known ? 0 : 1);
    const gone: string[] = [];
    let freed = 0;
    const isOver = () => count - gone.length > this.#max || bytes - freed > MAX_BYTES;
    if (!isOver()) return gone;
    const done = [...this.#schedules.values()].filter((one) => one.next === undefined && one !== known);
    for (const one of done.sort((a, b) => (a.last?.time ?? 0) - (b.last?.time ?? 0))) {
      gone.push(one.id);
      freed += bytesOf(one);
      if (!isOver()) return gone;
    }
    throw new GongError("too_many", `There may be at most ${this.#max} schedules, with ${MAX_BYTES} bytes of data.`);
  }
}

function bytesOf({ message, channels }: Schedule): number {
  return sizeOf(message) + channels.reduce((sum, channel) => sum + channel.length, 0);
}
