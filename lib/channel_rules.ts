/**
 * What holds for a channel, by its name.
 *
 * @module
 */
import { type ChannelSettings, parseRule } from "./config.ts";
import { compileGlobs } from "./globs.ts";

export type { ChannelSettings } from "./config.ts";

/** Bounds of one channel's history. */
export type HistoryLimits = Pick<ChannelSettings, "count" | "bytes" | "age">;

/** The settings that bound histories. */
export interface HistorySettings {
  /** As `--rule` has them; the first that matches a channel counts. */
  readonly rule: readonly string[];
  /** What holds where they say nothing. */
  readonly historyCount: number;
  readonly historyBytes: number;
  readonly historyAge: number;
}

/** The settings that {@linkcode compileRules} reads. */
export interface RuleSettings extends HistorySettings {
  /** Patterns of channels that are open to everybody where no rule says who they are for. */
  readonly publicChannels: readonly string[];
  readonly allowPublish: readonly string[];
}

/** Finds what one rule says: the first whose pattern matches. */
function compile(rule: readonly string[]): (channel: string) => Partial<ChannelSettings> | undefined {
  const rules = rule.map((text) => {
    const { pattern, settings } = parseRule(text);
    return { matches: compileGlobs([pattern]), settings };
  });
  return (channel) => rules.find(({ matches }) => matches(channel))?.settings;
}

/**
 * The bounds of any channel.
 *
 * @throws {SyntaxError} for a rule that `--rule` would not take
 * @example
 * const limitsOf = compileHistory({ ...config, rule: ["room:* count=100 age=1h"] });
 * limitsOf("room:42").count; // 100
 */
export function compileHistory(settings: HistorySettings): (channel: string) => HistoryLimits {
  const { rule, historyCount, historyBytes, historyAge } = settings;
  const ruleOf = compile(rule);
  const others = Object.freeze({ count: historyCount, bytes: historyBytes, age: historyAge });
  return (channel) => {
    const own = ruleOf(channel);
    if (own === undefined) return others;
    const { count = others.count, bytes = others.bytes, age = others.age } = own;
    return { count, bytes, age };
  };
}

/** Whether there can be a channel that everybody may publish to. */
export function isOpenSomewhere({ rule, allowPublish }: Pick<RuleSettings, "rule" | "allowPublish">): boolean {
  return allowPublish.length > 0 || rule.some((text) => parseRule(text).settings.publish === "everyone");
}

/**
 * All that holds for any channel. Whom a channel is for is, where no rule says it, everybody for those of the open
 * patterns, and for the others those whose token names it.
 *
 * @throws {SyntaxError} for a rule that `--rule`, or a pattern that another setting would not take
 */
export function compileRules(settings: RuleSettings): (channel: string) => ChannelSettings {
  const ruleOf = compile(settings.rule);
  const limitsOf = compileHistory(settings);
  const isPublic = compileGlobs(settings.publicChannels);
  const isOpen = compileGlobs(settings.allowPublish);
  return (channel) => ({
    ...limitsOf(channel),
    subscribe: isPublic(channel) ? "everyone" : "token",
    publish: isOpen(channel) ? "everyone" : "token",
    presence: "off",
    ...ruleOf(channel),
  });
}
