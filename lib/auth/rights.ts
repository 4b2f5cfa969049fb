/**
 * Who may do what to a channel: the one evaluation, for doors, API, schedules and `gong check`.
 *
 * @module
 */
import { type ChannelSettings, compileRules, isOpenSomewhere, type RuleSettings } from "../channel_rules.ts";
import type { Scope } from "../config.ts";
import { isReserved } from "../globs.ts";
import { ADMIN_CHANNEL, isSessionName, presenceOf, queueChannel, queueOf, userOf } from "../reserved.ts";
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
  /** Whether there is any channel that everybody may publish to. */
  readonly isOpen: boolean;
  /** Whether the grant, or nobody, has the scope; `admin` has them all, and with `dev` everybody is admin. */
  has(grant: Grant | undefined, scope: Scope): boolean;
  /** Whether the grant, or nobody, may do this to the channel. It makes nothing: each publication of a session asks. */
  may(grant: Grant | undefined, action: ChannelAction, channel: string): boolean;
  /** Whether the grant, or nobody, may consume the queue (`subscribe`) or put something into it (`publish`). */
  mayUse(grant: Grant | undefined, action: ChannelAction, queue: string): boolean;
  /** The same, with its reason; of `$queue/NAME` what may be done with the queue. */
  judge(grant: Grant | undefined, action: ChannelAction, channel: string): Verdict;
}

/** Who asks for what. */
interface Question {
  readonly grant: Grant | undefined;
  readonly action: ChannelAction;
  readonly channel: string;
}

/** Why something is decided as it is. */
interface Ground {
  readonly allowed: boolean;
  readonly explain: (question: Question) => string;
}

/** The scope that a key needs where nobody else may. */
const SCOPE_FOR: Readonly<Record<ChannelAction, Scope>> = { subscribe: "admin", publish: "publish" };

const GROUNDS = {
  dev: yes(() => "with --dev everybody may"),
  key: yes(({ grant, action }) => `${grant!.name} has the scope ${SCOPE_FOR[action]}`),
  everyone: yes(({ action, channel }) => `${channel} has ${action}=everyone`),
  user: yes(({ action, channel }) => `${channel} has ${action}=users`),
  named: yes(({ channel }) => `the token names ${channel}`),
  own: yes(() => "it is the user's own"),
  noUser: no(({ action, channel }) => `${channel} has ${action}=users, and this is no user`),
  noToken: no(({ action, channel }) => `${channel} has ${action}=token, and there is no token`),
  unnamed: no(({ action, channel }) => `${channel} has ${action}=token, and the token does not name it`),
  keysOnly: no(({ action, channel }) => `${channel} has ${action}=keys, and this is no key with ${SCOPE_FOR[action]}`),
  foreign: no(() => "only that user may, or a key with the scope admin"),
  noJoins: no(({ channel }) => `${channel} does not have presence=joins`),
  admins: no(() => "it is for keys with the scope admin"),
  servers: no(() => "only the server publishes there"),
  reserved: no(() => "the name is reserved"),
} satisfies Record<string, Ground>;

/**
 * | channel          | subscribe                                             | publish                            |
 * | ---------------- | ----------------------------------------------------- | ---------------------------------- |
 * | ordinary         | as its rule says; an `admin` key                      | as its rule says; a `publish` key  |
 * | `$user/ID`       | that user; an `admin` key                             | as its rule says; a `publish` key  |
 * | `$session/ID`    | nobody                                                | as its rule says; a `publish` key  |
 * | `$presence/NAME` | who may hear NAME, if that has `presence=joins`       | nobody: only the server does       |
 * | `$admin`         | an `admin` key                                        | nobody                             |
 * | any other `$`    | nobody                                                | nobody                             |
 * | queue            | as the rule of `$queue/NAME` says; an `admin` key     | as that says; a `publish` key      |
 *
 * A rule says `everyone`, `users`, `token` (the token names the channel) or `keys`; what it does not say is as
 * {@linkcode compileRules} has it. Publishing to `$session/ID` is a message to that session. A queue is no channel: to hear
 * `$queue/NAME` is a right that nobody has, so that no door, history or order gives out what only consumers get.
 */
export function createRights(settings: RightsSettings): Rights {
  const { dev } = settings;
  const rulesOf = compileRules(settings);
  const isOpen = isOpenSomewhere(settings);

  function has(grant: Grant | undefined, scope: Scope): boolean {
    return dev || grant !== undefined && (grant.scopes.includes(scope) || grant.scopes.includes("admin"));
  }

  function byKey(grant: Grant | undefined, action: ChannelAction): Ground | undefined {
    if (dev) return GROUNDS.dev;
    return has(grant, SCOPE_FOR[action]) ? GROUNDS.key : undefined;
  }

  function byRule(grant: Grant | undefined, action: ChannelAction, channel: string): Ground {
    const key = byKey(grant, action);
    if (key) return key;
    const user = grant?.user;
    switch (rulesOf(channel)[action]) {
      case "everyone":
        return GROUNDS.everyone;
      case "users":
        return user ? GROUNDS.user : GROUNDS.noUser;
      case "token":
        if (!user) return GROUNDS.noToken;
        return user[action](channel) ? GROUNDS.named : GROUNDS.unnamed;
      case "keys":
        return GROUNDS.keysOnly;
    }
  }

  function decide(grant: Grant | undefined, action: ChannelAction, channel: string): Ground {
    if (!isReserved(channel)) return byRule(grant, action, channel);
    const owner = userOf(channel);
    if (action === "publish") {
      return owner !== undefined || isSessionName(channel) ? byRule(grant, action, channel) : GROUNDS.servers;
    }
    if (owner !== undefined) {
      return grant?.user?.id === owner ? GROUNDS.own : byKey(grant, action) ?? GROUNDS.foreign;
    }
    if (channel === ADMIN_CHANNEL) return byKey(grant, action) ?? GROUNDS.admins;
    const heard = presenceOf(channel);
    if (heard === undefined || heard === "" || isReserved(heard)) return GROUNDS.reserved;
    return rulesOf(heard).presence === "joins" ? byRule(grant, action, heard) : GROUNDS.noJoins;
  }

  function decideUse(grant: Grant | undefined, action: ChannelAction, queue: string): Ground {
    return byRule(grant, action, queueChannel(queue));
  }

  return {
    rulesOf,
    isOpen,
    has,
    may: (grant, action, channel) => decide(grant, action, channel).allowed,
    mayUse: (grant, action, queue) => decideUse(grant, action, queue).allowed,
    judge(grant, action, channel) {
      const queue = queueOf(channel);
      const ground = queue === undefined ? decide(grant, action, channel) : decideUse(grant, action, queue);
      const { allowed, explain } = ground;
      return { allowed, reason: explain({ grant, action, channel: presenceOf(channel) ?? channel }) };
    },
  };
}

function yes(explain: Ground["explain"]): Ground {
  return Object.freeze({ allowed: true, explain });
}

function no(explain: Ground["explain"]): Ground {
  return Object.freeze({ allowed: false, explain });
}
