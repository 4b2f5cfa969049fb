/**
 * What holds for a channel, by its name.
 *
 * @module
 */
import { type ChannelSettings, parseRule, type Presence } from "./config.ts";
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

/** What the first rule whose pattern matches says, made ready by `prepare`; without one, what that makes of nothing. */
function compile<T>(rule: readonly string[], prepare: (own: Partial<ChannelSettings>) => T): (channel: string) => T {
  const rules = rule.map((text) => {
    const { pattern, settings } = parseRule(text);
    return { matches: compileGlobs([pattern]), prepared: prepare(settings) };
  });
  const others = prepare({});
  return (channel) => {
    for (const { matches, prepared } of rules) if (matches(channel)) return prepared;
    return others;
  };
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
  return compile(rule, ({ count = historyCount, bytes = historyBytes, age = historyAge }) => {
    return Object.freeze({ count, bytes, age });
  });
}

/** Whether there can be a channel that everybody may publish to. */
export function isOpenSomewhere({ rule, allowPublish }: Pick<RuleSettings, "rule" | "allowPublish">): boolean {
  return allowPublish.length > 0 || rule.some((text) => parseRule(text).settings.publish === "everyone");
}

/**
 * Whether any channel has presence. Where no rule has it, that takes no look at the name.
 *
 * @throws {SyntaxError} for a rule that `--rule` would not take
 */
export function compilePresence({ rule }: Pick<HistorySettings, "rule">): (channel: string) => Presence {
  const isNowhere = rule.every((text) => (parseRule(text).settings.presence ?? "off") === "off");
  return isNowhere ? () => "off" : compile(rule, ({ presence = "off" }) => presence);
}

/**
 * All that holds for any channel. Whom a channel is for is, where no rule says it, everybody for those of the open
 * patterns, and for the others those whose token names it. Nothing is made for an answer: it is asked for at each
 * publication of a session.
 *
 * @throws {SyntaxError} for a rule that `--rule`, or a pattern that another setting would not take
 */
export function compileRules(settings: RuleSettings): (channel: string) => ChannelSettings {
  const { rule, historyCount: count, historyBytes: bytes, historyAge: age } = settings;
  const isPublic = compileGlobs(settings.publicChannels);
  const isOpen = compileGlobs(settings.allowPublish);
  const variantsOf = compile(rule, (own) =>
    VARIANTS.map(({ subscribe, publish }) => {
      const others: ChannelSettings = { subscribe, publish, presence: "off", count, bytes, age };
      return Object.freeze({ ...others, ...own });
    }));
  return (channel) => variantsOf(channel)[(isPublic(channel) ? 1 : 0) + (isOpen(channel) ? 2 : 0)]!;
}

/** Whom a channel is for by the patterns alone: none matches, that for hearing, that for publishing, both. */
const VARIANTS: readonly Pick<ChannelSettings, "subscribe" | "publish">[] = [
  { subscribe: "token", publish: "token" },
  { subscribe: "everyone", publish: "token" },
  { subscribe: "token", publish: "everyone" },
  { subscribe: "everyone", publish: "everyone" },
];
