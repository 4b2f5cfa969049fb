import { assert, assertEquals, assertThrows } from "@std/assert";
import { addUp, METRICS, Metrics, outlasting, PROMETHEUS_TYPE, renderJson, renderPrometheus } from "../lib/metrics.ts";
import type { Sample } from "../lib/types.ts";

interface Family {
  help: string;
  type: string;
  samples: { name: string; labels: Map<string, string>; value: number }[];
}

/** A strict reader of the text format 0.0.4: one group a metric, HELP and TYPE once and first, every escape known. */
function parseText(text: string): Map<string, Family> {
  assert(text.endsWith("\n"));
  const families = new Map<string, Family>();
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line);
    if (help) {
      assert(!families.has(help[1]!), `${line}: seen before`);
      current = help[1]!;
      families.set(current, { help: unescape(help[2]!, "n\\"), type: "", samples: [] });
    } else if (type) {
      const family = families.get(current)!;
      assert(type[1] === current && family.type === "" && family.samples.length === 0, `${line}: misplaced`);
      family.type = type[2]!;
    } else {
      families.get(current)!.samples.push(parseSample(line, current, families.get(current)!.type));
    }
  }
  return families;
}

function parseSample(line: string, metric: string, type: string) {
  const parts = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\+Inf|-Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line);
  assert(parts, `not a sample: ${line}`);
  const [, name, list = "", value] = parts;
  const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  assert(suffixes.some((suffix) => name === metric + suffix), `${line}: not of ${metric}`);
  const labels = new Map<string, string>();
  let rest = list;
  while (rest !== "") {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=.)|$)/.exec(rest);
    assert(label, `not a list of labels: ${list}`);
    assert(!labels.has(label[1]!), `${label[1]}: twice`);
    labels.set(label[1]!, unescape(label[2]!, 'n\\"'));
    rest = rest.slice(label[0].length);
  }
  return { name: name!, labels, value: Number(value!.replace("Inf", "Infinity")) };
}

function unescape(text: string, known: string): string {
  return text.replace(/\\(.)/g, (_, char) => {
    assert(known.includes(char), `unknown escape in ${text}`);
    return char === "n" ? "\n" : char;
  });
}

