/**
 * Who comes to the server with rules, and how it is shown who that is.
 *
 * @module
 */
import { type Claims, signToken } from "../../support/tokens.ts";
import { AUDIENCE, KEYS } from "./servers.ts";

type Headers = Readonly<Record<string, string>>;

/** What the tokens of users say; `greedy` names everything that a pattern can. */
const CLAIMS = {
  bare: {},
  named: { channels: ["room:*", "vault", "$user/*", "$admin"], publish: ["hall:*"] },
  greedy: { channels: ["*", "$*"], publish: ["*", "$*"] },
} as const satisfies Record<string, Claims>;

export type UserName = keyof typeof CLAIMS;
export type Who = "nobody" | keyof typeof KEYS | UserName;

export const USERS = Object.keys(CLAIMS) as readonly UserName[];
export const EVERYBODY: readonly Who[] = ["nobody", "stats", "publish", "admin", ...USERS];

/** Whether it comes with a token, which is looked at behind the handshake of a WebSocket. */
export function isUser(who: Who): who is UserName {
  return who in CLAIMS;
}

/** A token that the server with rules takes, unless the claims say something else. */
export function tokenOf(claims: Claims): string {
  return signToken({ aud: AUDIENCE, ...claims });
}

/** Headers of a user with such a token. */
export function bearer(claims: Claims): Headers {
  return { authorization: `Bearer ${tokenOf(claims)}` };
}

/** Headers that say who comes. */
export function headersOf(who: Who): Headers {
  if (who === "nobody") return {};
  return isUser(who) ? bearer({ sub: who, ...CLAIMS[who] }) : { "x-api-key": KEYS[who] };
}
