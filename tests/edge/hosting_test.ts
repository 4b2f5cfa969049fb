import { assert, assertEquals } from "@std/assert";
import { Hosting } from "../../lib/edge/hosting.ts";
import { type Choose, exhaust } from "../support/interleavings.ts";
import { type Fragility, settle, type Step, type Subscriber, World, type WorldOptions } from "../support/joining.ts";
import { seeded } from "../support/random.ts";
import type { History, Position, Publication, Start } from "../../lib/types.ts";

/** A step of the world, or `+NAME`: somebody joins, `+NAME@OFFSET`: since there, `-NAME`: leaves. */
type Op = Step | `+${string}` | `-${string}`;

interface Scenario extends WorldOptions {
  /** Published, and on the bus, before anything else. */
  readonly published?: number;
  /** What happens in this order each, and in every order among each other, the hub's and the bus's steps. */
  readonly threads: readonly (readonly Op[])[];
  /** Steps that the port and the bus take whenever they can. Default hub, answer, batch. */
  readonly moves?: readonly Step[];
}

const MOVES: readonly Step[] = ["turn", "room", "hub", "answer", "batch"];

function position(text: string): Position {
  const [epoch = "", offset] = text.includes(":") ? text.split(":") : ["e1", text];
  return { epoch, offset: Number(offset) };
}

/** Runs a scenario in one order, which is noted; what is left in the queues at the end is delivered. */
async function play(scenario: Scenario, choose: Choose, order: string[]): Promise<void> {
  const { published = 0, moves = MOVES } = scenario;
  const world = new World(scenario);
  const named = new Map<string, Subscriber>();
  for (let n = 0; n < published; n++) world.do("publish");
  const threads = scenario.threads.map((ops) => [...ops]);

  function can(op: Op): boolean {
    if (op.startsWith("+")) return true;
    if (op.startsWith("-")) return named.has(op.slice(1));
    return world.can(op as Step);
  }

  function run(op: Op): void {
    const [name = "", since] = op.slice(1).split("@");
    if (op.startsWith("+")) named.set(name, world.join(name, since === undefined ? undefined : position(since)));
    else if (op.startsWith("-")) world.leave(named.get(name)!);
    else world.do(op as Step);
  }

  for (;;) {
    const ready = threads.filter((ops) => ops.length > 0 && can(ops[0]!));
    const steps = (threads.some((ops) => ops.length > 0) ? moves : MOVES).filter((step) => world.can(step));
    const options = ready.length + steps.length;
    if (options === 0) break;
    const choice = options === 1 ? 0 : choose(options);
    const op = choice < ready.length ? ready[choice]!.shift()! : steps[choice - ready.length]!;
    order.push(op);
    run(op);
    await settle();
  }
  world.check();
}

function test(title: string, scenario: Scenario, least = 100): void {
  Deno.test(`Hosting, in every order: ${title}`, async () => {
    const runs = await exhaust(async (choose) => {
      const order: string[] = [];
      await play(scenario, choose, order).catch((cause) => {
        throw new Error(`in the order ${order.join(" ")}`, { cause });
      });
    });
    assert(runs >= least, `only ${runs} orders`);
  });
}