function valueOf(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined {
  const found = samples.filter((sample) => sample.name === name && equal(sample.labels, labels));
  assert(found.length <= 1, `${name} is there ${found.length} times`);
  return found[0]?.value;
}

function equal(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

Deno.test("Metrics counts by name and labels, and its handles are the same figures", () => {
  const metrics = new Metrics({ isolate: "0" });
  const delivered = metrics.counter("gong_delivered_total");
  delivered.value += 3;
  metrics.count("gong_delivered_total");
  metrics.count("gong_refused_total", { reason: "forbidden" });
  metrics.count("gong_refused_total", { reason: "forbidden" }, 2);
  metrics.counter("gong_refused_total", { reason: "conflict" }).value++;
  metrics.gauge("gong_sessions", { door: "plain" }, 7);
  metrics.gauge("gong_sessions", { door: "plain" }).value--;

  const samples = metrics.samples();
  assertEquals(valueOf(samples, "gong_delivered_total"), 4);
  assertEquals(valueOf(samples, "gong_refused_total", { reason: "forbidden" }), 3);
  assertEquals(valueOf(samples, "gong_refused_total", { reason: "conflict" }), 1);
  assertEquals(valueOf(samples, "gong_sessions", { door: "plain" }), 6);
});

Deno.test("Metrics shows counters without labels from the start and gauges once they are set", () => {
  const samples = new Metrics({ isolate: "0" }).samples();
  assertEquals(valueOf(samples, "gong_bus_gaps_total"), 0);
  assertEquals(valueOf(samples, "gong_channels"), undefined);
  assertEquals(valueOf(samples, "process_cpu_seconds_total"), undefined);
});

Deno.test("Metrics throws TypeError for a name, type or label that the table does not have", () => {
  const metrics = new Metrics({ isolate: "0" });
  assertThrows(() => metrics.count("gong_nothing" as "gong_published_total"), TypeError, "gong_nothing");
  assertThrows(() => metrics.count("constructor" as "gong_published_total"), TypeError);
  assertThrows(() => metrics.count("gong_sessions", { door: "json" }), TypeError, "counter gong_sessions");
  assertThrows(() => metrics.gauge("gong_published_total"), TypeError);
  assertThrows(() => metrics.observe("gong_published_total", 1), TypeError);
  assertThrows(() => metrics.count("gong_refused_total"), TypeError, "reason");
  assertThrows(() => metrics.count("gong_refused_total", { reason: "x", channel: "news" }), TypeError);
  assertThrows(() => metrics.count("gong_published_total", { door: "json" }), TypeError);
  assertThrows(
    () => addUp([[{ name: "x", labels: {}, value: 1 }]]),
    TypeError,
  );
  assertThrows(() => renderPrometheus([{ name: "gong_sessions_bucket", labels: {}, value: 1 }]), TypeError);
});

Deno.test("Metrics keeps a bounded number of label values and counts any more as other", () => {
  const metrics = new Metrics({ isolate: "0" });
  for (let code = 0; code < 1000; code++) metrics.count("gong_sessions_closed_total", { reason: String(code) });
  const own = metrics.samples().filter(({ name }) => name === "gong_sessions_closed_total");
  assertEquals(own.length, 65);
  assertEquals(valueOf(own, "gong_sessions_closed_total", { reason: "other" }), 936);
});

Deno.test("Histogram counts an observation on a bound in that bound's bucket", () => {
  const metrics = new Metrics({ isolate: "0" });
  metrics.observe("gong_publish_to_write_seconds", 0.0005);
  metrics.observe("gong_publish_to_write_seconds", 0.00051, 3);
  metrics.observe("gong_publish_to_write_seconds", 11);
  const samples = metrics.samples();
  const bucket = (le: string) => valueOf(samples, "gong_publish_to_write_seconds_bucket", { le });
  assertEquals([bucket("0.0005"), bucket("0.001"), bucket("10"), bucket("+Inf")], [1, 4, 4, 5]);
  assertEquals(valueOf(samples, "gong_publish_to_write_seconds_count"), 5);
  const sum = valueOf(samples, "gong_publish_to_write_seconds_sum")!;
  assert(Math.abs(sum - (0.0005 + 3 * 0.00051 + 11)) < 1e-9);
});

Deno.test("addUp() sums, takes the largest or keeps apart, as the table says", () => {
  const all = ["0", "1"].map((isolate, index) => {
    const metrics = new Metrics({ isolate });
    metrics.count("gong_delivered_total", {}, 10 + index);
    metrics.count("gong_refused_total", { reason: isolate === "0" ? "forbidden" : "conflict" });
    metrics.gauge("gong_channels", {}, 4 + index);
    metrics.gauge("gong_heap_bytes", {}, 100 + index);
    metrics.observe("gong_publish_to_write_seconds", 0.002);
    return metrics.samples();
  });
  const samples = addUp(all);
  assertEquals(valueOf(samples, "gong_delivered_total"), 21);
  assertEquals(valueOf(samples, "gong_refused_total", { reason: "forbidden" }), 1);
  assertEquals(valueOf(samples, "gong_channels"), 5);
  assertEquals(valueOf(samples, "gong_heap_bytes", { isolate: "0" }), 100);
  assertEquals(valueOf(samples, "gong_heap_bytes", { isolate: "1" }), 101);
  assertEquals(valueOf(samples, "gong_publish_to_write_seconds_bucket", { le: "0.0025" }), 2);
  assertEquals(valueOf(all[0]!, "gong_delivered_total"), 10);
});

Deno.test("addUp() with outlasting() of an ended isolate lets no counter fall", () => {
  const ended = new Metrics({ isolate: "0" });
  ended.count("gong_delivered_total", {}, 10);
  ended.gauge("gong_sessions", { door: "plain" }, 3);
  ended.observe("gong_publish_to_write_seconds", 1);
  const next = new Metrics({ isolate: "0" });
  next.count("gong_delivered_total");
  const samples = addUp([outlasting(ended.samples()), next.samples()]);
  assertEquals(valueOf(samples, "gong_delivered_total"), 11);
  assertEquals(valueOf(samples, "gong_publish_to_write_seconds_count"), 1);
  assertEquals(valueOf(samples, "gong_sessions", { door: "plain" }), undefined);
});

Deno.test("renderPrometheus() is read back by a strict parser, hostile label values included", () => {
  const hostile = 'a"b\\c\nd{},= é';
  const metrics = new Metrics({ isolate: "0" });
  metrics.gauge("gong_build_info", { version: hostile, deno: "2.9.6" }, 1);
  metrics.gauge("gong_heap_bytes", {}, 1e21);
  metrics.gauge("gong_event_loop_lag_seconds", {}, 0.00001);
  metrics.count("gong_published_total", {}, 5);
  metrics.observe("gong_publish_to_write_seconds", 0.3);
  const families = parseText(renderPrometheus(metrics.samples()));

  const build = families.get("gong_build_info")!;
  assertEquals(build.type, "gauge");
  assertEquals([...build.samples[0]!.labels], [["version", hostile], ["deno", "2.9.6"]]);
  assertEquals(families.get("gong_published_total")!.samples[0]!.value, 5);
  assertEquals(families.get("gong_heap_bytes")!.samples[0]!.value, 1e21);
  assertEquals(families.get("gong_event_loop_lag_seconds")!.samples[0]!.value, 0.00001);
  for (const [name, { help, type }] of families) {
    const { help: expected, type: kind } = METRICS[name as keyof typeof METRICS];
    assertEquals([help, type], [expected, kind]);
  }
  assertEquals(PROMETHEUS_TYPE, "text/plain; version=0.0.4; charset=utf-8");
});

Deno.test("renderPrometheus() gives a histogram ascending buckets, +Inf, a sum and a count", () => {
  const metrics = new Metrics({ isolate: "0" });
  for (const seconds of [0.0001, 0.004, 0.2, 60]) metrics.observe("gong_publish_to_write_seconds", seconds);
  const { samples } = parseText(renderPrometheus(metrics.samples())).get("gong_publish_to_write_seconds")!;
  const buckets = samples.filter(({ name }) => name.endsWith("_bucket"));
  const bounds = buckets.map(({ labels }) => Number(labels.get("le")!.replace("Inf", "Infinity")));
  assertEquals(bounds, [...bounds].sort((a, b) => a - b));
  assertEquals([bounds[0], bounds.at(-2), bounds.at(-1)], [0.0005, 10, Infinity]);
  const counts = buckets.map(({ value }) => value);
  assertEquals(counts, [...counts].sort((a, b) => a - b));
  assertEquals([counts[0], counts.at(-2), counts.at(-1)], [1, 3, 4]);
  assertEquals(samples.at(-1)!.value, 4);
});

Deno.test("METRICS has no label that could name a channel, a user or an address", () => {
  const labels = new Set(Object.values(METRICS).flatMap((metric) => metric.labels));
  assertEquals([...labels].sort(), ["check", "deno", "door", "isolate", "outcome", "reason", "version"]);
});

Deno.test("renderJson() is one object of plain figures", () => {
  const metrics = new Metrics({ isolate: "0" });
  metrics.gauge("gong_sessions", { door: "plain" }, 3);
  metrics.gauge("gong_sessions", { door: "json" }, 1);
  metrics.gauge("gong_build_info", { version: "1", deno: "2" }, 1);
  metrics.gauge("gong_heap_bytes", {}, 12);
  metrics.count("gong_published_total", {}, 5);
  metrics.counter("process_cpu_seconds_total").value = 1.5;
  metrics.gauge("process_resident_memory_bytes", {}, 1024);
  const json = renderJson(metrics.samples(), 1_790_000_000_000);
  assertEquals(json.time, 1_790_000_000_000);
  assertEquals([json.cpuSeconds, json.residentBytes], [1.5, 1024]);
  assertEquals(json.gong_sessions, { plain: 3, json: 1 });
  assertEquals(json.gong_heap_bytes, { "0": 12 });
  assertEquals(json.gong_published_total, 5);
  assertEquals(json.gong_refused_total, {});
  assertEquals(json.gong_build_info, [{ version: "1", deno: "2", value: 1 }]);
  assertEquals(json.gong_publish_to_write_seconds, { count: 0, sum: 0, p50: null, p99: null });
  assertEquals(JSON.parse(JSON.stringify(json)), json);
});

Deno.test("renderJson() places quantiles inside their bucket, and above the last at its bound", () => {
  const metrics = new Metrics({ isolate: "0" });
  metrics.observe("gong_publish_to_write_seconds", 0.003, 100);
  const summary = renderJson(metrics.samples()).gong_publish_to_write_seconds as { p50: number; p99: number };
  assert(Math.abs(summary.p50 - 0.00375) < 1e-9, `${summary.p50}`);
  assert(summary.p99 > summary.p50 && summary.p99 <= 0.005, `${summary.p99}`);
  metrics.observe("gong_publish_to_write_seconds", 60, 1000);
  const slow = renderJson(metrics.samples()).gong_publish_to_write_seconds as { p50: number; p99: number };
  assertEquals([slow.p50, slow.p99], [10, 10]);
});
