/**
 * What carries a session: a WebSocket, or the answer to a request.
 *
 * @module
 */
import type { MeasuredOutlet, Outlet } from "./outbox.ts";
import type { Data } from "./types.ts";

/** What a {@linkcode Carrier} tells its owner, and never while it is being sent something. */
export interface CarrierEvents {
  opened(): void;
  received(data: Data): void;
  /** It has another {@linkcode Carrier.outlet} from now on. Of most carriers never. */
  changed?(): void;
  /**
   * The last call, once: nothing of the carrier is left.
   *
   * @param clean whether it ended as it should, whoever began that
   */
  closed(code: number, reason: string, clean: boolean): void;
}

/** A way to one client. What is sent keeps its order, and nobody is told when it has arrived. */
export interface Carrier extends MeasuredOutlet {
  /** Who is told what happens; to be called at once. */
  listen(events: CarrierEvents): void;
  /** For many messages, as long as it is open and nobody has called {@linkcode close}. */
  readonly outlet: Outlet;
  /** False from the first close on, whoever began it. */
  readonly isOpen: boolean;
  /** Once closing, by either side, it does nothing. */
  send(data: Data): void;
  /** Begins the end: what was sent before still arrives. */
  close(code: number, reason: string): void;
}
