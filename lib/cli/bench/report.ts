import { Histogram } from "./histogram.ts";
import type { Format, LoadOptions } from "./options.ts";
import { countUp, type PartResult } from "./part.ts";

/** What came of a load. All times are milliseconds, sizes bytes, unless the name says otherwise. */
export interface Report {
  readonly url: string;
  readonly format: Format;
  /** Bytes of a message. */
  readonly size: number;
  /** Connections asked for, and those that were made. */
  readonly subscribers: number;
  readonly connected: number;
  readonly publishers: number;
  /** Publishers whose connection ended before its time: what they had handed over last may never have been published. */
  readonly publishersClosed: number;
  /** Subscribers that had heard none of the probes when publishing began. */
  readonly deaf: number;
  /** Messages handed to sockets. */
  readonly published: number;
  /** `published` for each subscriber that was connected. */
  readonly expected: number;
  /** Messages that arrived, each counted once a subscriber. */
  readonly delivered: number;
  readonly lost: number;
  /** The part of `lost` that belongs to subscribers whose connection ended before its time. */
  readonly lostByClosed: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** From the first message sent to the last one that arrived, in seconds. */
  readonly seconds: number;
  readonly messagesPerSecond: number;
  /** From sending to arrival. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number };
  /** Connections that could not be made: why → how many. */
  readonly failed: Readonly<Record<string, number>>;
  /** Connections that ended by themselves: close code, `end`, `error` or `protocol` → how many. */
  readonly closed: Readonly<Record<string, number>>;
  /** Messages that the server refused: its code → how many. */
  readonly refused: Readonly<Record<string, number>>;
  /** What the server used, where that could be read. */
  readonly server?: {
    readonly cpuSeconds?: number;
    readonly cpuMicrosecondsPerMessage?: number;
    readonly rss?: number;
    readonly memoryPerConnection?: number;
  };
  /** CPU of the generator while publishing. */
  readonly generatorSeconds: number;
}

/** What a {@linkcode Report} is made of. */
export interface Results {
  readonly subscribers: readonly PartResult[];
  readonly publishers: PartResult | undefined;
  /** Subscribers connected when publishing began. */
  readonly connected: number;
  readonly deaf: number;
  readonly generatorSeconds: number;
  /** Resident memory of the server before the subscribers came, and while it held them. */
  readonly memory?: { readonly before: number; readonly held: number };
  /** CPU of the server while messages were published and delivered. */
  readonly cpuSeconds?: number;
}

/** Adds up what the isolates counted. */
export function createReport(load: LoadOptions, results: Results): Report {
  const { subscribers, publishers, connected } = results;
  const latency = new Histogram();
  for (const part of subscribers) latency.add(new Histogram(part.latency));
  const delivered = sum(subscribers, "delivered");
  const published = publishers?.published ?? 0;
  const expected = published * connected;
  const lastArrived = Math.max(0, ...subscribers.map((part) => part.lastArrived));
  const seconds = delivered === 0 ? 0 : (lastArrived - (publishers?.firstSent ?? 0)) / 1e6;
  const all = publishers === undefined ? subscribers : [...subscribers, publishers];
  return {
    url: load.url,
    format: load.format,
    size: load.size,
    subscribers: load.subscribers,
    connected,
    publishers: publishers?.connected ?? 0,
    publishersClosed: publishers?.ended ?? 0,
    deaf: results.deaf,
    published,
    expected,
    delivered,
    lost: expected - delivered,
    lostByClosed: published * sum(subscribers, "ended") - sum(subscribers, "receivedByEnded"),
    duplicated: sum(subscribers, "duplicated"),
    outOfOrder: sum(subscribers, "outOfOrder"),
    seconds: round(seconds, 3),
    messagesPerSecond: seconds === 0 ? 0 : Math.round(delivered / seconds),
    latency: {
      p50: round(latency.percentile(0.5) / 1000, 3),
      p99: round(latency.percentile(0.99) / 1000, 3),
      p999: round(latency.percentile(0.999) / 1000, 3),
      max: round(latency.percentile(1) / 1000, 3),
    },
    failed: addUp(all, "failed"),
    closed: addUp(all, "closed"),
    refused: addUp(all, "refused"),
    ...serverOf(results, delivered),
    generatorSeconds: round(results.generatorSeconds, 3),
  };
}

