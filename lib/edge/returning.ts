/**
 * What sessions leave for whoever comes back as them.
 *
 * @module
 */
import type { Link } from "../link.ts";
import type { Logger } from "../log.ts";
import type { HubMethods } from "../methods.ts";
import type { Session } from "../session.ts";
import type { Expected } from "./expected.ts";
import type { Registry } from "./registry.ts";
import { SealedIds } from "./sealed_ids.ts";

/** What {@linkcode Returning} is made of. */
export interface ReturningOptions {
  /** Number of the edge. */
  readonly number: number;
  /** Shared by all edges of all nodes, and by those after a restart. */
  readonly seal: Uint8Array;
  readonly link: Link<HubMethods>;
  readonly log: Pick<Logger, "info">;
  readonly registry: Registry;
  readonly expected: Expected;
}

/** The way of an edge's sessions to what is remembered. */
export class Returning {
  readonly #options: ReturningOptions;
  /** What they were before, until it is known whether they go on as who they are now. */
  readonly #were = new WeakMap<Session, string>();

  readonly #pids: SealedIds;

  constructor(options: ReturningOptions) {
    this.#options = options;
    this.#pids = new SealedIds({ ...options, kind: "socket.io pid" });
  }

  /** As {@linkcode DoorSession.newPid}. */
  newPid(): string {
    return this.#pids.newId();
  }

  /** As {@linkcode DoorSession.remember}. */
  remember({ id: session }: Session, pid: string, state: string): Promise<void> {
    return this.#options.link.request("remember", { pid, session, state });
  }

  /** As {@linkcode DoorSession.recall}. */
  async recall(session: Session, pid: string): Promise<string | undefined> {
    const { link, registry, expected } = this.#options;
    const { id } = session;
    const adopt = session.channels.length + session.subscribing.length === 0;
    const maker = this.#pids.edgeOf(pid);
    const order = { pid, session: id, adopt, ...maker === undefined ? {} : { maker } };
    const found = await expected.during(() => link.request("recall", order));
    if (!found || found.session === id) return found?.state;
    if (session.hasLeft) {
      // It was counted out under an id that it had no more.
      link.notify("release", found.session);
      return undefined;
    }
    registry.rename(session, found.session);
    this.#were.set(session, id);
    return found.state;
  }

  /** As {@linkcode DoorSession.returned}. */
  returned(session: Session, isRecovered: boolean): void {
    const was = this.#were.get(session);
    if (was === undefined || session.hasLeft) return;
    this.#were.delete(session);
    const { options: { id, address }, user } = session;
    const fields = { session: id, was, address, ...user === undefined ? {} : { user } };
    this.#options.log.info(isRecovered ? "session.recovered" : "session.not_recovered", fields);
  }

  /** As {@linkcode DoorSession.forget}. */
  forget(pid: string): void {
    this.#options.link.notify("forget", pid);
  }
}
