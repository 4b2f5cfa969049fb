/**
 * What is known of whoever asks.
 *
 * @module
 */
import type { Scope } from "../config.ts";

/** What a key, the login made with it, or a token entitles to. */
export interface Grant {
  /** Name of the key, of which several may share one; of a token `user:ID`, which no key can be called. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Id of the admin login, when it came by cookie. Not secret: it opens nothing by itself. */
  readonly login?: string;
  /** When that login or the token ends, in milliseconds since 1970. */
  readonly until?: number;
  /** Who it is, if the grant is a user's. */
  readonly user?: User;
}

/** A user, as a token names one. */
export interface User {
  readonly id: string;
  /** Channels that the token opens to the user. */
  readonly subscribe: (channel: string) => boolean;
  readonly publish: (channel: string) => boolean;
  /** JSON on one line, at most 1,024 bytes, that presence shows. */
  readonly info?: string;
  /** The patterns behind `subscribe` and `publish`; absent where everything is allowed. */
  readonly patterns?: { readonly subscribe: readonly string[]; readonly publish: readonly string[] };
}

/** A grant as it crosses isolates: without its functions, which are made of the patterns again. */
export type PackedGrant = Omit<Grant, "user"> & { readonly user?: Omit<User, "subscribe" | "publish"> };

export function packGrant({ user, ...grant }: Grant): PackedGrant {
  if (user === undefined) return grant;
  const { subscribe: _, publish: __, ...rest } = user;
  return { ...grant, user: rest };
}

/** @param compile makes a predicate of patterns */
export function unpackGrant(
  { user, ...grant }: PackedGrant,
  compile: (patterns: readonly string[]) => User["subscribe"],
): Grant {
  if (user === undefined) return grant;
  const { patterns } = user;
  const subscribe = patterns ? compile(patterns.subscribe) : everything;
  const publish = patterns ? compile(patterns.publish) : everything;
  return { ...grant, user: { ...user, subscribe, publish } };
}

function everything(): boolean {
  return true;
}
