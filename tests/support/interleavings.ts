/**
 * Every order in which things can happen: a run asks which of several comes next, and is run again until every answer
 * was given at every question.
 *
 * @module
 */

/** Picks one of `options`, counted from 0. */
export type Choose = (options: number) => number;

/** Calls `run` once for every sequence of choices there is; returns how many those are. */
export async function exhaust(run: (choose: Choose) => Promise<void>): Promise<number> {
  let given: number[] = [];
  for (let runs = 1;; runs++) {
    const taken: number[] = [];
    const sizes: number[] = [];
    await run((options) => {
      const choice = given[taken.length] ?? 0;
      taken.push(choice);
      sizes.push(options);
      return choice;
    });
    while (taken.length > 0 && taken.at(-1)! + 1 >= sizes[taken.length - 1]!) taken.pop();
    if (taken.length === 0) return runs;
    taken[taken.length - 1]!++;
    given = taken;
  }
}
