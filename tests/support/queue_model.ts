/**
 * What queues are to do, in the plainest way: lists that are searched, and a copy of them for each step.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { sizeOf } from "../../lib/bytes.ts";
import { queueChannel, queueOf } from "../../lib/reserved.ts";
import type { Broker, Draft, PageLimit, Settling } from "../../lib/types.ts";
import type { Random } from "./random.ts";

interface Message {
  readonly offset: number;
  readonly data: unknown;
  readonly bytes: number;
  readonly expires: number;
  isClaimed: boolean;
  redelivered: boolean;
}

interface ModelQueue {
  offset: number;
  messages: Message[];
  epoch?: string;
}

type State = Map<string, ModelQueue>;

/** So small that everything is met. */
export const MODEL_BOUNDS = { queueCount: 9, queueBytes: 9 * 400, queueBudget: 18 * 400, maxQueues: 3 };

const NAMES = ["a", "b", "__proto__", "d"] as const;
const UNSTORED = "Nothing can be stored now.";

/** A broker and its model, which are asked the same. */
export class QueueModel {
  broker: Broker;
  /** What was met, and how often. */
  readonly met: Record<string, number> = {};
  readonly #clock: { now: number };
  readonly #random: Random;
  #state: State = new Map();
  /** Publications of the channel beside the queues. */
  #published = 0;

  /** @param clock that of the broker too */
  constructor(broker: Broker, clock: { now: number }, random: Random) {
    this.broker = broker;
    this.#clock = clock;
    this.#random = random;
  }

  /** One step, and whether everything is as it should be after it. */
  async step(where: string): Promise<void> {
    const random = this.#random;
    const kind = random.int(10);
    if (kind < 4) await this.#publish(where);
    else if (kind < 7) await this.#claim(where);
    else if (kind < 9) await this.#settle(where);
    else this.#clock.now += random.int(3000);
    this.check(where);
  }

