/**
 * Where the session is that a WebSocket wants to go on with.
 *
 * @module
 */
import type { Carrier } from "../carrier.ts";
import { GongError } from "../errors.ts";
import { EngineFault } from "./answers.ts";
import type { Whereabouts } from "./engine.ts";
import type { EndedSession, MovedSession } from "./orders.ts";
import type { EngineSession } from "./session.ts";
import type { Claim, Successor } from "./upgrade.ts";

/** A session of this edge. */
export class LocalClaim implements Claim {
  readonly #session: EngineSession;

  constructor(session: EngineSession) {
    this.#session = session;
  }

  probe(id: string): void {
    this.#session.probe(id);
  }

  unprobe(id: string): void {
    this.#session.unprobe(id);
  }

  upgrade(socket: Carrier, hand: (successor: Successor) => void): undefined {
    if (!this.#session.upgrade(socket)) throw new EngineFault("request");
    hand(this.#session);
  }
}

/** What a {@linkcode RemoteClaim} needs. */
export interface RemoteOptions {
  readonly edge: number;
  readonly sid: string;
  readonly whereabouts: Whereabouts;
  /** Goes on with it here. */
  readonly receive: (moved: MovedSession, socket: Carrier) => EngineSession;
}

/** A session of another edge, which comes here. */
export class RemoteClaim implements Claim {
  readonly #options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  async probe(id: string): Promise<void> {
    const { edge, sid, whereabouts } = this.#options;
    const { status } = await whereabouts.ask(edge, { kind: "probe", sid, id });
    if (status !== 200) throw new EngineFault("request");
  }

  unprobe(id: string): void {
    const { edge, sid, whereabouts } = this.#options;
    // Its owner forgets it by itself after a while.
    whereabouts.ask(edge, { kind: "probe", sid, id, off: true }).catch(() => {});
  }

  async upgrade(socket: Carrier, hand: (successor: Successor) => void): Promise<EndedSession | undefined> {
    const { edge, sid, whereabouts, receive } = this.#options;
    const moved = await whereabouts.take(edge, sid);
    if (moved.engine.sid !== sid) throw new GongError("internal");
    if ("ended" in moved) {
      for (const frame of moved.engine.frames) socket.send(frame);
      return moved;
    }
    hand(receive(moved, socket));
    return undefined;
  }
}
