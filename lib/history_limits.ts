/**
 * How much history a channel keeps, by its name.
 *
 * @module
 */
import { parseHistory } from "./config.ts";
import { compileGlobs } from "./globs.ts";

/** Bounds of one channel's history. */
export interface HistoryLimits {
  /** Publications; 0 is a channel without history. */
  readonly count: number;
  readonly bytes: number;
  /** Seconds. */
  readonly age: number;
}

/** The settings that {@linkcode compileHistory} reads. */
export interface HistorySettings {
  /** `PATTERN [count=N] [bytes=SIZE] [age=TIME]`, the first that matches a channel counts. */
  readonly history: readonly string[];
  /** What holds where they say nothing. */
  readonly historyCount: number;
  readonly historyBytes: number;
  readonly historyAge: number;
}

/**
 * The bounds of any channel.
 *
 * @throws {SyntaxError | RangeError} for a rule that `--history` would not take
 * @example
 * const limitsOf = compileHistory({ ...config, history: ["room:* count=100 age=1h"] });
 * limitsOf("room:42").count; // 100
 */
export function compileHistory(settings: HistorySettings): (channel: string) => HistoryLimits {
  const { history, historyCount: count, historyBytes: bytes, historyAge: age } = settings;
  const others = Object.freeze({ count, bytes, age });
  const rules = history.map((text) => {
    const { pattern, limits } = parseHistory(text);
    return { matches: compileGlobs([pattern]), limits: Object.freeze({ ...others, ...limits }) };
  });
  return (channel) => rules.find(({ matches }) => matches(channel))?.limits ?? others;
}
