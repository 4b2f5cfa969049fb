/**
 * A session that moves while something is published gets each offset once and in order, whichever of the two ways between
 * hub and edges is late, also of what is not kept.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type DelayedPaths, settle, type Way } from "../support/delayed_paths.ts";
import { Mover } from "../support/moving.ts";
import { type Random, seeded } from "../support/random.ts";
import { Stage, type StageEdge } from "../support/stage.ts";

/** Runs of each scenario, each with another order, and the moves of one. */
const RUNS = 200;
const MOVES = 5;
/** Of `live` nothing is kept. */
const CHANNELS = ["kept", "live"] as const;
/** Published meanwhile, each in one turn. */
const PIECES = [1, 2, 1, 3, 1, 1, 2, 1];

interface Scenario {
  readonly title: string;
  /** Whether the bus loses batches. */
  readonly loses?: boolean;
  /** Whether the channels are heard by somebody else on both edges. */
  readonly shared?: boolean;
  readonly outbox?: number;
}

const SCENARIOS: readonly Scenario[] = [
  { title: "whichever way is late" },
  { title: "to edges that host the channels", shared: true },
  { title: "and the bus loses batches", loses: true },
  { title: "to edges that host the channels, and the bus loses batches", loses: true, shared: true },
  { title: "page by page", outbox: 6000 },
];

class Run {
  readonly order: string[] = [];
  readonly #stage: Stage;
  readonly #random: Random;
  readonly #sides: readonly { readonly edge: StageEdge; readonly paths: DelayedPaths }[];
  readonly #published = new Map<string, number>(CHANNELS.map((channel) => [channel, 0]));
  #moving = false;
  #moves = 0;

  constructor(stage: Stage, seed: number) {
    this.#stage = stage;
    this.#random = seeded(seed);
    this.#sides = [stage.startDelayedEdge(), stage.startDelayedEdge()];
  }

  async play({ loses = false, shared = false }: Scenario): Promise<void> {
    const [first] = this.#sides;
    for (const { edge } of shared ? this.#sides : []) edge.json({ channels: CHANNELS });
    const mover = new Mover(first!.edge, first!.edge.json({ channels: CHANNELS }));
    await this.#passAll();
    const pieces = [...PIECES];
    while (this.#moves < MOVES || pieces.length > 0 || this.#moving) {
      const steps: (() => Promise<void>)[] = [];
      if (pieces.length > 0) steps.push(() => this.#publish(pieces.shift()!));
      if (!this.#moving && this.#moves < MOVES) steps.push(() => this.#move(mover));
      for (const { edge, paths } of this.#sides) {
        for (const way of ["to hub", "to edge", "batch", ...loses ? ["lose"] : []] as Way[]) {
          if (paths.waiting(way) === 0) continue;
          steps.push(async () => {
            this.order.push(`${edge.number} ${way}`);
            await paths.pass(way);
          });
        }
      }
      if (steps.length === 0) await settle();
      else await steps[this.#random.int(steps.length)]!();
    }
    await this.#finish(mover);
  }

  /** Some of it is for those alone who listen now. */
  async #publish(count: number): Promise<void> {
    const channel = this.#random.pick(CHANNELS);
    const drafts = Array.from({ length: count }, () => {
      const number = this.#published.get(channel)! + 1;
      this.#published.set(channel, number);
      const ttl = this.#random.int(3) === 0 ? { ttl: 0 } : {};
      return { channel, data: String(number), contentType: "text/plain", ...ttl };
    });
    this.order.push(`publish ${channel} ${drafts.map(({ data }) => data)}`);
    await this.#stage.edge.hub.publish(drafts);
    await settle();
  }

  async #move(mover: Mover): Promise<void> {
    this.#moving = true;
    this.#moves++;
    const to = this.#sides.find(({ edge }) => edge !== mover.edge)!.edge;
    this.order.push(`move to ${to.number}`);
    mover.move(to).finally(() => {
      this.order.push("moved");
      this.#moving = false;
    });
    await settle();
  }

  async #passAll(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      for (const { paths } of this.#sides) {
        for (const way of ["to hub", "to edge", "batch"] as const) {
          while (paths.waiting(way) > 0) {
            await paths.pass(way);
            quiet = 0;
          }
        }
      }
      await settle();
    }
  }

  async #finish(mover: Mover): Promise<void> {
    for (const channel of CHANNELS) await this.#stage.publish(channel, "end");
    await this.#passAll();
    assertEquals(mover.lines.filter(({ type }) => type === "subscribed").map(({ channel }) => channel), [...CHANNELS]);
    for (const channel of CHANNELS) {
      const count = this.#published.get(channel)!;
      assertEquals(mover.heard(channel), [...Array.from({ length: count }, (_, n) => String(n + 1)), "end"], channel);
    }
    assertEquals(mover.socket.closed, undefined);
  }
}

for (const scenario of SCENARIOS) {
  Deno.test(`Edge.receive() goes on where Edge.give() has ended, ${scenario.title}`, async () => {
    const { outbox } = scenario;
    for (let seed = 1; seed <= RUNS; seed++) {
      const config = { rule: ["live count=0"], ...(outbox === undefined ? {} : { outbox }) };
      await using stage = new Stage({ config });
      const run = new Run(stage, seed);
      await run.play(scenario).catch((cause) => {
        throw new Error(`seed ${seed}, in the order ${run.order.join(", ")}`, { cause });
      });
    }
  });
}
