/**
 * The figures of one isolate, and how those of several become one.
 *
 * @module
 */
import { BUCKETS, type Metric, type MetricName, metricOf, METRICS } from "./metrics/table.ts";
import type { Sample } from "./types.ts";

export { PROMETHEUS_TYPE, renderJson, renderPrometheus } from "./metrics/render.ts";
export { type Metric, type MetricName, METRICS } from "./metrics/table.ts";

/** Label names and values. */
export type Labels = Readonly<Record<string, string>>;

/** One counter or gauge. Hot paths keep it and add to `value`. */
export interface Figure {
  value: number;
}

/** What one metric has of different label values at most; any more are counted together as `other`. */
const MAX_VARIANTS = 64;
const NO_LABELS: Labels = Object.freeze({});

/** Counts observations by size. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS.length + 1);
  #sum = 0;

  /** Counts `times` observations of so many seconds. */
  observe(seconds: number, times = 1): void {
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
    this.#counts[bucket]! += times;
    this.#sum += seconds * times;
  }

  /** The samples of a metric of that name: each bucket includes those below it. */
  samples(name: string): Sample[] {
    let count = 0;
    const buckets = [...this.#counts].map((own, index): Sample => {
      count += own;
      return { name: `${name}_bucket`, labels: { le: formatBound(BUCKETS[index]) }, value: count };
    });
    return [
      ...buckets,
      { name: `${name}_sum`, labels: NO_LABELS, value: this.#sum },
      { name: `${name}_count`, labels: NO_LABELS, value: count },
    ];
  }
}

/** The figures of one isolate. A name or label that the table does not have is a `TypeError`. */
export class Metrics {
  readonly #isolate: string;
  readonly #figures = new Map<MetricName, Variants>();
  readonly #histograms = new Map<MetricName, Histogram>();

  /** @param options.isolate how the figures of this isolate are told from others': `hub`, `0`, `1` ... */
  constructor(options: { readonly isolate: string }) {
    this.#isolate = options.isolate;
    for (const [name, { type, labels, add }] of Object.entries(METRICS)) {
      // A counter that is first seen at 5 looks as if nothing had ever been counted before.
      if (type === "counter" && labels.length === 0 && add === "sum") this.counter(name as MetricName);
    }
  }

  /** The counter itself, to be kept where it is counted often. */
  counter(name: MetricName, labels: Labels = NO_LABELS): Figure {
    return this.#figure("counter", name, labels);
  }

  /** Sets a gauge when a value is given; returns the gauge itself either way. */
  gauge(name: MetricName, labels: Labels = NO_LABELS, value?: number): Figure {
    const figure = this.#figure("gauge", name, labels);
    if (value !== undefined) figure.value = value;
    return figure;
  }

  /** The histogram itself, to be kept where it is used often. */
  histogram(name: MetricName): Histogram {
    expect("histogram", name);
    const histogram = this.#histograms.get(name) ?? new Histogram();
    this.#histograms.set(name, histogram);
    return histogram;
  }

  /** Adds to a counter. */
  count(name: MetricName, labels: Labels = NO_LABELS, by = 1): void {
    this.counter(name, labels).value += by;
  }

  /** Counts `times` observations of so many seconds in a histogram. */
  observe(name: MetricName, seconds: number, times = 1): void {
    this.histogram(name).observe(seconds, times);
  }

  /** All figures of this isolate as of now. */
  samples(): Sample[] {
    const figures = [...this.#figures].flatMap(([name, variants]) => variants.samples(name));
    return [...figures, ...[...this.#histograms].flatMap(([name, histogram]) => histogram.samples(name))];
  }

  #figure(type: Metric["type"], name: MetricName, labels: Labels): Figure {
    let variants = this.#figures.get(name);
    if (variants === undefined || variants.metric.type !== type) {
      variants = new Variants(name, expect(type, name), this.#isolate);
      this.#figures.set(name, variants);
    }
    return variants.figure(labels);
  }
}

/** The figures of one name, by the values of their labels. */
class Variants {
  readonly metric: Metric;
  readonly #name: string;
  readonly #isolate: string;
  readonly #byValues = new Map<string, { readonly labels: Labels; readonly figure: Figure }>();

  constructor(name: string, metric: Metric, isolate: string) {
    this.#name = name;
    this.metric = metric;
    this.#isolate = isolate;
  }

  figure(labels: Labels): Figure {
    const names = this.metric.labels;
    const values = names.map((name) => labels[name] ?? (name === "isolate" ? this.#isolate : undefined));
    if (values.includes(undefined) || Object.keys(labels).some((name) => !names.includes(name))) {
      throw new TypeError(`${this.#name} has the labels ${names.join(", ") || "(none)"}, not ${Object.keys(labels)}.`);
    }
    let key = values.join("\0");
    let found = this.#byValues.get(key);
    if (found !== undefined) return found.figure;
    if (this.#byValues.size >= MAX_VARIANTS) {
      values.fill("other");
      key = "other";
      found = this.#byValues.get(key);
      if (found !== undefined) return found.figure;
    }
    const pairs = names.map((name, index) => [name, values[index]!] as const);
    const figure = { value: 0 };
    this.#byValues.set(key, { labels: Object.freeze(Object.fromEntries(pairs)), figure });
    return figure;
  }

  samples(name: string): Sample[] {
    return [...this.#byValues.values()].map(({ labels, figure }) => ({ name, labels, value: figure.value }));
  }
}

/**
 * The figures of several isolates as one, as the table says: summed, the largest, or each by itself.
 *
 * @throws {TypeError} for a name that is not in the table
 */
export function addUp(all: readonly (readonly Sample[])[]): Sample[] {
  const sums = new Map<string, { name: string; labels: Labels; value: number }>();
  for (const sample of all.flat()) {
    const { name, labels, value } = sample;
    const { add } = metricOf(name).metric;
    const key = JSON.stringify([name, ...Object.entries(labels).sort().flat()]);
    const sum = sums.get(key);
    if (sum === undefined) {
      sums.set(key, { name, labels, value });
    } else {
      sum.value = add === "sum" ? sum.value + value : add === "max" ? Math.max(sum.value, value) : value;
    }
  }
  return [...sums.values()];
}

/**
 * The part of an ended isolate's figures that goes on counting, so that no total ever falls: counters and histograms,
 * no gauges. Give it to {@linkcode addUp} beside the figures of those that live.
 */
export function outlasting(samples: readonly Sample[]): Sample[] {
  return samples.filter(({ name }) => {
    const { type, add } = metricOf(name).metric;
    return type !== "gauge" && add === "sum";
  });
}

function expect(type: Metric["type"], name: string): Metric {
  const metric = Object.hasOwn(METRICS, name) ? METRICS[name as MetricName] : undefined;
  if (metric?.type !== type) throw new TypeError(`There is no ${type} ${name}.`);
  return metric;
}

function formatBound(bound: number | undefined): string {
  return bound === undefined ? "+Inf" : String(bound);
}
