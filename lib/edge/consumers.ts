/**
 * The consumers of an edge's sessions: what the hub has assigned to them, on its way to their clients.
 *
 * @module
 */
import type { Auth } from "../auth.ts";
import { byteLength } from "../bytes.ts";
import type { ConsumeOptions, Consumer } from "../door.ts";
import { GongError } from "../errors.ts";
import type { Link } from "../link.ts";
import { consumerId, type EdgeMethods, type HubMethods } from "../methods.ts";
import { Multimap } from "../multimap.ts";
import { isQueue, queueChannel } from "../reserved.ts";
import type { Session } from "../session.ts";
import type { QueuedMessage, Settlement } from "../types.ts";

/** What {@linkcode Consumers} are made of. */
export interface ConsumersOptions {
  readonly auth: Pick<Auth, "mayUse">;
  readonly link: Link<HubMethods>;
  /** Bytes that may be with one consumer, of which the last message may exceed them. */
  readonly outbox: number;
  /** Consumers that one session may have. */
  readonly max: number;
}

/** All consumers of an edge. */
export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #byId = new Map<string, QueueReader>();
  readonly #bySession = new Multimap<Session, QueueReader>();
  #made = 0;

  constructor(options: ConsumersOptions) {
    this.#options = options;
  }

  /** As {@linkcode DoorSession.consume}; a session that has left consumes nothing. */
  consume(session: Session, queue: string, options: ConsumeOptions): Consumer {
    const { auth, link, outbox: bytes, max } = this.#options;
    if (!isQueue(queue)) throw new GongError("bad_request", "There can be no queue of this name.");
    if (!auth.mayUse(session.grant, "subscribe", queue)) {
      throw new GongError("forbidden", `Consuming the queue ${queue} is not allowed.`);
    }
    if (this.#bySession.count(session) >= max) throw new GongError("too_many", `At most ${max} consumers.`);
    const id = consumerId(session.id, ++this.#made);
    const reader = new QueueReader({ id, session, queue, link, options, onCancel: () => this.#cancel(reader) });
    if (session.hasLeft) {
      reader.end();
      return reader;
    }
    this.#byId.set(id, reader);
    this.#bySession.add(session, reader);
    link.request("consume", { id, queue, prefetch: options.prefetch, bytes }).then(
      () => reader.accept(),
      (error) => {
        if (this.#remove(reader)) options.refused(GongError.from(error));
      },
    );
    return reader;
  }

  /** Which queues the session consumes, each once. */
  queues(session: Session): readonly string[] {
    return [...new Set(Array.from(this.#bySession.get(session), ({ queue }) => queue))];
  }

  /** The hub has given messages to a consumer; what came too late for it goes back. */
  assign({ consumer, messages }: Parameters<EdgeMethods["assign"]>[0]): void {
    const reader = this.#byId.get(consumer);
    if (reader) reader.take(messages);
    else this.#options.link.notify("cancel", consumer);
  }

  /** The session's rights have changed: it consumes what it may consume now. */
  judge(session: Session): void {
    const lost = [...this.#bySession.get(session)].filter(({ queue }) => {
      return !this.#options.auth.mayUse(session.grant, "subscribe", queue);
    });
    for (const reader of lost) reader.cancel();
    for (const queue of new Set(lost.map(({ queue }) => queue))) {
      session.door.unsubscribed(session, queueChannel(queue));
    }
  }

  /** The session is gone. The hub cancels its consumers when it is told so, and requeues what is with them. */
  leave(session: Session): void {
    for (const reader of [...this.#bySession.get(session)]) this.#remove(reader);
  }

  #cancel(reader: QueueReader): void {
    if (this.#remove(reader)) this.#options.link.notify("cancel", reader.id);
  }

  /** Returns whether it was there. */
  #remove(reader: QueueReader): boolean {
    reader.end();
    this.#bySession.delete(reader.session, reader);
    return this.#byId.delete(reader.id);
  }
}

/** What a {@linkcode QueueReader} is made of. */
interface ReaderOptions {
  readonly id: string;
  readonly session: Session;
  readonly queue: string;
  readonly link: Link<HubMethods>;
  readonly options: Pick<ConsumeOptions, "accepted" | "encode" | "given">;
  readonly onCancel: () => void;
}

/** One consumer: writes its messages in order, as its session has room for them. */
class QueueReader implements Consumer {
  readonly #options: ReaderOptions;
  /** Assigned and not written; those before `#next` are. */
  #waiting: readonly QueuedMessage[] = [];
  #next = 0;
  /** It may not before whoever consumes has been told that it does. */
  #mayWrite = false;
  #isOver = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#options.id;
  }

  get session(): Session {
    return this.#options.session;
  }

  get queue(): string {
    return this.#options.queue;
  }

  async settle(offsets: readonly number[], as: Settlement): Promise<void> {
    await this.#options.link.request("settle", [{ consumer: this.id, offsets, as }]);
  }

  cancel(): void {
    this.#options.onCancel();
  }

  take(messages: readonly QueuedMessage[]): void {
    this.#waiting = this.#waiting.slice(this.#next).concat(messages);
    this.#next = 0;
    if (this.#mayWrite) void this.#write();
  }

  /** The hub has it: what it has assigned may be there before its answer. */
  accept(): void {
    if (this.#isOver) return;
    this.#options.options.accepted?.();
    void this.#write();
  }

  /** Nothing more is written. */
  end(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#next = 0;
  }

  async #write(): Promise<void> {
    const { session, options } = this.#options;
    this.#mayWrite = false;
    try {
      while (this.#next < this.#waiting.length) {
        const message = this.#waiting[this.#next]!;
        // So that what waits for long is there but once; its frame is hardly larger.
        await this.#room(byteLength(message.data));
        if (this.#isOver) return;
        const frame = options.encode(message);
        await this.#room(byteLength(frame));
        if (this.#isOver) return;
        this.#next++;
        session.write(frame);
        if (!session.hasLeft) options.given?.(message);
      }
    } catch (error) {
      session.refuse(error);
    } finally {
      // Within the turn of the last look, or what came since would never be written.
      this.#mayWrite = true;
      // What has been written is not kept.
      this.#waiting = [];
      this.#next = 0;
    }
  }

  /** Resolves when the session may be written so many bytes, or never may. */
  async #room(bytes: number): Promise<void> {
    const { session } = this.#options;
    while (!session.takes([bytes])) await session.room([bytes]);
  }
}
