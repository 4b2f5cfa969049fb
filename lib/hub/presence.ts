/**
 * Who hears which channel, over all edges, where a rule has presence.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { PageRequest, PresencePage, Present } from "../types.ts";
import type { Admitted, Place } from "./admitted.ts";

/** What a {@linkcode Presence} tells. */
export interface PresenceOptions {
  /** The place was taken, or is empty now, or is shown otherwise. */
  readonly onChange?: (place: Place) => void;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** How many empty places a channel may have beside as many as are taken. */
const SPARE = 32;
/** Fractions of a millisecond that tell apart what was taken within it. */
const FRACTIONS = 1024;
/** What {@linkcode PresencePage.next} is made of, on every node: when a place was taken, in fractions, and its session. */
const TOKEN = /^([0-9a-z]{1,11})_(.{1,64})$/;

/** By what places have their order. */
type Rank = Pick<Place, "at" | "session">;

/** When a place was taken: as it is shown, and as {@linkcode Place.at}. */
export type When = { readonly since: number; readonly at: number };

/** A channel that somebody is on. */
class Room {
  readonly channel: string;
  /** Sessions of each user. */
  readonly users = new Map<string, number>();
  /** Sessions. */
  count = 0;
  /** In the order of joining; some are empty. */
  #places: Place[] = [];
  /** Those that began before others that were there already, in no order: they come to their places when somebody looks. */
  #late: Place[] = [];

  constructor(channel: string) {
    this.channel = channel;
  }

  add(present: Present, at: number): Place {
    const { channel } = this;
    const place: Place = { channel, at, session: present.session, present, next: undefined, told: undefined };
    const last = this.#places.at(-1);
    // What another node tells of may have begun before what is here.
    if (!last || isBehind(place, last)) this.#places.push(place);
    else this.#late.push(place);
    this.count++;
    this.#countUser(present.user, 1);
    return place;
  }

  remove(place: Place): void {
    this.#countUser(place.present?.user, -1);
    this.count--;
    place.present = undefined;
    // Not each one that goes moves all who came later.
    if (this.#places.length + this.#late.length <= 2 * this.count + SPARE) return;
    this.#places = this.#places.filter(({ present }) => present);
    this.#late = this.#late.filter(({ present }) => present);
  }

  show(place: Place, present: Present): void {
    this.#countUser(place.present?.user, -1);
    place.present = present;
    this.#countUser(present.user, 1);
  }

  page(limit: number, after: Rank | undefined): PresencePage {
    const page = { count: this.count, users: this.users.size, present: [] as Present[] };
    if (limit === 0) return page;
    this.#order();
    let last: Rank | undefined;
    for (let index = after ? this.#indexAfter(after) : 0; index < this.#places.length; index++) {
      const place = this.#places[index]!;
      if (!place.present) continue;
      if (page.present.length === limit && last) return { ...page, next: toToken(last) };
      page.present.push(place.present);
      last = place;
    }
    return page;
  }

  /** Only those behind the first of the late ones move, however many they are. */
  #order(): void {
    const late = this.#late.sort(compare);
    if (!late[0]) return;
    this.#late = [];
    const behind = this.#places.splice(this.#indexAfter(late[0]));
    for (const place of late.concat(behind).sort(compare)) this.#places.push(place);
  }

  #indexAfter(rank: Rank): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBehind(this.#places[middle]!, rank)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #countUser(user: string | undefined, by: 1 | -1): void {
    if (user === undefined) return;
    const count = (this.users.get(user) ?? 0) + by;
    if (count > 0) this.users.set(user, count);
    else this.users.delete(user);
  }
}

/** Who is where. */
export class Presence {
  readonly #onChange: (place: Place) => void;
  readonly #now: () => number;
  readonly #rooms = new Map<string, Room>();
  #size = 0;
  /** When the last place was taken. */
  #last = 0;

  constructor({ onChange = () => {}, now = Date.now }: PresenceOptions = {}) {
    this.#onChange = onChange;
    this.#now = now;
  }

