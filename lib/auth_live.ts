/**
 * Verdicts that can be replaced while they are asked for.
 *
 * @module
 */
import type { Auth } from "./auth.ts";

/** What is remembered of either, at most; one more than a login needs to be void for being older than all of them. */
const MAX_KEPT = 10_001;

/** One {@linkcode Auth} after another. Addresses that are blocked and logins that have ended stay so. */
export class LiveAuth implements Auth {
  #current: Auth;
  readonly #blocked = new Map<string, number>();
  readonly #revoked = new Set<string>();

  constructor(first: Auth) {
    this.#current = first;
  }

  /** From here on this one decides. */
  replace(next: Auth): void {
    for (const [address, until] of this.#blocked) next.block(address, until);
    for (const login of this.#revoked) next.revoke(login);
    this.#current = next;
  }

  get isOpen(): boolean {
    return this.#current.isOpen;
  }

  get foreignOrigins(): readonly string[] {
    return this.#current.foreignOrigins;
  }

  readonly checkHost: Auth["checkHost"] = (...args) => this.#current.checkHost(...args);
  readonly checkOrigin: Auth["checkOrigin"] = (...args) => this.#current.checkOrigin(...args);
  readonly allowedOrigin: Auth["allowedOrigin"] = (...args) => this.#current.allowedOrigin(...args);
  readonly isOwn: Auth["isOwn"] = (...args) => this.#current.isOwn(...args);
  readonly identify: Auth["identify"] = (...args) => this.#current.identify(...args);
  readonly recognize: Auth["recognize"] = (...args) => this.#current.recognize(...args);
  readonly verify: Auth["verify"] = (...args) => this.#current.verify(...args);
  readonly unpack: Auth["unpack"] = (...args) => this.#current.unpack(...args);
  readonly may: Auth["may"] = (grant, action, channel) => this.#current.may(grant, action, channel);
  readonly mayUse: Auth["mayUse"] = (grant, action, queue) => this.#current.mayUse(grant, action, queue);
  readonly has: Auth["has"] = (...args) => this.#current.has(...args);
  readonly require: Auth["require"] = (...args) => this.#current.require(...args);
  readonly login: Auth["login"] = (...args) => this.#current.login(...args);

  readonly logout: Auth["logout"] = (grant) => {
    if (grant?.login !== undefined) keep(this.#revoked, grant.login);
    return this.#current.logout(grant);
  };

  readonly block: Auth["block"] = (address, until) => {
    this.#blocked.delete(address);
    this.#blocked.set(address, until);
    forgetOldest(this.#blocked);
    this.#current.block(address, until);
  };

  readonly revoke: Auth["revoke"] = (login) => {
    keep(this.#revoked, login);
    this.#current.revoke(login);
  };
}

function keep(kept: Set<string>, item: string): void {
  kept.add(item);
  forgetOldest(kept);
}

function forgetOldest(kept: Set<string> | Map<string, number>): void {
  const oldest = kept.keys().next();
  if (kept.size > MAX_KEPT && !oldest.done) kept.delete(oldest.value);
}
