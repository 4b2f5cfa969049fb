/**
 * How a session is counted in by the hub.
 *
 * @module
 */
import { unpackHistory } from "../codecs/page.ts";
import type { Link } from "../link.ts";
import type { HubMethods } from "../methods.ts";
import type { Session } from "../session.ts";
import type { Delivery } from "./delivery.ts";

/**
 * Counts it in. The channel of its user, where nobody here hears that, is asked for with the same question to the hub:
 * then it is subscribed to already, and returned.
 */
export function admit(session: Session, link: Link<HubMethods>, delivery: Delivery): string | undefined {
  const { options: { id, address, starts }, inbox: own } = session;
  const { id: user, info } = session.grant?.user ?? {};
  const who = { id, address, ...(user === undefined ? {} : { user }), ...(info === undefined ? {} : { info }) };
  // The text that `named` holds, so that the one just made can go: each user's is kept once.
  const inbox = namedOf(session).find((name) => name === own);
  const isKnown = inbox === undefined || starts.has(inbox) || delivery.hears(inbox);
  const after = isKnown ? undefined : delivery.seen;
  const admitted = link.request("admit", after === undefined ? who : { ...who, after });
  admitted.catch((error) => session.refuse(error));
  if (inbox === undefined || after === undefined) return undefined;
  const read = admitted.then((answer) => unpackHistory(answer!));
  delivery.subscriptions.begin(session, inbox, { read });
  return inbox;
}

/** The channels that it hears from its beginning. */
export function namedOf({ named, inbox, door }: Session): readonly string[] {
  return door.subscribesInbox && inbox !== undefined ? named.filter((name) => name !== inbox) : named;
}
