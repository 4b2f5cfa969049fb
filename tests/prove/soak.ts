/** A claim that takes too long to be shown in every run of the tests. */
export interface Soak {
  readonly name: string;
  /** Throws when the claim does not hold; else says in one line what was seen. */
  run(): Promise<string>;
}

/** Figures of a server as `/api/stats` gives them. */
export type Stats = Readonly<Record<string, unknown>>;

/** The figures of a Gong that runs with `--dev`. */
export async function statsOf(url: string): Promise<Stats> {
  const response = await fetch(`${url}/api/stats`);
  return await response.json();
}

/** One figure: a number, or with a label the sum over its values. */
export function figure(stats: Stats, name: string): number {
  const value = stats[name];
  if (typeof value === "number") return value;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce((sum: number, part) => sum + Number(part), 0);
}

export function toMebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
