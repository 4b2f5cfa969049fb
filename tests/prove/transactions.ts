import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertNotMatch } from "@std/assert";
import { type Gong, startGong } from "../support/gong.ts";
import { seeded } from "../support/random.ts";
import { connectStomp, type StompClient, textOf } from "../support/stomp.ts";
import { until } from "../support/until.ts";
import { figure, statsOf } from "./soak.ts";
import { INPUT, type Outcome, OUTPUTS, passOn } from "./transactions/member.ts";

/** How many. */
export interface TransactionsOptions {
  /** Default `memory`. */
  readonly broker?: "memory" | "sqlite";
  /** Default 5000, at most 9000: so many fit into a topic's history that a client may ask for. */
  readonly transactions?: number;
  /** Times that the process is killed meanwhile; sqlite only. Default 0. */
  readonly kills?: number;
  /** Default 1. */
  readonly seed?: number;
}

const MEMBERS = 8;
const WITHIN = 60_000;
const END = "the end";
const FLAGS = [
  ...["--isolates", "2", "--log-level", "warning"],
  ...["--history-count", "10000", "--history-bytes", "64MiB", "--history-age", "1h"],
  ...["--message-rate", "100000", "--request-rate", "100000"],
];

/**
 * Transactions that say the same on two topics and a queue, and acknowledge a message of another, while their clients
 * commit, abort and die: each happens whole or not at all, and in one order everywhere.
 */
export async function proveTransactions(options: TransactionsOptions = {}): Promise<string> {
  const { broker = "memory", transactions = 5000, kills = 0, seed = 1 } = options;
  const dir = await Deno.makeTempDir({ prefix: "gong-transactions-" });
  const random = seeded(seed);
  const outcomes = new Map<string, Outcome>();
  let isDown = false;
  let failure: unknown;
  const start = (port: number) => {
    const url = broker === "sqlite" ? "sqlite:gong.db" : "memory:";
    return startGong([...FLAGS, "--broker", url, "--port", String(port)], { dir });
  };
  const isOver = () => outcomes.size >= transactions || failure !== undefined;
  const note = (said: string, outcome: Outcome) => outcomes.set(said, outcome);

  async function run(slot: number, port: number): Promise<void> {
    for (let life = 1; !isOver(); life++) {
      const server = gong;
      try {
        await passOn(port, { random, name: `${slot}.${life}`, isOver, note });
      } catch (error) {
        if (!isDown && server === gong) failure ??= error;
        await delay(10);
      }
    }
  }

  let gong = await start(0);
  const { port } = gong;
  try {
    const given = await fill(gong, transactions + 4 * MEMBERS);
    const running = Array.from({ length: MEMBERS }, (_, slot) => run(slot, port));
    for (let kill = 1; kill <= kills; kill++) {
      await until(() => isOver() || outcomes.size >= transactions * kill / (kills + 1), () => "too slow", WITHIN);
      isDown = true;
      await gong.kill();
      gong = await start(port);
      isDown = false;
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure;
    const happened = await check(gong, outcomes, given);
    assertNotMatch(gong.output(), /panick|uncaught|"level":"(error|fatal)"|edge\.(restart|lost)/i);
    const counts = { committed: 0, aborted: 0, unknown: 0 };
    for (const outcome of outcomes.values()) counts[outcome]++;
    for (const [outcome, count] of Object.entries(counts)) assert(count > transactions / 50, `${count} ${outcome}`);
    return `${broker}: ${outcomes.size} transactions, ${counts.committed} committed, ${counts.aborted} ended without a ` +
      `COMMIT, ${counts.unknown} without its RECEIPT, of which ${happened - counts.committed} happened; ${kills} kills`;
  } finally {
    failure ??= new Error("it is over");
    await gong.kill();
    await Deno.remove(dir, { recursive: true });
  }
}

/** Puts so many messages into the queue that members take from. */
async function fill(gong: Gong, count: number): Promise<string[]> {
  await using client = await connectStomp(gong);
  const given = Array.from({ length: count }, (_, n) => `m${n}`);
  for (const text of given) client.send("SEND", { destination: INPUT }, text);
  await client.ask("SEND", { destination: "/topic/filled" }, "all");
  return given;
}

/** Looks at what there is when nobody does anything any more. Returns how many transactions happened. */
async function check(gong: Gong, outcomes: ReadonlyMap<string, Outcome>, given: readonly string[]): Promise<number> {
  let stats = {};
  const isQuiet = () => figure(stats, "gong_consumers") + figure(stats, "gong_queue_claimed") === 0;
  await until(async () => (stats = await statsOf(gong.url), isQuiet()), () => "messages are with somebody who is gone");
  await using client = await connectStomp(gong);
  const said: string[][] = [];
  for (const destination of OUTPUTS) said.push(await all(client, destination));
  const rest = await all(client, INPUT);
  const [happened = []] = said;
  for (const other of said) assertEquals(other, happened, "the same everywhere, in one order");
  assertEquals(new Set(happened).size, happened.length, "nothing happened twice");
  for (const text of happened) assert(outcomes.get(text) !== "aborted", `${text} happened, and should not have`);
  const there = new Set(happened);
  for (const [text, outcome] of outcomes) assert(outcome !== "committed" || there.has(text), `${text} is lost`);
  // What was acknowledged is gone, once; everything else is still there, in order.
  const taken = new Set(happened.map((text) => text.split(" ")[0]!));
  assertEquals(taken.size, happened.length, "a message was acknowledged twice");
  assertEquals(rest, given.filter((text) => !taken.has(text)));
  return happened.length;
}

/** Everything that is in a topic or a queue, up to a last message of its own. */
async function all(client: StompClient, destination: string): Promise<string[]> {
  await client.ask("SEND", { destination }, END);
  const history: Readonly<Record<string, string>> = destination.startsWith("/topic/") ? { history: "10000" } : {};
  await client.subscribe(destination, history);
  const texts: string[] = [];
  for (;;) {
    const text = textOf(await client.next("MESSAGE"));
    if (text === END) break;
    texts.push(text);
  }
  await client.ask("UNSUBSCRIBE", { id: destination });
  return texts;
}
