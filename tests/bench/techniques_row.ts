/**
 * The techniques of push beside each other: what they cost on the wire, and how late they are.
 *
 * @module
 */
import { startServer } from "./peers.ts";
import { columns, type Result, type Row, type Tell } from "./row.ts";
import { Comparison, type Cost, SIZE, type Traffic } from "./techniques/measure.ts";

const RATES: readonly { readonly rate: number; readonly count: number }[] = [
  { rate: 1, count: 60 },
  { rate: 10, count: 300 },
];

/** Short polling beside a plain WebSocket, and a table of all techniques. */
export const TECHNIQUES_ROW: Row = {
  name: "techniques",
  what: `bytes a publication of ${SIZE} bytes, both ways, one a second; one run`,
  beside: "short poll",
  settings: ["--isolates", "1"],
  bar: "none",
  measure,
};

async function measure({ settings }: Row, _rounds: number, tell: Tell): Promise<Result> {
  await using gong = await startServer(settings, { door: "http" });
  const comparison = new Comparison(new URL(gong.url));
  const groups = await comparison.open();
  const costs: (readonly Cost[])[] = [];
  for (const { rate, count } of RATES) {
    tell(`${count} publications, ${rate} a second`);
    costs.push(await comparison.publish(count, rate));
  }
  await comparison.close();
  const head = ["technique", "to connect", ...RATES.flatMap(({ rate }) => [`bytes at ${rate}/s`, "latency"])];
  const lines = groups.map(({ technique, beginning }, index) => [
    technique.name,
    technique.isLasting ? describe(beginning) : "none",
    ...costs.flatMap((all) => [describe(all[index]!.traffic), `${all[index]!.latency.toFixed(1)} ms`]),
  ]);
  const faults = costs.flatMap((all) =>
    all.flatMap(({ fault }, index) => {
      return fault === undefined ? [] : `${groups[index]!.technique.name}: ${fault}`;
    })
  );
  const [least] = costs;
  const [poll, socket] = [least!.at(0)!, least!.at(-1)!].map(({ traffic }) => sumOf(traffic));
  return {
    beside: [poll!],
    gong: [socket!],
    comparison: `${(poll! / socket!).toFixed(0)} : 1`,
    passed: true,
    faults,
    table: `bytes sent + received = in all, by one client; latency: median\n\n${columns([head, ...lines])}\n`,
  };
}

function describe(traffic: Traffic): string {
  return `${traffic.sent.toFixed(0)} + ${traffic.received.toFixed(0)} = ${sumOf(traffic).toFixed(0)}`;
}

function sumOf({ sent, received }: Traffic): number {
  return sent + received;
}
