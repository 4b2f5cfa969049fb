/**
 * Who the sessions of an edge are: since when, until when, and what follows when one becomes somebody.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import type { Credentials } from "../auth/credentials.ts";
import { GongError } from "../errors.ts";
import type { Link } from "../link.ts";
import type { HubMethods } from "../methods.ts";
import type { Session } from "../session.ts";
import type { Consumers } from "./consumers.ts";
import { Expiry } from "./expiry.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What {@linkcode Identities} are made of. */
export interface IdentitiesOptions {
  readonly auth: Auth;
  readonly link: Link<HubMethods>;
  readonly subscriptions: Subscriptions;
  readonly consumers: Consumers;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Who is who on an edge. */
export class Identities {
  readonly #options: IdentitiesOptions;
  readonly #expiry: Expiry;
  /** The newest question of each session that has asked. */
  readonly #asked = new WeakMap<Session, symbol>();

  constructor(options: IdentitiesOptions) {
    this.#options = options;
    this.#expiry = new Expiry(options.now);
  }

  /** A session has begun: it ends with what has opened it. */
  began(session: Session): void {
    this.#expiry.watch(session);
  }

  left(session: Session): void {
    this.#expiry.forget(session);
  }

  /**
   * As {@linkcode Session.authenticate}. Of several at once the last one counts.
   *
   * @throws {GongError} `unauthorized`; `conflict`: it is another's already, or was asked again meanwhile
   */
  async authenticate(session: Session, token: string): Promise<{ readonly user: string; readonly until: number }> {
    const { auth } = this.#options;
    const { user, until } = await this.#become(session, auth.verify(token, session.options.address));
    return { user: user!.id, until: until! };
  }

  /**
   * As {@linkcode Session.identify}. Of several at once the last one counts that says something.
   *
   * @throws {GongError} as {@linkcode Auth.recognize} does; `conflict`: it is another's already, or was asked again meanwhile
   */
  async identify(session: Session, said: Credentials): Promise<void> {
    const who = this.#options.auth.recognize(said, session.options.address);
    if (who !== undefined) await this.#become(session, who);
  }

  /** What holds for them has changed: each hears and consumes what it may now. Those whom these keys have opened end. */
  judgeAll(sessions: Iterable<Session>, withdrawn: readonly string[]): void {
    for (const session of [...sessions]) {
      const { grant } = session;
      const isGone = grant !== undefined && !grant.user && withdrawn.includes(grant.name);
      if (isGone) session.close("unauthorized", "The key is not valid any more.");
      else this.#judge(session);
    }
  }

  close(): void {
    this.#expiry.close();
  }

  /** It is this one's, as soon as it is known who that is. One that has left meanwhile is left alone. */
  async #become(session: Session, who: Grant | Promise<Grant>): Promise<Grant> {
    const { link } = this.#options;
    const question = Symbol();
    this.#asked.set(session, question);
    const grant = await who;
    if (this.#asked.get(session) !== question) throw new GongError("conflict", "A later token counts.");
    checkOwner(session, grant);
    if (session.hasLeft) return grant;
    this.#expiry.forget(session);
    session.grant = grant;
    this.#expiry.watch(session);
    if (grant.user) {
      const { id: user, info } = grant.user;
      link.notify("identify", { id: session.id, user, ...(info === undefined ? {} : { info }) });
    }
    this.#judge(session);
    const { inbox } = session;
    const isHeard = inbox === undefined || this.#options.subscriptions.channels(session).includes(inbox);
    if (!isHeard && !session.door.subscribesInbox) session.subscribe(inbox);
    return grant;
  }

  /** It hears and consumes what it may now, and hears what the operator has it hear. */
  #judge(session: Session): void {
    const { auth, subscriptions, consumers } = this.#options;
    for (const channel of subscriptions.channels(session)) {
      if (session.imposed?.has(channel) || auth.may(session.grant, "subscribe", channel)) continue;
      subscriptions.end(session, channel);
      session.door.unsubscribed(session, channel);
    }
    consumers.judge(session);
  }
}

/** A session may become somebody's, and stays whose it is: a user's, or that of the keys of a name. */
function checkOwner({ grant }: Session, { name, user }: Grant): void {
  if (grant === undefined) return;
  // No key can be called as a user's grant is.
  if (grant.user ? grant.user.id === user?.id : grant.name === name) return;
  throw new GongError("conflict", grant.user ? "The session is another user's." : "The session has a key or a login.");
}
