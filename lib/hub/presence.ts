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
/** What {@linkcode PresencePage.next} is made of: the number of a place. */
const TOKEN = /^[0-9a-z]{1,10}$/;

/** A channel that somebody is on. */
class Room {
  readonly channel: string;
  /** Sessions of each user. */
  readonly users = new Map<string, number>();
  /** Sessions. */
  count = 0;
  /** In the order of joining, which is that of the numbers; some are empty. */
  #places: Place[] = [];
  #last = 0;

  constructor(channel: string) {
    this.channel = channel;
  }

  add(present: Present): Place {
    const { channel } = this;
    const place: Place = { number: ++this.#last, channel, present, next: undefined, told: undefined };
    this.#places.push(place);
    this.count++;
    this.#countUser(present.user, 1);
    return place;
  }

  remove(place: Place): void {
    this.#countUser(place.present?.user, -1);
    this.count--;
    place.present = undefined;
    // Not each one that goes moves all who came later.
    if (this.#places.length > 2 * this.count + SPARE) this.#places = this.#places.filter(({ present }) => present);
  }

  show(place: Place, present: Present): void {
    this.#countUser(place.present?.user, -1);
    place.present = present;
    this.#countUser(present.user, 1);
  }

  page(limit: number, after: number): PresencePage {
    const page = { count: this.count, users: this.users.size, present: [] as Present[] };
    if (limit === 0) return page;
    let last = after;
    for (let index = this.#indexAfter(after); index < this.#places.length; index++) {
      const { number, present } = this.#places[index]!;
      if (!present) continue;
      if (page.present.length === limit) return { ...page, next: last.toString(36) };
      page.present.push(present);
      last = number;
    }
    return page;
  }

  #indexAfter(number: number): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#places[middle]!.number > number) high = middle;
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

  constructor({ onChange = () => {}, now = Date.now }: PresenceOptions = {}) {
    this.#onChange = onChange;
    this.#now = now;
  }

  /** Sessions on channels: one that is on two counts twice. */
  get size(): number {
    return this.#size;
  }

  /** The session hears the channel from now on. Idempotent. */
  join(session: Admitted, channel: string): void {
    if (find(session, channel)) return;
    let room = this.#rooms.get(channel);
    if (!room) this.#rooms.set(channel, room = new Room(channel));
    const place = room.add(shown(session, this.#now()));
    place.next = session.place;
    session.place = place;
    this.#size++;
    this.#onChange(place);
  }

  /** The session does not hear the channel any more. Idempotent. */
  leave(session: Admitted, channel: string): void {
    const place = find(session, channel);
    if (!place) return;
    takeOut(session, place);
    this.#empty(place);
  }

  /** The session is gone. */
  remove(session: Admitted): void {
    for (const place of placesOf(session)) this.#empty(place);
    session.place = undefined;
  }

  /** The session's user or info has changed. */
  identified(session: Admitted): void {
    for (const place of placesOf(session)) {
      const { channel, present } = place;
      if (!present || present.user === session.user && present.info === session.info) continue;
      this.#rooms.get(channel)!.show(place, shown(session, present.since));
      this.#onChange(place);
    }
  }

  /**
   * How many are there, at a cost that does not grow with them, and one page in the order of joining.
   *
   * @param page `limit` 0 only counts
   * @throws {GongError} `bad_request` for an `after` that no page has had as its `next`
   */
  page(channel: string, { limit, after }: PageRequest): PresencePage {
    if (after !== undefined && !TOKEN.test(after)) {
      throw new GongError("bad_request", "`after` has to be the `next` of a page.", { field: "after" });
    }
    const number = after === undefined ? 0 : parseInt(after, 36);
    return this.#rooms.get(channel)?.page(limit, number) ?? { count: 0, users: 0, present: [] };
  }

  #empty(place: Place): void {
    const { channel } = place;
    const room = this.#rooms.get(channel)!;
    room.remove(place);
    if (room.count === 0) this.#rooms.delete(channel);
    this.#size--;
    this.#onChange(place);
  }
}

function* placesOf(session: Admitted): Generator<Place> {
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
