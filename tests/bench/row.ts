/**
 * What a line of the table is, and how what it says is measured.
 *
 * @module
 */
import { faultsOf, isComplete, type Report } from "../support/load.ts";
import { median } from "../support/median.ts";

/** One line of the table. */
export interface Row {
  readonly name: string;
  /** What is measured, with its unit. */
  readonly what: string;
  /** What Gong is measured beside. */
  readonly beside: string;
  /** How Gong was started. */
  readonly settings: readonly string[];
  /** What Gong has to reach. */
  readonly bar: string;
  /** Why it cannot be measured on this machine. */
  missing?(): string | undefined;
  measure(row: Row, rounds: number, tell: Tell): Promise<Result>;
}

/** Says how far it is. */
export type Tell = (text: string) => void;

/** What came of a row. */
export interface Result {
  /** One number a round. */
  readonly beside: readonly number[];
  readonly gong: readonly number[];
  /** Gong's median beside the other's, in words. */
  readonly comparison: string;
  readonly passed: boolean;
  /** A table of its own. */
  readonly table?: string;
  /** What else went wrong. */
  readonly faults: readonly string[];
}

/** Gong's part of the other in the same round, the median of all rounds: what disturbs one round disturbs both in it. */
export function ratioOf({ beside, gong }: { beside: readonly number[]; gong: readonly number[] }): number {
  return median(gong.map((own, round) => own / beside[round]!));
}

/** Columns of text, as wide as they have to be. */
export function columns(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => line.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd()).join("\n");
}

/** Two measurements that are compared. */
export interface Pair<T> {
  beside(): Promise<T>;
  gong(): Promise<T>;
  /** The number that is compared. */
  figure(measured: T): number;
  /** What went wrong with what Gong did. */
  faults(measured: T): string | undefined;
}

/** Measures one after the other, time and again, so that what else the machine does falls on both. */
export async function alternate<T>(rounds: number, tell: Tell, pair: Pair<T>) {
  const beside: number[] = [];
  const gong: number[] = [];
  const measured: T[] = [];
  const faults: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    beside.push(pair.figure(await pair.beside()));
    const own = await pair.gong();
    gong.push(pair.figure(own));
    measured.push(own);
    const fault = pair.faults(own);
    if (fault !== undefined) faults.push(`round ${round}: ${fault}`);
    tell(`round ${round} of ${rounds}: ${beside.at(-1)} beside Gong's ${gong.at(-1)}`);
  }
  return { beside, gong, measured, faults };
}

/** What went wrong in a load: everything has to arrive, once and in order. */
export function faultsOfLoad(report: Report): string | undefined {
  return isComplete(report) ? undefined : JSON.stringify(faultsOf(report));
}
