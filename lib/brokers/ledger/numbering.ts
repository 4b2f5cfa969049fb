/**
 * Numbers drafts: which are new, which repeat, and for which there is room.
 *
 * @module
 */
import { MESSAGE_OVERHEAD, sizeOf } from "../../bytes.ts";
import { GongError } from "../../errors.ts";
import { queueOf } from "../../reserved.ts";
import type { Draft, Publication, PublishResult } from "../../types.ts";
import type { Accounts } from "./accounts.ts";
import { growth } from "./bounds.ts";
import { digestOf, sizeOfId, toPlace, toPublication } from "./content.ts";
import type { QueueChange } from "./queue_change.ts";
import type { Channel, Store } from "./store.ts";

/** How much that is too old is looked at whenever something is published. */
const FEW = 100;

const TOO_MANY = new GongError("overloaded", "There are too many channels.", { retryAfter: 60 }).toRefusal();
const FULL = new GongError("overloaded", "There is no room for more history.", { retryAfter: 5 }).toRefusal();
const CONFLICT = new GongError("conflict", "This id was published under already, with other content.").toRefusal();

/** What became of the drafts of a call. */
export interface Numbered {
  readonly results: PublishResult[];
  /** What is new, in order. */
  readonly publications: readonly Publication[];
}

/** A draft with what was found out about it. */
interface Fitted {
  readonly draft: Draft;
  readonly channel: Channel;
  readonly digest: string;
  /** Bytes that are kept of it, and of its id. */
  readonly bytes: number;
  readonly idBytes: number;
}

/** One call of `publish`. */
export class Numbering {
  readonly #accounts: Accounts;
  readonly #store: Store;
  readonly #queues: QueueChange;
  readonly #now: number;
  /** Channels of the call: none of them is forgotten for another. */
  readonly #channels = new Set<Channel>();
  readonly #publications: Publication[] = [];

  constructor(accounts: Accounts, store: Store, queues: QueueChange, now: number) {
    this.#accounts = accounts;
    this.#store = store;
    this.#queues = queues;
    this.#now = now;
  }

  number(drafts: readonly Draft[], atomic: boolean): Numbered {
    for (const { channel: name } of drafts) {
      const channel = this.#accounts.find(name);
      if (!channel || this.#channels.has(channel)) continue;
      this.#channels.add(channel);
      this.#accounts.use(channel);
    }
    this.#accounts.sweep(this.#now, FEW);
    const results = atomic ? this.#takeAll(drafts) : drafts.map((draft) => this.#take(draft));
    return { results, publications: this.#publications };
  }

  #take(draft: Draft): PublishResult {
    const fitted = this.#fit(draft);
    if (!isFitted(fitted)) return fitted;
    const { channel, bytes, idBytes } = fitted;
    const need = () => idBytes + growth(this.#store, channel, [bytes]);
    return this.#accounts.makeRoom(need, this.#now, this.#channels) ? this.#add(fitted) : { error: FULL };
  }

  /** Finds out about each first: a draft that is refused refuses all before anything is numbered. */
  #takeAll(drafts: readonly Draft[]): PublishResult[] {
    const own = new Map<string, { digest: string; index: number }>();
    const found: (Fitted | PublishResult | { readonly repeats: number })[] = [];
    for (const [index, draft] of drafts.entries()) {
      const fitted = this.#fit(draft);
      if ("error" in fitted) return drafts.map(() => fitted);
      found.push(fitted);
      if (!isFitted(fitted) || draft.id === undefined) continue;
      const key = JSON.stringify([draft.channel, draft.publisher ?? "", draft.id]);
      const first = own.get(key);
      if (!first) own.set(key, { digest: fitted.digest, index });
      else if (first.digest === fitted.digest) found[index] = { repeats: first.index };
      else return drafts.map(() => ({ error: CONFLICT }));
    }
    if (!this.#hasRoom(found.filter(isFitted))) return drafts.map(() => ({ error: FULL }));
    const results: PublishResult[] = [];
    for (const one of found) {
      if ("repeats" in one) results.push({ ...results[one.repeats]!, repeated: true } as PublishResult);
      else results.push(isFitted(one) ? this.#add(one) : one);
    }
    return results;
  }

  /** What is to be known of a draft before it is numbered; or what became of it without that, as of one for a queue. */
  #fit(draft: Draft): Fitted | PublishResult {
    const queue = queueOf(draft.channel);
    if (queue !== undefined) return this.#queues.enqueue(queue, draft);
    const channel = this.#accounts.open(draft.channel, this.#channels);
    if (!channel) return { error: TOO_MANY };
    this.#channels.add(channel);
    this.#accounts.dropAged(channel, this.#now);
    const bytes = draft.ttl === 0 ? MESSAGE_OVERHEAD : sizeOf(draft);
    if (draft.id === undefined) return { draft, channel, digest: "", bytes, idBytes: 0 };
    const digest = digestOf(draft);
    const known = this.#accounts.findId(channel, draft, this.#now);
    if (!known) return { draft, channel, digest, bytes, idBytes: sizeOfId(draft) };
    if (known.digest !== digest) return { error: CONFLICT };
    return { epoch: channel.epoch, offset: known.offset, repeated: true };
  }

  #add({ draft, channel, digest, idBytes }: Fitted): PublishResult {
    const { epoch } = channel;
    const offset = channel.offset + 1;
    const time = this.#now;
    const publication = toPublication(draft, { epoch, offset }, time);
    this.#publications.push(publication);
    const { id, publisher = "", ttl } = draft;
    // Of age it may go before; but whoever opens the store again may keep it for longer.
    const expires = ttl === undefined ? undefined : time + Math.ceil(ttl * 1000);
    this.#accounts.add(channel, ttl === 0 ? toPlace(publication) : publication, expires);
    if (id !== undefined) this.#accounts.addId(channel, { publisher, id, offset, digest, time, bytes: idBytes });
    return { epoch, offset };
  }

  /** Room for all of them together. */
  #hasRoom(fitted: readonly Fitted[]): boolean {
    const byChannel = Map.groupBy(fitted, ({ channel }) => channel);
    const need = () => {
      let bytes = fitted.reduce((sum, { idBytes }) => sum + idBytes, 0);
      for (const [channel, own] of byChannel) bytes += growth(this.#store, channel, own.map(({ bytes }) => bytes));
      return bytes;
    };
    return this.#accounts.makeRoom(need, this.#now, this.#channels);
  }
}

function isFitted(found: object): found is Fitted {
  return "draft" in found;
}
