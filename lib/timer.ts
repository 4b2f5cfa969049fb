/** Calls back once, after so many milliseconds; returns what takes that back. A test has its own. */
export type Timer = (wait: number, callback: () => void) => () => void;

/** The isolate's own. */
export function startTimer(wait: number, callback: () => void): () => void {
  const timer = setTimeout(callback, wait);
  return () => clearTimeout(timer);
}