  check(where: string): void {
    const all = messagesOf(this.#state);
    const expected = {
      queues: this.#state.size,
      messages: all.length,
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      claimed: all.filter(({ isClaimed }) => isClaimed).length,
    };
    assertEquals(this.broker.stats().queues, expected, where);
  }

  /** Another broker has what this one has left. */
  reopened(broker: Broker, where: string): void {
    this.broker = broker;
    for (const { messages } of this.#state.values()) {
      for (const message of messages) Object.assign(message, { isClaimed: false, redelivered: true });
    }
    this.check(where);
  }

  /** Takes everything out, so that nothing can be there that was not seen. */
  async drain(where: string): Promise<void> {
    for (const name of NAMES) {
      await this.#compareClaim(name, {}, where);
      const offsets = this.#state.get(name)?.messages.map(({ offset }) => offset) ?? [];
      await this.broker.settle([{ queue: name, offsets, as: "done" }]);
      this.#state.delete(name);
      this.check(where);
    }
  }

  async #publish(where: string): Promise<void> {
    const random = this.#random;
    const drafts = Array.from({ length: 1 + random.int(5) }, (_, n): Draft => ({
      channel: random.int(4) === 0 ? "channel" : queueChannel(random.pick(NAMES)),
      data: `${where}.${n}\0`.padEnd(random.int(10) === 0 ? 2000 : random.int(250), "x"),
      contentType: "text/plain",
      ...(random.int(4) === 0 ? { ttl: random.pick([0, 0.3, 2, 1000]) } : {}),
    }));
    const settled = random.int(3) === 0 ? this.#randomSettlings() : [];
    const atomic = random.int(3) === 0;
    const results = await this.broker.publish(drafts, { atomic, settled });
    const answers = results.map((result) => "error" in result ? result.error.message : result.offset);
    if (answers.every((answer) => answer === UNSTORED)) {
      // What is over may have gone before it failed, or not.
      if (this.broker.stats().queues.messages < messagesOf(this.#state).length) this.#sweep();
      return this.#count("unstored");
    }
    if (drafts.some(({ channel }) => queueOf(channel) !== undefined)) this.#sweep();
    const [state, published] = [structuredClone(this.#state), this.#published];
    const expected = this.#take(state, drafts, settled);
    const refused = expected.find((answer) => typeof answer === "string");
    const isWhole = atomic || settled.length > 0;
    if (isWhole && refused !== undefined) this.#published = published;
    else this.#state = state;
    assertEquals(answers, isWhole && refused !== undefined ? drafts.map(() => refused) : expected, where);
    for (const answer of answers) this.#count(typeof answer === "string" ? answer.replace(/ \w+ is/, " is") : "taken");
    for (const [index, { channel }] of drafts.entries()) {
      const queue = this.#state.get(queueOf(channel) ?? "");
      const result = results[index]!;
      if (!queue || "error" in result) continue;
      queue.epoch ??= result.epoch;
      assertEquals(result.epoch, queue.epoch, where);
    }
    const epochs = [...this.#state.values()].map(({ epoch }) => epoch);
    assertEquals(new Set(epochs).size, epochs.length);
  }

  #take(state: State, drafts: readonly Draft[], settled: readonly Settling[]): (number | string)[] {
    apply(state, settled, false);
    const answers = drafts.map((draft) => {
      const name = queueOf(draft.channel);
      if (name === undefined) return ++this.#published;
      const bytes = sizeOf(draft);
      const { messages = [], offset = 0 } = state.get(name) ?? {};
      const sizes = (messages: readonly Message[]) => messages.reduce((sum, { bytes }) => sum + bytes, bytes);
      if (!this.#state.has(name) && !state.has(name) && state.size >= MODEL_BOUNDS.maxQueues) {
        return "There are too many queues.";
      }
      const isFull = messages.length >= MODEL_BOUNDS.queueCount || sizes(messages) > MODEL_BOUNDS.queueBytes;
      if (isFull) return `The queue ${name} is full.`;
      if (sizes(messagesOf(state)) > MODEL_BOUNDS.queueBudget) return "There is no room for more in queues.";
      const expires = draft.ttl === undefined ? Infinity : this.#clock.now + Math.ceil(draft.ttl * 1000);
      const message = { offset: offset + 1, data: draft.data, bytes, expires, isClaimed: false, redelivered: false };
      state.set(name, { ...state.get(name), offset: offset + 1, messages: [...messages, message] });
      return offset + 1;
    });
    forgetEmpty(state);
    return answers;
  }

  /** What is over goes, but for what somebody has. */
  #sweep(): void {
    for (const queue of this.#state.values()) {
      const left = queue.messages.filter(({ isClaimed, expires }) => isClaimed || expires > this.#clock.now);
      if (left.length < queue.messages.length) this.#count("expired");
      queue.messages = left;
    }
    forgetEmpty(this.#state);
  }

  async #claim(where: string): Promise<void> {
    const random = this.#random;
    const limit = {
      ...(random.int(4) > 0 ? { count: random.int(5) } : {}),
      ...(random.int(3) === 0 ? { bytes: random.int(1500) } : {}),
    };
    await this.#compareClaim(random.pick(NAMES), limit, where);
  }

  async #compareClaim(name: string, { count = Infinity, bytes = Infinity }: PageLimit, where: string): Promise<void> {
    const queue = this.#state.get(name);
    const expected: unknown[] = [];
    let size = 0;
    for (const message of [...queue?.messages ?? []]) {
      if (expected.length >= count) break;
      if (message.isClaimed) continue;
      if (message.expires <= this.#clock.now) {
        queue!.messages = queue!.messages.filter((other) => other !== message);
        this.#count("expired");
        continue;
      }
      size += message.bytes;
      if (size > bytes && expected.length > 0) break;
      message.isClaimed = true;
      expected.push([queue!.epoch, message.offset, message.data, message.redelivered]);
    }
    forgetEmpty(this.#state);
    const messages = await this.broker.claim(name, { count, bytes });
    assertEquals<unknown>(
      messages.map(({ epoch, offset, data, redelivered }) => [epoch, offset, data, redelivered]),
      expected,
      where,
    );
    for (const { queue, redelivered } of messages) {
      assertEquals(queue, name);
      this.#count(redelivered ? "redelivered" : "claimed");
    }
  }

  async #settle(where: string): Promise<void> {
    const settlings = this.#randomSettlings();
    const code = await this.broker.settle(settlings).then(() => undefined, (error) => error.code);
    if (code === undefined) return apply(this.#state, settlings, true);
    assert(code === "overloaded" && settlings.some(({ as }) => as === "done"), `${where}: ${code}`);
    this.#count("unsettled");
  }

  /** Mostly of what is claimed. */
  #randomSettlings(): Settling[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.int(3) }, () => {
      const queue = random.pick(NAMES);
      const claimed = this.#state.get(queue)?.messages.filter(({ isClaimed }) => isClaimed) ?? [];
      const offsets = claimed.filter(() => random.int(3) > 0).map(({ offset }) => offset);
      if (random.int(4) === 0) offsets.push(random.int(20), ...offsets.slice(0, 1));
      if (random.int(2) === 0) offsets.reverse();
      return { queue, offsets, as: random.pick(["done", "done", "requeued"]) };
    });
  }

  #count(what: string): void {
    this.met[what] = (this.met[what] ?? 0) + 1;
  }
}

function apply(state: State, settlings: readonly Settling[], forgets: boolean): void {
  const settled = new Set<Message>();
  for (const { queue: name, offsets, as } of settlings) {
    const queue = state.get(name);
    for (const offset of offsets) {
      const message = queue?.messages.find((message) => message.offset === offset && message.isClaimed);
      if (!queue || !message || settled.has(message)) continue;
      settled.add(message);
      if (as === "done") queue.messages = queue.messages.filter((other) => other !== message);
      else Object.assign(message, { isClaimed: false, redelivered: true });
    }
  }
  if (forgets) forgetEmpty(state);
}

function messagesOf(state: State): Message[] {
  return [...state.values()].flatMap(({ messages }) => messages);
}

function forgetEmpty(state: State): void {
  for (const [name, { messages }] of state) if (messages.length === 0) state.delete(name);
}
