/**
 * Who joins or resumes while something is published gets each offset once and in order, whichever of the two ways
 * between hub and edge is late: a real hub, real edges, every door, and messages that go on in random orders.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Door } from "../../lib/door.ts";
import { json } from "../../lib/doors/json.ts";
import { plain } from "../../lib/doors/plain.ts";
import { DoorClient } from "../support/doors/door_client.ts";
import { openIframe } from "../support/doors/iframe.ts";
import { openStream } from "../support/doors/ndjson.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openSse, openSseJson } from "../support/doors/sse.ts";
import { openStaged, placeOf } from "../support/doors/staged.ts";
import type { OpenWire, Wish } from "../support/doors/wire.ts";
import { type DelayedPaths, settle, type Way } from "../support/delayed_paths.ts";
import { type Random, seeded } from "../support/random.ts";
import { Stage, type StageEdge } from "../support/stage.ts";

const CHANNEL = "a";
const END = "end";
/** Runs of each door, each with another order. */
const RUNS = 100;
/** Published while they come, one after the other, some at once. */
const PIECES = [1, 2, 1, 3];

/** What the runs have in common. */
interface Scenario {
  readonly title: string;
  /** Published before anybody comes. */
  readonly before: number;
  /** Whether the bus loses batches. */
  readonly loses?: boolean;
  /** Bytes of an outbox: a fourth of it is a page of a resume. */
  readonly outbox?: number;
}

const SCENARIOS: readonly Scenario[] = [
  { title: "whichever way is late", before: 4 },
  { title: "and the bus loses batches", before: 4, loses: true },
  { title: "page by page", before: 16, outbox: 6000 },
  { title: "page by page, and the bus loses batches", before: 16, outbox: 6000, loses: true },
];

type Open = (edge: StageEdge, wish: Wish) => Promise<DoorClient>;

const overHttp = (open: OpenWire): Open => (edge, wish) => DoorClient.open(open, placeOf(edge), wish);
const overSocket = (door: Door): Open => (edge, wish) => {
  return DoorClient.open(() => Promise.resolve(openStaged(edge, door, wish)), placeOf(edge), wish);
};
const DOORS: readonly (readonly [string, Open])[] = [
  ["plain", overSocket(plain)],
  ["json", overSocket(json)],
  ["sse", overHttp(openSse)],
  ["sse, json", overHttp(openSseJson)],
  ["stream", overHttp(openStream)],
  ["iframe", overHttp(openIframe)],
  ["poll", overHttp(openPoll)],
];

/** One client: where it began, and what it got. */
interface Listener {
  readonly title: string;
  /** The first offset that it has to get; for one who joined, as it was told. */
  readonly first: Promise<number>;
  /** All texts up to the end. */
  readonly heard: Promise<string[]>;
  readonly client: Promise<DoorClient>;
}

/** One order of one door. */
class Run {
  readonly #stage: Stage;
  readonly #paths: DelayedPaths;
  readonly #edge: StageEdge;
  readonly #random: Random;
  readonly #open: Open;
  readonly order: string[] = [];
  readonly listeners: Listener[] = [];
  #epoch = "";
  #published = 0;

  constructor(stage: Stage, open: Open, seed: number) {
    this.#stage = stage;
    const { edge, paths } = stage.startDelayedEdge();
    this.#edge = edge;
    this.#paths = paths;
    this.#open = open;
    this.#random = seeded(seed);
  }

  async play({ before, loses = false }: Scenario): Promise<void> {
    await this.#publish(before);
    const resume = () => this.#listen(this.#random.int(before + 1));
    const steps = [
      [() => this.#listen(), resume],
      [resume],
      PIECES.map((count) => () => this.#publish(count)),
    ];
    for (;;) {
      const ways = (["to hub", "to edge", "batch", ...loses ? ["lose"] : []] as Way[])
        .filter((way) => this.#paths.waiting(way) > 0);
      const left = steps.filter((thread) => thread.length > 0);
      if (left.length === 0) break;
      const choice = this.#random.int(left.length + ways.length);
      if (choice < left.length) await left[choice]!.shift()!();
      else await this.#pass(ways[choice - left.length]!);
    }
    await this.#finish();
  }

  async #publish(count: number): Promise<void> {
    const texts = Array.from({ length: count }, () => String(++this.#published));
    this.order.push(`publish ${texts}`);
    const [result] = await this.#stage.publish(CHANNEL, ...texts);
    this.#epoch = (result as { epoch: string }).epoch;
    await settle();
  }

  async #listen(since?: number): Promise<void> {
    const title = since === undefined ? `joins at ${this.#published}` : `resumes from ${since}`;
    this.order.push(title);
    const { promise: first, resolve } = Promise.withResolvers<number>();
    const wish = {
      channels: [CHANNEL],
      ...(since === undefined ? {} : { since: `${CHANNEL}@${this.#epoch}:${since}` }),
    };
    const least = this.#published;
    const client = this.#open(this.#edge, wish);
    const heard = client.then(async (client) => {
      const texts: string[] = [];
      while (texts.at(-1) !== END) {
        const { data } = await client.next();
        texts.push("text" in data ? data.text : "?");
      }
      assertEquals(client.recovered, true, title);
      if (since !== undefined) resolve(since + 1);
      else {
        const told = client.subscribed[0]?.position.offset;
        // Who joins may be told that it stands before what is still on its way to the edge, and never after.
        assert(told === undefined || told <= Math.max(least, this.#published), title);
        resolve(told === undefined ? Number(texts[0]) : told + 1);
      }
      return texts;
    });
    heard.catch(() => resolve(0));
    this.listeners.push({ title, first, heard, client });
    await settle();
  }

  async #pass(way: Way): Promise<void> {
    this.order.push(way);
    await this.#paths.pass(way);
  }

  /** Everything goes on, until everybody has got the end. */
  async #finish(): Promise<void> {
    let isOver = false;
    const over = Promise.allSettled(this.listeners.map(({ client }) => client)).then(async () => {
      await this.#stage.publish(CHANNEL, END);
      await Promise.allSettled(this.listeners.map(({ heard }) => heard));
      isOver = true;
    });
    while (!isOver) {
      for (const way of ["to hub", "to edge", "batch"] as const) {
        if (this.#paths.waiting(way) > 0) await this.#pass(way);
      }
      await settle();
    }
    await over;
    for (const { title, first, heard } of this.listeners) {
      const texts = await heard;
      const from = await first;
      const expected = Array.from({ length: this.#published + 1 - from }, (_, n) => String(from + n));
      assertEquals(texts, [...expected, END], title);
    }
    for (const { client } of this.listeners) await (await client)[Symbol.asyncDispose]();
  }
}

for (const [name, open] of DOORS) {
  for (const scenario of SCENARIOS) {
    const { title, outbox } = scenario;
    Deno.test(`${name}: who joins or resumes meanwhile gets each offset once, ${title}`, async () => {
      for (let seed = 1; seed <= RUNS; seed++) {
        await using stage = new Stage({ config: outbox === undefined ? {} : { outbox } });
        const run = new Run(stage, open, seed);
        await run.play(scenario).catch((cause) => {
          throw new Error(`seed ${seed}, in the order ${run.order.join(", ")}`, { cause });
        });
      }
    });
  }
}