test("one joins while publications come", { threads: [["+a"], ["publish", "publish", "publish"]] });
test("one resumes while publications come", { published: 2, threads: [["+a@1"], ["publish", "publish"]] });
test("two join after each other", { threads: [["+a", "+b"], ["publish", "publish"]] });
test("one listens, another resumes", { published: 1, threads: [["+a", "+b@0"], ["publish", "publish"]] });
test("two resume from different positions", { published: 2, threads: [["+a@0", "+b@1"], ["publish"]] });
test("one resumes in pages of one", { published: 2, page: 1, threads: [["+a@0"], ["publish", "publish"]] });
test("one resumes in pages, one joins", { published: 2, page: 1, threads: [["+a@0"], ["+b"], ["publish"]] });
test("one resumes, and is let in only with as much as it takes", {
  published: 2,
  most: 1,
  threads: [["+a@0"], ["publish", "publish"]],
});
test("history forgets what lies after a page", {
  published: 3,
  page: 1,
  losses: true,
  threads: [["+a@0"], ["trim", "trim"]],
});
test("the bus loses more than a page", {
  published: 1,
  page: 1,
  threads: [["+a"], ["publish", "publish"], ["lose", "lose"]],
});
test("one joins, leaves and joins again", { threads: [["+a", "-a", "+b"], ["publish", "publish"]] });
test("one resumes in pages and leaves", { published: 2, page: 1, threads: [["+a@0", "-a"], ["publish"]] });
test("one leaves while another joins", { published: 1, threads: [["+a", "-a"], ["+b@0"], ["publish"]] });
test("one resumes from a position ahead of the log", { published: 1, threads: [["+a@9"], ["publish", "publish"]] });
test("the bus brings several batches in one turn", {
  published: 1,
  threads: [["+a", "+b@0"], ["publish", "publish"]],
  moves: ["hub", "answer", "batches"],
});
test("the bus loses a batch", { published: 1, threads: [["+a"], ["publish", "publish"], ["lose"]] });
test("the bus loses batches twice while one resumes", {
  published: 2,
  threads: [["+a@0"], ["publish"], ["lose", "lose"]],
});
test("the bus loses batches of other channels, and history has nothing", {
  published: 1,
  losses: true,
  threads: [["+a"], ["publish", "trim", "publish"], ["scare"]],
});
test("the bus loses a batch, and history no longer has it", {
  published: 1,
  losses: true,
  threads: [["+a"], ["publish", "publish"], ["trim", "lose"]],
});
test("history loses what one resumes from", {
  published: 2,
  losses: true,
  page: 1,
  threads: [["+a@0"], ["trim", "publish", "trim"]],
});
test("the hub refuses one who joins", { published: 1, threads: [["+a", "+b@0"], ["publish"], ["refuse"]] });
test("the bus loses a batch while one listens and another joins", {
  threads: [["+a", "+b"], ["publish", "publish"], ["lose"]],
});
test("the bus loses a batch while one listens and another resumes", {
  published: 1,
  threads: [["+a", "+b@0"], ["publish"], ["lose"]],
});
test("the numbering is lost while one joins", {
  published: 1,
  losses: true,
  threads: [["+a"], ["publish", "renumber", "publish"]],
});
test("the numbering is lost while one resumes", {
  published: 2,
  losses: true,
  threads: [["+a@1"], ["publish", "renumber", "publish"]],
});
test("the numbering is lost, and nothing is published after", {
  published: 1,
  losses: true,
  threads: [["+a"], ["publish", "renumber"], ["+b"]],
});
test("the numbering is lost while one listens and another resumes", {
  published: 1,
  losses: true,
  threads: [["+a", "+b@e2:0"], ["renumber", "publish"]],
});
test("the numbering is lost twice", {
  losses: true,
  threads: [["+a"], ["publish", "renumber", "publish", "renumber", "publish"]],
});
test("the broker forgets a channel that all have left", {
  published: 1,
  losses: true,
  threads: [["+a@0", "-a", "+b@1"], ["forget", "publish"]],
});
test("the bus loses a batch of the new numbering", {
  published: 1,
  losses: true,
  threads: [["+a"], ["renumber", "publish", "publish"], ["lose"]],
});
test("one waits for its turn to resume, and is gone before, or not", {
  queues: true,
  published: 1,
  threads: [["+a@0", "-a"], ["publish"]],
});
test("two wait for the same turn to resume", {
  queues: true,
  published: 1,
  threads: [["+a@0", "-a"], ["+b@0"], ["publish"]],
}, 1000);
test("one waits for its turn, in pages, while another joins", {
  queues: true,
  published: 2,
  page: 1,
  threads: [["+a@0"], ["+b"], ["publish"]],
}, 1000);
test("repairs wait for their turn too", {
  queues: true,
  published: 1,
  threads: [["+a", "+b@0"], ["publish"], ["lose"]],
}, 1000);
test("the bus loses batches while one takes a page", {
  slow: true,
  published: 2,
  page: 1,
  threads: [["+a@0"], ["publish"], ["lose", "scare"]],
});
test("one takes pages slowly, and leaves", {
  slow: true,
  published: 2,
  page: 1,
  threads: [["+a@0", "-a"], ["publish"]],
});

const WEIGHTS: Readonly<Record<Step | "join" | "leave" | "return", number>> = {
  publish: 8,
  turn: 4,
  room: 5,
  hub: 7,
  answer: 7,
  batch: 6,
  batches: 2,
  join: 2,
  return: 2,
  leave: 2,
  lose: 1.5,
  scare: 1,
  trim: 2,
  refuse: 0.4,
  renumber: 0.6,
  forget: 0.3,
};
const ACTIONS = Object.entries(WEIGHTS) as [keyof typeof WEIGHTS, number][];
const ALL_WEIGHTS = ACTIONS.reduce((sum, [_, weight]) => sum + weight, 0);

const FRAGILITIES: [Fragility, ...(Fragility | undefined)[]] = [
  "joining",
  "loss",
  "publication",
  undefined,
  undefined,
  undefined,
];

