/**
 * What a client of STOMP may say once it is connected.
 *
 * @module
 */
import type { StompFrame } from "../../codecs/stomp.ts";
import { GongError } from "../../errors.ts";
import { isReserved } from "../../globs.ts";
import type { Position, Settlement } from "../../types.ts";
import { parseDestination } from "./destinations.ts";
import type { Conversation } from "./conversation.ts";
import { QueueSubscription } from "./queue_subscription.ts";
import { readContent, readDraft } from "./send.ts";
import { readSubscribe } from "./subscribe.ts";
import { NO_ACK, TopicSubscription } from "./topic_subscription.ts";

/** Does what one frame says. @throws {GongError} what ends the connection */
export type Command = (talk: Conversation, frame: StompFrame) => void;

/** By their names. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  SEND: send,
  SUBSCRIBE: subscribe,
  UNSUBSCRIBE: unsubscribe,
  ACK: (talk, frame) => settle(talk, frame, "done"),
  NACK: nack,
  BEGIN: begin,
  COMMIT: commit,
  ABORT: abort,
  DISCONNECT: disconnect,
};

function send(talk: Conversation, frame: StompFrame): void {
  const { session, transactions } = talk;
  const destination = parseDestination(need(frame, "destination"), session.user);
  const transaction = transactions.of(frame);
  if (destination.kind === "reply") {
    if (transaction) throw new GongError("bad_request", "An answer cannot wait in a transaction.");
    return talk.later(frame, session.answer(destination.reply, readContent(frame)));
  }
  if (destination.kind === "signal") throw new GongError("forbidden", "Nothing can be sent to `/signal`.");
  const draft = readDraft(frame, destination);
  if (transaction) {
    transactions.publish(transaction, draft);
    return talk.receipt(frame);
  }
  const isAwaited = frame.headers.has("receipt") || isReserved(draft.channel);
  if (!isAwaited) return session.post(draft);
  talk.later(frame, session.submit([draft]), ([position]) => [["position", format(position!)]]);
}

function subscribe(talk: Conversation, frame: StompFrame): void {
  const { subscriptions } = talk;
  const wish = readSubscribe(frame, talk.version, talk.session.user);
  const { name, source } = wish;
  subscriptions.check(name);
  if (source.kind === "reply") throw new GongError("forbidden", "Answers cannot be subscribed to.");
  if (source.kind === "signal") {
    subscriptions.add({ name, destination: wish.destination, channel: undefined, end() {} });
    return talk.receipt(frame);
  }
  const subscription = source.kind === "queue"
    ? new QueueSubscription(talk, { ...wish, queue: source.queue }, frame)
    : new TopicSubscription(talk, { ...wish, ...source }, frame);
  subscriptions.add(subscription);
  subscription.begin();
}

function unsubscribe(talk: Conversation, frame: StompFrame): void {
  const { subscriptions, version } = talk;
  // In 1.0 a destination will do, also that of a subscription with an id.
  const destination = version === "1.0" ? frame.headers.get("destination") : undefined;
  const name = frame.headers.get("id") ?? (destination && (subscriptions.nameOf(destination) ?? destination));
  if (name === undefined) throw new GongError("bad_request", "UNSUBSCRIBE needs the header `id`.");
  subscriptions.end(name);
  talk.receipt(frame);
}

function nack(talk: Conversation, frame: StompFrame): void {
  if (talk.version === "1.0") throw new GongError("bad_request", "STOMP 1.0 has no NACK.");
  const requeue = frame.headers.get("requeue") ?? "true";
  if (requeue !== "true" && requeue !== "false") {
    throw new GongError("bad_request", "`requeue` has to be `true` or `false`.");
  }
  settle(talk, frame, requeue === "true" ? "requeued" : "done");
}

function settle(talk: Conversation, frame: StompFrame, as: Settlement): void {
  const { subscriptions, transactions, version } = talk;
  const position = need(frame, version === "1.2" ? "id" : "message-id");
  const transaction = transactions.of(frame);
  const from = subscriptions.given.get(position);
  // Of a topic, or acknowledged before, perhaps with others.
  if (!from && position !== NO_ACK && !/^[\w-]{1,64}:\d{1,16}$/.test(position)) {
    throw new GongError("bad_request", `${frame.command} names no message of this connection.`);
  }
  if (!from) return talk.receipt(frame);
  const taken = from.take(position);
  if (!transaction) return talk.later(frame, taken.settle(as));
  transactions.settle(transaction, taken, as);
  talk.receipt(frame);
}

function begin(talk: Conversation, frame: StompFrame): void {
  talk.transactions.begin(frame);
  talk.receipt(frame);
}

function commit(talk: Conversation, frame: StompFrame): void {
  const { drafts, settled } = talk.transactions.end(frame);
  const settlings = settled.map(({ taken, as }) => taken.settling(as));
  if (drafts.length + settlings.length === 0) return talk.receipt(frame);
  talk.later(frame, talk.session.submit(drafts, settlings));
}

function abort(talk: Conversation, frame: StompFrame): void {
  const { settled } = talk.transactions.end(frame);
  for (const { taken } of settled) taken.giveBack();
  talk.receipt(frame);
}

function disconnect(talk: Conversation, frame: StompFrame): void {
  talk.isLeaving = true;
  talk.subscriptions.endQueues();
  talk.settled().then(() => {
    talk.receipt(frame);
    talk.session.leave();
  }, (error) => talk.fail(error, frame));
}

/** @throws {GongError} `bad_request`, naming the header */
function need({ command, headers }: StompFrame, name: string): string {
  const value = headers.get(name);
  if (value !== undefined && value !== "") return value;
  throw new GongError("bad_request", `${command} needs the header \`${name}\`.`, { field: name });
}

function format({ epoch, offset }: Position): string {
  return `${epoch}:${offset}`;
}
