/**
 * Token buckets: so much a second, more in a burst.
 *
 * @module
 */

/** What a bucket allows. */
export interface RateLimits {
  /** Tokens that come back a second; above 0. */
  readonly rate: number;
  /** Tokens of a full bucket: what may be taken at once; at least 1. */
  readonly burst: number;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
}

/** One bucket, full at first. Many may share one `limits` object. */
export class TokenBucket {
  readonly #limits: RateLimits;
  #tokens: number;
  #time: number;

  /** @throws {RangeError} when `rate` is not above 0 or `burst` is below 1. */
  constructor(limits: RateLimits) {
    if (!(limits.rate > 0)) throw new RangeError("rate has to be above 0");
    if (!(limits.burst >= 1)) throw new RangeError("burst has to be at least 1");
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#time = clock(limits);
  }

  /** Takes `n` tokens if they are all there, else none. More than `burst` are never there. */
  take(n = 1): boolean {
    this.#refill();
    if (this.#tokens < n) return false;
    this.#tokens -= n;
    return true;
  }

  /** Whole seconds, rounded up, until `n` tokens are there: 0 when they are now, Infinity above `burst`. */
  retryAfter(n = 1): number {
    this.#refill();
    if (n > this.#limits.burst) return Infinity;
    return Math.max(0, Math.ceil((n - this.#tokens) / this.#limits.rate));
  }

  #refill(): void {
    const { rate, burst } = this.#limits;
    const now = clock(this.#limits);
    // A clock that was set back gives nothing, and counts from where it now is.
    const elapsed = Math.max(0, now - this.#time);
    this.#time = now;
    this.#tokens = Math.min(burst, this.#tokens + elapsed / 1000 * rate);
  }
}

/**
 * A bucket for each key: an address, a session. At most `capacity` are kept, the least recently used dropped; a dropped
 * key starts again with a full bucket, so `capacity` has to exceed the keys that are busy at once.
 */
export class TokenBuckets {
  readonly #limits: RateLimits;
  readonly #capacity: number;
  /** In the order of their last use, which a Map keeps when an entry is deleted before it is set again. */
  readonly #buckets = new Map<string, TokenBucket>();

  /** @throws {RangeError} when `rate` is not above 0, `burst` is below 1, or `capacity` is below 1. */
  constructor(options: RateLimits & { readonly capacity: number }) {
    if (!(options.capacity >= 1)) throw new RangeError("capacity has to be at least 1");
    new TokenBucket(options);
    this.#limits = options;
    this.#capacity = options.capacity;
  }

  /** Buckets kept. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes `n` tokens of the key's bucket if they are all there, else none. */
  take(key: string, n = 1): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#limits);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#capacity) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return bucket.take(n);
  }

  /** Whole seconds, rounded up, until `n` tokens of the key's bucket are there. Keeps no bucket for a new key. */
  retryAfter(key: string, n = 1): number {
    return this.#buckets.get(key)?.retryAfter(n) ?? (n > this.#limits.burst ? Infinity : 0);
  }
}

function clock(limits: RateLimits): number {
  return limits.now === undefined ? performance.now() : limits.now();
}
