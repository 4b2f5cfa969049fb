/**
 * The acknowledgement of one event.
 *
 * @module
 */
import { PacketType } from "../codecs/socketio.ts";
import type { Ack } from "./engine.ts";
import type { NamespaceSocket, SocketOwner } from "./socket.ts";

/** Whether it was given, and how. */
export class Answering {
  isDone = false;
  /** Acknowledges the event, the first time. */
  readonly ack: Ack;

  /** @param id of the event's packet */
  constructor(owner: SocketOwner, socket: NamespaceSocket, id: number) {
    this.ack = (...data) => {
      if (this.isDone) return;
      this.isDone = true;
      owner.send(socket, { type: PacketType.ACK, nsp: socket.namespace, id, data });
    };
  }
}
