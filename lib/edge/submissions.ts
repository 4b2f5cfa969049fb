/**
 * What sessions publish and settle in one step.
 *
 * @module
 */
import type { Auth } from "../auth.ts";
import { sizeOf } from "../bytes.ts";
import { GongError } from "../errors.ts";
import { isReserved } from "../globs.ts";
import type { Link } from "../link.ts";
import type { ConsumerSettling, HubMethods } from "../methods.ts";
import { isQueue, queueOf, userOf } from "../reserved.ts";
import type { Session } from "../session.ts";
import { signDraft } from "../session/says.ts";
import type { Draft, Position } from "../types.ts";
import type { Underway } from "./underway.ts";

/** What {@linkcode Submissions} are made of. */
export interface SubmissionsOptions {
  readonly auth: Pick<Auth, "may" | "mayUse">;
  readonly link: Link<HubMethods>;
  readonly underway: Underway;
}

/** The way of drafts to channels, users and queues. */
export class Submissions {
  readonly #options: SubmissionsOptions;

  constructor(options: SubmissionsOptions) {
    this.#options = options;
  }

  /** As {@linkcode DoorSession.submit}. */
  async submit(
    session: Session,
    drafts: readonly Draft[],
    settled: readonly ConsumerSettling[] = [],
  ): Promise<readonly Position[]> {
    for (const { channel } of drafts) this.#check(session, channel);
    const { link, underway } = this.#options;
    const signed = drafts.map((draft) => signDraft(session, draft));
    const bytes = signed.reduce((sum, draft) => sum + sizeOf(draft), 0);
    const order = { drafts: signed, atomic: drafts.length > 1 || settled.length > 0 };
    const results = await underway.during(bytes, () => {
      return link.request("publish", settled.length > 0 ? { ...order, settled } : order);
    });
    return results.map((result) => {
      if ("error" in result) throw GongError.fromRefusal(result.error);
      return result;
    });
  }

  /** @throws {GongError} `forbidden`; `bad_request` for what is no name of a queue */
  #check({ grant }: Session, channel: string): void {
    const { auth } = this.#options;
    const queue = queueOf(channel);
    if (queue !== undefined) {
      if (!isQueue(queue)) throw new GongError("bad_request", "There can be no queue of this name.");
      if (auth.mayUse(grant, "publish", queue)) return;
      throw new GongError("forbidden", `Putting something into the queue ${queue} is not allowed.`);
    }
    if (isReserved(channel) && userOf(channel) === undefined) {
      throw new GongError("forbidden", "Channels whose name begins with `$` belong to the server.");
    }
    if (!auth.may(grant, "publish", channel)) {
      throw new GongError("forbidden", `Publishing to ${channel} is not allowed.`);
    }
  }
}