  /** Sessions on channels: one that is on two counts twice. */
  get size(): number {
    return this.#size;
  }

  /** The session hears the channel from now on, or since then elsewhere; answers its place there if it had none. */
  join(session: Admitted, channel: string, { since, at } = this.#clock()): Place | undefined {
    if (find(session, channel)) return undefined;
    let room = this.#rooms.get(channel);
    if (!room) this.#rooms.set(channel, room = new Room(channel));
    const place = room.add(shown(session, since), at);
    place.next = session.place;
    session.place = place;
    this.#size++;
    this.#changed(session, place);
    return place;
  }

  /** The session does not hear the channel any more; false when it did not before. */
  leave(session: Admitted, channel: string): boolean {
    const place = find(session, channel);
    if (!place) return false;
    takeOut(session, place);
    this.#empty(session, place);
    return true;
  }

  /** The session is gone. */
  remove(session: Admitted): void {
    for (const place of placesOf(session)) this.#empty(session, place);
    session.place = undefined;
  }

  /** The session's user or info has changed. */
  identified(session: Admitted): void {
    for (const place of placesOf(session)) {
      const { channel, present } = place;
      if (!present || present.user === session.user && present.info === session.info) continue;
      this.#rooms.get(channel)!.show(place, shown(session, present.since));
      this.#changed(session, place);
    }
  }

  /**
   * How many are there, at a cost that does not grow with them, and one page in the order of joining.
   *
   * @param page `limit` 0 only counts
   * @throws {GongError} `bad_request` for an `after` that no page has had as its `next`
   */
  page(channel: string, { limit, after }: PageRequest): PresencePage {
    const rank = after === undefined ? undefined : toRank(after);
    if (after !== undefined && !rank) {
      throw new GongError("bad_request", "`after` has to be the `next` of a page.", { field: "after" });
    }
    return this.#rooms.get(channel)?.page(limit, rank) ?? { count: 0, users: 0, present: [] };
  }

  #clock(): When {
    const since = this.#now();
    this.#last = since > this.#last ? since : this.#last + 1 / FRACTIONS;
    return { since, at: this.#last };
  }

  /** What is elsewhere is told of there. */
  #changed(session: Admitted, place: Place): void {
    if (!session.isElsewhere) this.#onChange(place);
  }

  #empty(session: Admitted, place: Place): void {
    const { channel } = place;
    const room = this.#rooms.get(channel)!;
    room.remove(place);
    if (room.count === 0) this.#rooms.delete(channel);
    this.#size--;
    this.#changed(session, place);
  }
}

/** Whether the one comes after the other. */
function isBehind(one: Rank, other: Rank): boolean {
  return compare(one, other) > 0;
}

function compare(one: Rank, other: Rank): number {
  return one.at - other.at || Number(one.session > other.session) - Number(one.session < other.session);
}

function toToken({ at, session }: Rank): string {
  return `${Math.round(at * FRACTIONS).toString(36)}_${session}`;
}

function toRank(token: string): Rank | undefined {
  const [, at, session] = TOKEN.exec(token) ?? [];
  return at === undefined || session === undefined ? undefined : { at: parseInt(at, 36) / FRACTIONS, session };
}

export function* placesOf(session: Admitted): Generator<Place> {
  for (let { place } = session; place; place = place.next) yield place;
}

function find(session: Admitted, channel: string): Place | undefined {
  for (const place of placesOf(session)) if (place.channel === channel) return place;
  return undefined;
}

function takeOut(session: Admitted, place: Place): void {
  if (session.place === place) session.place = place.next;
  else for (const other of placesOf(session)) if (other.next === place) other.next = place.next;
}

function shown({ id, user, info }: Admitted, since: number): Present {
  // One a session and channel: each of these takes what it holds and no more.
  if (user === undefined) return { session: id, since };
  return info === undefined ? { session: id, user, since } : { session: id, user, info, since };
}
