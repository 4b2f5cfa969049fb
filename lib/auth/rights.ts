/**
 * Who may do what to a channel: the one evaluation, for doors, API, schedules and `gong check`.
 *
 * @module
 */
import { type ChannelSettings, compileRules, type RuleSettings } from "../channel_rules.ts";
import type { Scope, Who } from "../config.ts";
import { isReserved } from "../globs.ts";
import { ADMIN_CHANNEL, isSessionName, presenceOf, userOf } from "../reserved.ts";
import type { Grant } from "./grant.ts";

export type ChannelAction = "subscribe" | "publish";

/** What was decided, and the sentence that says why, for the operator. */
export interface Verdict {
  readonly allowed: boolean;
  readonly reason: string;
}

/** The settings that {@linkcode createRights} reads. */
export interface RightsSettings extends RuleSettings {
  readonly dev: boolean;
}

/** Verdicts over channels. */
export interface Rights {
  /** What holds for the channel, whoever asks. */
  readonly rulesOf: (channel: string) => ChannelSettings;
  /** Whether the grant, or nobody, has the scope; `admin` has them all, and with `dev` everybody is admin. */
  has(grant: Grant | undefined, scope: Scope): boolean;
  /** Whether the grant, or nobody, may do this to the channel. */
  judge(grant: Grant | undefined, action: ChannelAction, channel: string): Verdict;
}

/** The scope that a key needs where nobody else may. */
const SCOPE_FOR: Readonly<Record<ChannelAction, Scope>> = { subscribe: "admin", publish: "publish" };

/**
 * | channel          | subscribe                                             | publish                                |
 * | ---------------- | ----------------------------------------------------- | -------------------------------------- |
 * | ordinary         | as its rule says; an `admin` key                      | as its rule says; a `publish` key      |
 * | `$user/ID`       | that user; an `admin` key                             | as its rule says; a `publish` key      |
 * | `$session/ID`    | nobody                                                | as its rule says; a `publish` key      |
 * | `$presence/NAME` | whoever may hear NAME, if its rule has `presence=joins` | nobody: only the server does         |
 * | `$admin`         | an `admin` key                                        | nobody                                 |
 * | any other `$`    | nobody                                                | nobody                                 |
 *
 * A rule says `everyone`, `users`, `token` (the token names the channel) or `keys`; what it does not say is as
 * {@linkcode compileRules} has it. Publishing to `$session/ID` is a message to that session.
 */
export function createRights(settings: RightsSettings): Rights {
  const rulesOf = compileRules(settings);

  function has(grant: Grant | undefined, scope: Scope): boolean {
    return settings.dev || (grant?.scopes.some((held) => held === scope || held === "admin") ?? false);
  }

  function byKey(grant: Grant | undefined, scope: Scope): Verdict | undefined {
    if (!has(grant, scope)) return undefined;
    return yes(settings.dev ? "with --dev everybody may" : `${grant!.name} has the scope ${scope}`);
  }

  function byRule(grant: Grant | undefined, action: ChannelAction, channel: string): Verdict {
    const key = byKey(grant, SCOPE_FOR[action]);
    if (key) return key;
    const who: Who = rulesOf(channel)[action];
    const user = grant?.user;
    const rule = `${action}=${who} holds for ${channel}`;
    switch (who) {
      case "everyone":
        return yes(rule);
      case "users":
        return user ? yes(rule) : no(`${rule}, and this is no user`);
      case "token":
        if (!user) return no(`${rule}, and there is no token`);
        return user[action](channel)
          ? yes(`the token names ${channel}`)
          : no(`${rule}, and the token does not name it`);
      case "keys":
        return no(`${rule}, and this is no key with the scope ${SCOPE_FOR[action]}`);
    }
  }

  function judgeReserved(grant: Grant | undefined, action: ChannelAction, channel: string): Verdict {
    const user = userOf(channel);
    if (action === "publish") {
      if (user !== undefined || isSessionName(channel)) return byRule(grant, action, channel);
      return no("only the server publishes there");
    }
    if (user !== undefined) {
      if (grant?.user?.id === user) return yes("it is the user's own");
      return byKey(grant, "admin") ?? no("only that user may, or a key with the scope admin");
    }
    const heard = presenceOf(channel);
    if (heard !== undefined && !isReserved(heard)) {
      if (rulesOf(heard).presence !== "joins") return no(`presence=joins does not hold for ${heard}`);
      return byRule(grant, action, heard);
    }
    if (channel === ADMIN_CHANNEL) return byKey(grant, "admin") ?? no("it is for a key with the scope admin");
    return no("the name is reserved");
  }

  return {
    rulesOf,
    has,
    judge: (grant, action, channel) => (isReserved(channel) ? judgeReserved : byRule)(grant, action, channel),
  };
}

function yes(reason: string): Verdict {
  return { allowed: true, reason };
}

function no(reason: string): Verdict {
  return { allowed: false, reason };
}
