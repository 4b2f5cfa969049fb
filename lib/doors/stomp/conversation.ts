/**
 * What one connection has said so far, and how it is answered.
 *
 * @module
 */
import { byteLength } from "../../bytes.ts";
import { encodeStompFrame, type StompFrame, type StompVersion } from "../../codecs/stomp.ts";
import type { DoorSession } from "../../door.ts";
import type { Data } from "../../types.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Transactions, type TransactionsOptions } from "./transactions.ts";

/** Headers of a frame, in order. */
export type Headers = readonly (readonly [name: string, value: string])[];

/** A frame of the client, as long as its body is not needed. */
export type Said = Pick<StompFrame, "command" | "headers">;

/** What else a {@linkcode Conversation} needs. */
export interface ConversationOptions extends TransactionsOptions {
  /** Each frame has to have a message of its own. */
  readonly isSplit: boolean;
}

/** A connection from its CONNECTED on. */
export class Conversation {
  readonly session: DoorSession;
  readonly version: StompVersion;
  readonly subscriptions: Subscriptions;
  readonly transactions: Transactions;
  /** The frame for which the connection ends. */
  fault: Said | undefined;
  /** The client has said DISCONNECT. */
  isLeaving = false;
  readonly #underway = new Set<Promise<unknown>>();
  #signals = 0;

  constructor(session: DoorSession, version: StompVersion, { isSplit, ...options }: ConversationOptions) {
    this.session = session;
    this.version = version;
    this.subscriptions = new Subscriptions(session, version, isSplit);
    this.transactions = new Transactions(options);
  }

  write(command: string, headers: Headers, body?: Data): void {
    const length = body === undefined ? [] : [["content-length", String(byteLength(body))]] as const;
    this.session.write(encodeStompFrame(this.version, command, [...headers, ...length], body));
  }

  /** Says that the frame is done with, if its client wants to know. */
  receipt(said: Said, headers: Headers = []): void {
    const receipt = said.headers.get("receipt");
    if (receipt !== undefined) this.write("RECEIPT", [["receipt-id", receipt], ...headers]);
  }

  /** Does what the frame asks for, and says so when that is done. The connection ends if it cannot be. */
  later<T>(frame: Said, outcome: Promise<T>, tell: (value: T) => Headers = () => []): void {
    const done = outcome.then(
      (value) => this.receipt(frame, tell(value)),
      (error) => this.fail(error, frame),
    );
    this.#underway.add(done);
    void done.finally(() => this.#underway.delete(done));
  }

  /** Everything that was to be done later is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#underway);
    // What was posted without an answer goes before this.
    await this.session.submit([]);
  }

  /** The last frame is an ERROR. */
  fail(error: unknown, frame: Said): void {
    if (this.session.hasLeft) return;
    this.fault = frame;
    this.session.refuse(error);
  }

  /** A number for a message to this connection alone. */
  nextSignal(): number {
    return ++this.#signals;
  }

  /** The connection is gone. */
  close(): void {
    this.transactions.clear();
  }
}
