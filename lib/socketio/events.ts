/**
 * The events of a connection: handled in order, one of each socket at a time.
 *
 * @module
 */
import type { Packet } from "../codecs/socketio.ts";
import { GongError } from "../errors.ts";
import { Answering } from "./answering.ts";
import { failurePacket } from "./connecting.ts";
import type { ConnectionOptions } from "./engine.ts";
import type { NamespaceSocket, SocketOwner } from "./socket.ts";

/** What events need of their connection. */
export interface EventsOwner extends SocketOwner {
  /** No event of the socket is under way any more, and none waits. */
  drained(socket: NamespaceSocket): void;
  /** Less is under way than before. */
  eased(): void;
  /** Whether a packet of so many bytes may wait. @throws {GongError} `rate_limited` */
  checkRoom(size: number): void;
}

/** What is under way of one connection, and what waits for it. */
export class Events {
  readonly #options: ConnectionOptions;
  readonly #owner: EventsOwner;
  #underWay = 0;
  #waiting = 0;
  #bytes = 0;

  constructor(options: ConnectionOptions, owner: EventsOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  /** Whether no handler is under way, and nothing waits. */
  get isIdle(): boolean {
    return this.#underWay === 0 && this.#waiting === 0;
  }

  /** Bytes of what waits. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Handles an event, now or in its turn. @throws {GongError} `rate_limited` */
  take(socket: NamespaceSocket, packet: Packet, size: number): void {
    if (!socket.isBusy) return this.#handle(socket, packet);
    if (this.#waiting >= this.#options.limits.waiting) throw new GongError("rate_limited");
    this.#owner.checkRoom(size);
    this.#waiting++;
    this.#bytes += size;
    (socket.waiting ??= []).push({ packet, size });
  }

  /** Has an acknowledgement handled at once: an event may wait for it. */
  acknowledged(socket: NamespaceSocket, answered: string, args: readonly unknown[]): void {
    try {
      const done = this.#options.handlers.onAck?.(socket, answered, args);
      if (!done) return;
      this.#underWay++;
      done.catch((error) => this.#failed(socket, error)).then(() => {
        this.#underWay--;
        this.#owner.eased();
      });
    } catch (error) {
      this.#failed(socket, error);
    }
  }

  /** What waits of this socket is not handled any more. */
  drop(socket: NamespaceSocket): void {
    for (const { size } of socket.waiting ?? []) this.#release(size);
    socket.waiting = undefined;
  }

  #handle(socket: NamespaceSocket, { id, data: [event, ...args] }: Packet): void {
    const answering = id === undefined ? undefined : new Answering(this.#owner, socket, id);
    try {
      const done = this.#options.handlers.onEvent?.(socket, String(event), args, answering?.ack);
      if (!done) return;
      socket.isBusy = true;
      this.#underWay++;
      done.catch((error) => this.#failed(socket, error, answering)).then(() => this.#handled(socket));
    } catch (error) {
      this.#failed(socket, error, answering);
    }
  }

  #handled(socket: NamespaceSocket): void {
    socket.isBusy = false;
    this.#underWay--;
    while (!socket.isBusy && socket.waiting?.length) {
      const { packet, size } = socket.waiting.shift()!;
      this.#release(size);
      this.#handle(socket, packet);
    }
    if (!socket.isBusy) {
      socket.waiting = undefined;
      this.#owner.drained(socket);
    }
    this.#owner.eased();
  }

  #release(size: number): void {
    this.#waiting--;
    this.#bytes -= size;
  }

  #failed(socket: NamespaceSocket, error: unknown, answering?: Answering): void {
    const refusal = GongError.from(error);
    const { code, message } = refusal;
    if (answering && !answering.isDone) answering.ack({ error: { code, message } });
    else this.#owner.send(socket, failurePacket(socket.namespace, refusal, this.#options.protocol));
  }
}
