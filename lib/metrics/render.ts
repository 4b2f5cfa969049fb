/**
 * Figures as text for Prometheus and as JSON for pages and people.
 *
 * @module
 */
import type { Sample } from "../types.ts";
import { type MetricName, metricOf, METRICS } from "./table.ts";

/** Media type of {@linkcode renderPrometheus}. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * The samples in Prometheus' text format, version 0.0.4, in the order of the table.
 *
 * @throws {TypeError} for a name that is not in the table
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function renderPrometheus(samples: readonly Sample[]): string {
  let text = "";
  for (const [name, own] of byMetric(samples)) {
    const { help, type } = METRICS[name];
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const sample of own) text += `${sample.name}${renderLabels(sample)} ${renderValue(sample.value)}\n`;
  }
  return text;
}

/**
 * The samples as one object: a figure without labels is a number, one with a label an object from the label's value to
 * a number, one with several labels a list. A histogram is `{ count, sum, p50, p99 }` in seconds, its quantiles null
 * while nothing was observed. `time` is in milliseconds, `cpuSeconds` and `residentBytes` are those of the process.
 */
export function renderJson(samples: readonly Sample[], now: number = Date.now()): Record<string, unknown> {
  const found = byMetric(samples);
  const single = (name: MetricName) => found.get(name)?.[0]?.value ?? 0;
  const figures: [string, unknown][] = [
    ["time", now],
    ["cpuSeconds", single("process_cpu_seconds_total")],
    ["residentBytes", single("process_resident_memory_bytes")],
  ];
  for (const [name, { type, labels }] of Object.entries(METRICS)) {
    const own = found.get(name as MetricName) ?? [];
    const [label] = labels;
    if (type === "histogram") {
      figures.push([name, summarize(own)]);
    } else if (labels.length > 1) {
      figures.push([name, own.map((sample) => ({ ...sample.labels, value: sample.value }))]);
    } else if (label !== undefined) {
      figures.push([name, Object.fromEntries(own.map((sample) => [sample.labels[label], sample.value]))]);
    } else if (own[0] !== undefined) {
      figures.push([name, own[0].value]);
    }
  }
  return Object.fromEntries(figures);
}

/** Samples by their row of the table, in its order; the format wants those of one metric together. */
function byMetric(samples: readonly Sample[]): Map<MetricName, Sample[]> {
  const groups = new Map<MetricName, Sample[]>(Object.keys(METRICS).map((name) => [name as MetricName, []]));
  for (const sample of samples) groups.get(metricOf(sample.name).name)!.push(sample);
  return new Map([...groups].filter(([_, own]) => own.length > 0));
}

function summarize(samples: readonly Sample[]) {
  const valueOf = (suffix: string) => samples.find(({ name }) => name.endsWith(suffix))?.value ?? 0;
  const buckets = samples.filter(({ name }) => name.endsWith("_bucket"))
    .map(({ labels, value }) => ({ bound: labels.le === "+Inf" ? Infinity : Number(labels.le), count: value }));
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(buckets, share));
  return { count: valueOf("_count"), sum: valueOf("_sum"), p50, p99 };
}

/** Within its bucket a quantile is where it would be if the bucket were evenly filled; above the last, its bound. */
function quantile(buckets: readonly { bound: number; count: number }[], share: number): number | null {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const rank = share * total;
  let below = { bound: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank && bucket.count > below.count) {
      if (bucket.bound === Infinity) break;
      return below.bound + (bucket.bound - below.bound) * (rank - below.count) / (bucket.count - below.count);
    }
    below = bucket;
  }
  return below.bound;
}

function renderLabels({ labels }: Sample): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function renderValue(value: number): string {
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
