/**
 * What can change while a server runs, and what cannot.
 *
 * @module
 */
import { parseRule } from "./rule.ts";
import type { Config } from "./schema.ts";

/** Settings that count from the next request on; all others need a restart. */
const LIVE: ReadonlySet<keyof Config> = new Set([
  ...["allowHost", "allowOrigin", "requireOrigin"] as const,
  ...["apiKey", "apiKeyFile", "publicChannels", "allowPublish", "rule"] as const,
  ...["tokenSecret", "tokenKeyFile", "tokenJwks", "tokenIssuer", "tokenAudience", "tokenCookie"] as const,
  "logLevel",
]);

/** What a new configuration comes to for a server that runs. */
export interface ConfigChange {
  /** The one that runs with what can be changed of the new one. */
  readonly config: Config;
  /** Names of what has changed, in their order, never values. */
  readonly changed: readonly (keyof Config)[];
  /** Names of what will change with a restart only. */
  readonly needRestart: readonly (keyof Config)[];
}

/**
 * Compares two configurations. Rules count if no more than rights changes in them: how much is kept of a channel, and its
 * presence, is known to many that were made with it, so that such rules stay as they are, whole.
 */
export function compareConfigs(current: Config, next: Config): ConfigChange {
  const keys = (Object.keys(next) as (keyof Config)[]).filter((key) => !isSame(current[key], next[key]));
  const isLive = (key: keyof Config) =>
    LIVE.has(key) && (key !== "rule" || isSame(keptBy(current.rule), keptBy(next.rule)));
  const changed = keys.filter(isLive);
  const config = Object.freeze({ ...current, ...Object.fromEntries(changed.map((key) => [key, next[key]])) });
  return { config, changed, needRestart: keys.filter((key) => !isLive(key)) };
}

/** Patterns and what they say beside rights, in order, since the first that matches counts; nothing if none says any. */
function keptBy(rules: readonly string[]): unknown[] {
  const kept = rules.map(parseRule).map(({ pattern, settings: { count, bytes, age, presence } }) => {
    return { pattern, words: [count, bytes, age, presence] };
  });
  return kept.some(({ words }) => words.some((word) => word !== undefined)) ? kept : [];
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
