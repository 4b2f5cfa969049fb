/**
 * Who hears which channel, over all edges, where a rule has presence.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { PageRequest, PresencePage, Present } from "../types.ts";
import type { Admitted } from "./guard.ts";

/** What a {@linkcode Presence} tells. */
export interface PresenceOptions {
  /** The session has come to the channel, or has gone, or is shown otherwise. */
  readonly onChange?: (channel: string, session: Admitted) => void;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** A session on a channel. */
interface Place {
  /** Ascending on its channel; never used again. */
  readonly number: number;
  readonly room: Room;
  /** As it is shown; nothing of a place that is empty. */
  present: Present | undefined;
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
    const place = { number: ++this.#last, room: this, present };
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
  readonly #onChange: (channel: string, session: Admitted) => void;
  readonly #now: () => number;
  readonly #rooms = new Map<string, Room>();
  /** Where each session is, if anywhere. */
  readonly #places = new Map<Admitted, Place[]>();
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
    const places = this.#places.get(session) ?? [];
    if (places.some(({ room }) => room.channel === channel)) return;
    const room = this.#rooms.get(channel) ?? new Room(channel);
    this.#rooms.set(channel, room);
    places.push(room.add(shown(session, this.#now())));
    this.#places.set(session, places);
    this.#size++;
    this.#onChange(channel, session);
  }

  /** The session does not hear the channel any more. Idempotent. */
  leave(session: Admitted, channel: string): void {
    const places = this.#places.get(session);
    const index = places?.findIndex(({ room }) => room.channel === channel) ?? -1;
    if (!places || index < 0) return;
    const [place] = places.splice(index, 1);
    if (places.length === 0) this.#places.delete(session);
    this.#empty(session, place!);
  }

  /** The session is gone. */
  remove(session: Admitted): void {
    const places = this.#places.get(session);
    this.#places.delete(session);
    for (const place of places ?? []) this.#empty(session, place);
  }

  /** The session's user or info has changed. */
  identified(session: Admitted): void {
    for (const place of this.#places.get(session) ?? []) {
      const { room, present } = place;
      if (!present || present.user === session.user && present.info === session.info) continue;
      room.show(place, shown(session, present.since));
      this.#onChange(room.channel, session);
    }
  }

  /** How the session is shown on the channel; undefined when it is not there. The same until that changes. */
  find(channel: string, session: Admitted): Present | undefined {
    return this.#places.get(session)?.find(({ room }) => room.channel === channel)?.present;
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

  #empty(session: Admitted, place: Place): void {
    const { room } = place;
    room.remove(place);
    if (room.count === 0) this.#rooms.delete(room.channel);
    this.#size--;
    this.#onChange(room.channel, session);
  }
}

function shown({ id, user, info }: Admitted, since: number): Present {
  return { session: id, ...(user === undefined ? {} : { user }), ...(info === undefined ? {} : { info }), since };
}
