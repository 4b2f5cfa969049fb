/**
 * Who the sessions of an edge are: since when, until when, and what follows when one becomes somebody.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import { GongError } from "../errors.ts";
import type { Link } from "../link.ts";
import type { HubMethods } from "../methods.ts";
import type { Session } from "../session.ts";
import { Expiry } from "./expiry.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What {@linkcode Identities} are made of. */
export interface IdentitiesOptions {
  readonly auth: Auth;
  readonly link: Link<HubMethods>;
  readonly subscriptions: Subscriptions;
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
    const { auth, link } = this.#options;
    const question = Symbol();
    this.#asked.set(session, question);
    const grant = await auth.verify(token, session.options.address);
    if (this.#asked.get(session) !== question) throw new GongError("conflict", "A later token counts.");
    const { id, info } = checkOwner(session, grant);
    this.#expiry.forget(session);
    session.grant = grant;
    if (!session.hasLeft) {
      this.#expiry.watch(session);
      link.notify("identify", { id: session.id, user: id, ...(info === undefined ? {} : { info }) });
      this.#judge(session);
    }
    return { user: id, until: grant.until! };
  }

  close(): void {
    this.#expiry.close();
  }

  /** It hears what it may hear now, and what the operator has it hear. */
  #judge(session: Session): void {
    const { auth, subscriptions } = this.#options;
    const heard = subscriptions.channels(session);
    for (const channel of heard) {
      if (session.imposed?.has(channel) || auth.may(session.grant, "subscribe", channel)) continue;
      subscriptions.end(session, channel);
      session.door.unsubscribed(session, channel);
    }
    const { inbox } = session;
    if (inbox !== undefined && !heard.includes(inbox)) session.subscribe(inbox);
  }
}

/** A session may become somebody's, and stays whose it is. */
function checkOwner({ grant }: Session, { user }: Grant) {
  if (grant === undefined || grant.user?.id === user!.id) return user!;
  throw new GongError("conflict", grant.user ? "The session is another user's." : "The session has a key or a login.");
}