/** A long story of many subscribers, made of a seed. */
async function live(seed: number, order: string[]): Promise<World> {
  const random = seeded(seed);
  const most = random.int(3) === 0 ? { most: random.int(3) } : {};
  const world = new World({
    losses: true,
    page: 1 + random.int(4),
    queues: random.int(2) === 0,
    slow: random.int(2) === 0,
    ...most,
  });
  const here = () => world.subscribers.filter(({ state }) => state === "joining" || state === "listening");

  function pickAction(): keyof typeof WEIGHTS {
    let at = random.int(1000) / 1000 * ALL_WEIGHTS;
    for (const [action, weight] of ACTIONS) if ((at -= weight) < 0) return action;
    return "publish";
  }

  function act(action: keyof typeof WEIGHTS): void {
    const some = here();
    const name = `s${world.subscribers.length}`;
    const fragile = random.pick<Fragility | undefined>(FRAGILITIES);
    if (action === "leave") return some.length === 0 ? undefined : world.leave(some[random.int(some.length)]!);
    if (action === "return") {
      // Where somebody stood who has left, which is how clients come back.
      const gone = world.subscribers.filter(({ state, position }) => state === "gone" && position);
      const since = gone.length === 0 ? undefined : gone[random.int(gone.length)]!.position;
      return some.length < 5 ? void world.join(name, since, fragile) : undefined;
    }
    if (action === "join") {
      const { epoch, offset } = world.top;
      const since = random.pick([undefined, { epoch, offset: random.int(offset + 2) }]);
      return some.length < 5 ? void world.join(name, since, fragile) : undefined;
    }
    if (world.can(action)) world.do(action);
  }

  for (let step = 0; step < 80; step++) {
    const action = pickAction();
    order.push(action);
    act(action);
    await settle();
  }
  await world.finish();
  world.check();
  return world;
}

Deno.test("Hosting keeps its promises over thousands of random stories", async () => {
  const told = { publication: 0, resumed: 0, refused: 0, lost: 0, failed: 0 };
  for (let seed = 1; seed <= 2000; seed++) {
    const order: string[] = [];
    const world = await live(seed, order).catch((cause) => {
      throw new Error(`seed ${seed}, in the order ${order.join(" ")}`, { cause });
    });
    for (const subscriber of world.subscribers) {
      if (subscriber.state === "failed") told.failed++;
      for (const word of subscriber.told) {
        if (word.startsWith("e")) told.publication++;
        if (word.startsWith("joined") && subscriber.since) told.resumed++;
        if (word.startsWith("NOT")) told.refused++;
        if (word.startsWith("LOST")) told.lost++;
      }
    }
  }
  // Of everything that may happen, all has happened often.
  for (const [what, count] of Object.entries(told)) assert(count > 200, `${what}: ${count}`);
});

/** Runs one order of steps; whoever joins is `a`. */
async function tell(steps: readonly Op[]): Promise<string[]> {
  const world = new World({ losses: true });
  for (const step of steps) {
    if (step.startsWith("+")) world.join("a");
    else world.do(step as Step);
    await settle();
  }
  await world.finish();
  return world.subscribers[0]!.told;
}

Deno.test("Hosting tells of a new numbering before its first publication, which it brings", async () => {
  const told = await tell(["+a", "hub", "answer", "publish", "batch", "renumber", "publish", "publish", "batches"]);
  assertEquals(told, ["joined@e1:0", "e1:1", "LOST@e2:0", "e2:1", "e2:2"]);
});

Deno.test("Hosting loses nothing that the bus still brings, when history has it no more", async () => {
  const told = await tell(["+a", "hub", "answer", "publish", "publish", "trim", "trim", "scare", "batches"]);
  assertEquals(told, ["joined@e1:0", "e1:1", "e1:2"]);
  const lost = await tell([
    "+a",
    "hub",
    "answer",
    "publish",
    "publish",
    "publish",
    "trim",
    "trim",
    "trim",
    "lose",
    "batches",
  ]);
  assertEquals(lost, ["joined@e1:0", "LOST@e1:1", "e1:2", "e1:3"]);
});

Deno.test("Hosting asks once for a repair, whatever comes live meanwhile", async () => {
  const asked: (Start | undefined)[] = [];
  const answers: ((history: History) => void)[] = [];
  const live: number[] = [];
  const hosting = new Hosting({
    read: ({ start }, begin) => {
      begin();
      asked.push(start);
      return new Promise((resolve) => answers.push(resolve));
    },
    seen: () => 0,
    release() {},
    live: (publications) => live.push(...publications.map(({ offset }) => offset)),
    lost() {},
    isHeard: () => true,
    limit: {},
    pause: () => Promise.resolve(),
  });
  const make = (offset: number): Publication => ({
    ...{ channel: "c", epoch: "e", offset, time: 0, data: "x", contentType: "text/plain" },
  });
  hosting.join("c", undefined, { limit: () => ({}), page: () => Promise.resolve(), joined: () => true, failed() {} });
  answers[0]!({ top: { epoch: "e", offset: 1 }, publications: [], recovered: true });
  await settle();
  for (const offset of [3, 4, 5, 6]) hosting.receive([make(offset)]);
  assertEquals(asked, [undefined, { epoch: "e", offset: 1 }]);
  answers[1]!({ top: { epoch: "e", offset: 4 }, publications: [2, 3, 4].map(make), recovered: true });
  await settle();
  assertEquals([live, asked.length], [[2, 3, 4, 5, 6], 2]);
});