/** Whether everything that was to happen happened: all connected, all delivered, once, in order. */
export function isComplete(report: Report): boolean {
  const { subscribers, connected, lost, duplicated, outOfOrder, failed, closed, refused } = report;
  const faults = lost + duplicated + outOfOrder;
  const events = [failed, closed, refused].some((counts) => Object.keys(counts).length > 0);
  return connected === subscribers && faults === 0 && !events;
}

/** The report for a person, a figure a line. */
export function formatReport(report: Report): string {
  const { latency, server } = report;
  const lines = [
    ["connected", `${report.connected} of ${report.subscribers}${named(report.failed)}`],
    ...(report.published === 0 && report.publishers === 0 ? [] : [
      ["published", `${report.published} by ${report.publishers}, ${report.size} bytes each`],
      ["delivered", `${report.delivered} of ${report.expected}`],
      ["lost", `${report.lost}${report.lostByClosed > 0 ? ` (${report.lostByClosed} by closed connections)` : ""}`],
      ["duplicated", `${report.duplicated}`],
      ["out of order", `${report.outOfOrder}`],
      ["rate", `${report.messagesPerSecond} messages/s over ${report.seconds} s`],
      ["latency", `p50 ${latency.p50} ms, p99 ${latency.p99} ms, p99.9 ${latency.p999} ms, max ${latency.max} ms`],
      ["generator", `${report.generatorSeconds} s of CPU`],
    ]),
    ...(report.deaf === 0 ? [] : [["not heard", `${report.deaf} subscribers got none of the probes`]]),
    ...(isEmpty(report.closed) ? [] : [["closed", named(report.closed).trim()]]),
    ...(isEmpty(report.refused) ? [] : [["refused", named(report.refused).trim()]]),
    ...(server?.cpuSeconds === undefined ? [] : [
      ["server CPU", `${server.cpuSeconds} s, ${server.cpuMicrosecondsPerMessage} µs a delivered message`],
    ]),
    ...(server?.rss === undefined ? [] : [
      ["server memory", `${toMebibytes(server.rss)} MiB, ${server.memoryPerConnection} bytes a connection`],
    ]),
  ];
  return lines.map(([name, text]) => `${name!.padEnd(14)}${text}\n`).join("");
}

function serverOf({ memory, cpuSeconds, connected }: Results, delivered: number): Pick<Report, "server"> {
  if (memory === undefined && cpuSeconds === undefined) return {};
  return {
    server: {
      ...(cpuSeconds !== undefined && {
        cpuSeconds: round(cpuSeconds, 3),
        cpuMicrosecondsPerMessage: delivered === 0 ? 0 : round(cpuSeconds * 1e6 / delivered, 3),
      }),
      ...(memory !== undefined && {
        rss: memory.held,
        memoryPerConnection: connected === 0 ? 0 : Math.round((memory.held - memory.before) / connected),
      }),
    },
  };
}

function sum(
  parts: readonly PartResult[],
  figure: "delivered" | "duplicated" | "outOfOrder" | "ended" | "receivedByEnded",
): number {
  return parts.reduce((total, part) => total + part[figure], 0);
}

function addUp(parts: readonly PartResult[], which: "failed" | "closed" | "refused"): Record<string, number> {
  const all = new Map<string, number>();
  for (const part of parts) {
    for (const [name, count] of part[which]) countUp(all, name, count);
  }
  return Object.fromEntries(all);
}

function named(counts: Readonly<Record<string, number>>): string {
  return isEmpty(counts) ? "" : "  " + Object.entries(counts).map(([name, count]) => `${name}: ${count}`).join(", ");
}

function isEmpty(counts: Readonly<Record<string, number>>): boolean {
  return Object.keys(counts).length === 0;
}

function toMebibytes(bytes: number): number {
  return round(bytes / 2 ** 20, 1);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
