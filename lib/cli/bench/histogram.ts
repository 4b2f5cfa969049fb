/** Values up to here are counted exactly; above, in steps of 1/128 of their size. */
const EXACT = 256;
const STEPS = 128;
/** Powers of two above {@linkcode EXACT} that are told apart: the largest value is 2^32 - 1. */
const SCALES = 24;
const BUCKETS = EXACT + SCALES * STEPS;

/**
 * Counts of non-negative integers by size, after the manner of HdrHistogram: the relative error of a percentile is below
 * 1 %, whatever its size, in 26 KB. What exceeds 2^32 - 1 counts as that; what is negative counts as 0.
 */
export class Histogram {
  readonly #counts: Float64Array;
  #total = 0;

  /** @param counts those of another histogram, as {@linkcode Histogram.counts} gave them */
  constructor(counts: Float64Array = new Float64Array(BUCKETS)) {
    if (counts.length !== BUCKETS) throw new RangeError(`a histogram has ${BUCKETS} buckets, not ${counts.length}`);
    this.#counts = counts;
    for (const count of counts) this.#total += count;
  }

  /** What crosses an isolate. */
  get counts(): Float64Array {
    return this.#counts;
  }

  get total(): number {
    return this.#total;
  }

  record(value: number): void {
    this.#counts[bucketOf(value)]! += 1;
    this.#total += 1;
  }

  add(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#counts[bucket]! += other.#counts[bucket]!;
    this.#total += other.#total;
  }

  /**
   * The smallest value that at least `share` (0 to 1) of all values do not exceed, rounded up to the end of its bucket;
   * 0 when nothing was recorded.
   */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(this.#total * share));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return highestOf(bucket);
    }
    return 0;
  }
}

function bucketOf(value: number): number {
  const whole = value <= 0 ? 0 : value >= 0xffff_ffff ? 0xffff_ffff : Math.floor(value);
  if (whole < EXACT) return whole;
  // `whole` has 32 - clz32 bits, at least nine; the top eight of them name the step, the first of which is always set.
  const scale = 23 - Math.clz32(whole);
  return EXACT + scale * STEPS + ((whole >>> (scale + 1)) - STEPS);
}

function highestOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const scale = Math.floor((bucket - EXACT) / STEPS);
  const step = (bucket - EXACT) % STEPS + STEPS;
  return (step + 1) * 2 ** (scale + 1) - 1;
}
