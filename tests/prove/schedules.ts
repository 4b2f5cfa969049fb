import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../support/gong.ts";
import { until } from "../support/until.ts";
import { Follower, readAll } from "./follower.ts";

/** How often, and how many. */
export interface SchedulesOptions {
  /** Default 20. */
  readonly kills?: number;
  /** Schedules of one time that are made in each round. Default 40. */
  readonly schedules?: number;
}

/** A schedule as the API shows it. */
interface Shown {
  readonly id: string;
  readonly created: number;
  readonly next?: number;
  readonly last?: { readonly due: number; readonly time: number; readonly late?: true; readonly refused?: string };
}

/** One process of the server: when it was begun, and when it was ready. */
interface Life {
  readonly begun: number;
  readonly ready: number;
}

const CHANNELS = ["one", "two"] as const;
const PERIODIC: Record<string, object> = {
  "every-1": { every: 1 },
  "every-1.3": { every: 1.3 },
  "cron": { cron: "* * * * * *" },
};
const LIMITS = [
  ...["--history-count", "1000000", "--history-bytes", "1GiB", "--history-budget", "1GiB", "--history-age", "1h"],
  ...["--api-rate", "1000000", "--request-rate", "1000000", "--max-schedules", "100000"],
];
/** Schedules are due within so long from the beginning of their round, in milliseconds: the kill is in the middle. */
const ROUND = 2000;

/**
 * The process is killed over and over while schedules are made and fire: each of one time that was accepted is published
 * once to each of its channels, as late if no process ran when it was due; a periodic one never twice for one time.
 */
export async function proveSchedules({ kills = 20, schedules = 40 }: SchedulesOptions = {}): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "gong-schedules-" });
  const lives: Life[] = [];
  /** When those that were accepted are due, by id. */
  const accepted = new Map<string, number>();
  let unanswered = 0;
  let ended = false;

  async function start(port: number): Promise<Gong> {
    const begun = Date.now();
    const flags = ["--isolates", "2", "--broker", "sqlite:gong.db", "--port", String(port), ...LIMITS];
    const gong = await startGong(flags, { dir });
    lives.push({ begun, ready: Date.now() });
    return gong;
  }

  function failed(): void {
    if (ended) throw new Error("it has ended");
    unanswered++;
  }

  async function make(url: string, id: string, wait: number): Promise<void> {
    const at = Math.round(Date.now() + wait);
    // Some are made late in the round: they are asked for while it is killed.
    await delay(Math.random() * Math.min(wait, ROUND / 2));
    await persist(url, { id, at }, failed);
    accepted.set(id, at);
  }

  let gong = await start(0);
  try {
    const { url, ws, port } = gong;
    const doors = `${ws}/push?format=json`;
    const following = CHANNELS.map((channel) => new Follower(doors, channel));
    await Promise.all(following.map((follower) => follower.isUp()));
    for (const [id, when] of Object.entries(PERIODIC)) await persist(url, { id, ...when }, failed);
    for (let kill = 0; kill < kills; kill++) {
      const making = Promise.all(range(schedules).map((n) => make(url, `${kill}-${n}`, Math.random() * ROUND)));
      // Whoever waits for it will be told.
      making.catch(() => {});
      await delay(ROUND / 4 + Math.random() * ROUND / 2);
      // Each hears this one too.
      await until(() => following.every(({ connections }) => connections > kill));
      await gong.kill();
      // Sometimes it comes back at once, sometimes when all of them are over.
      await delay(Math.random() * ROUND / 2);
      gong = await start(port);
      await making;
    }
    const shown = await untilOver(url);
    for (const id of Object.keys(PERIODIC)) {
      const { status, body } = await fetch(`${url}/api/schedules/${id}`, { method: "DELETE" });
      await body?.cancel();
      assertEquals(status, 204);
    }
    const late = checkLateness(shown, accepted, lives);
    let times = 0;
    for (const [index, channel] of CHANNELS.entries()) {
      const ids = await idsOf(url, doors, channel);
      const own = ids.filter((id) => !isPeriodic(id));
      const once = new Set([...accepted].map(([id, at]) => `schedule:${id}:${at}`));
      const missing = [...once].filter((id) => !own.includes(id));
      const others = own.filter((id, index) => !once.has(id) || own.indexOf(id) < index);
      assertEquals({ missing, others }, { missing: [], others: [] }, `${channel}: each once, and nothing else`);
      times += checkPeriodic(ids.filter(isPeriodic));
      const follower = following[index]!;
      await follower.reaches(ids.length);
      follower.close();
      assert(follower.connections > kills, `it was connected ${follower.connections} times`);
    }
    assert(late > 0 && late < accepted.size, `${late} of ${accepted.size} were late`);
    return `${kills} kills, ${accepted.size} schedules accepted, each published once, ${late} of them late; ` +
      `${unanswered} tries without an answer; periodic ones published ${times} times, none twice`;
  } finally {
    ended = true;
    await gong.kill();
    await Deno.remove(dir, { recursive: true });
  }
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

/** Makes the schedule until it is known to be there: whoever gets no answer asks again, under the same id. */
async function persist(
  url: string,
  when: { id: string; [name: string]: unknown },
  onFailure: () => void,
): Promise<void> {
  const body = JSON.stringify({ ...when, channels: CHANNELS, data: when.id });
  for (;;) {
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${url}/api/schedules`, { method: "POST", headers, body });
      const answer = await response.text();
      // It had been accepted before.
      if (response.status === 201 || response.status === 409) return;
      assert(response.status === 503, `${response.status} ${answer}`);
    } catch (error) {
      // The server is away, or went away before it answered.
      if (!(error instanceof TypeError)) throw error;
    }
    onFailure();
    await delay(20);
  }
}

/** All schedules, when none is left that will fire but the periodic ones, and each of those has fired. */
async function untilOver(url: string): Promise<Shown[]> {
  for (const end = Date.now() + 30_000;; await delay(50)) {
    const shown: Shown[] = [];
    for (let after: string | undefined = ""; after !== undefined;) {
      const query: string = after === "" ? "" : `&after=${after}`;
      const page = await (await fetch(`${url}/api/schedules?limit=500${query}`)).json();
      shown.push(...page.schedules);
      after = page.next;
    }
    const left = shown.filter(({ id, next, last }) => id in PERIODIC ? last === undefined : next !== undefined);
    if (left.length === 0) return shown;
    assert(Date.now() < end, `${left.length} have not fired: ${JSON.stringify(left.slice(0, 3))}`);
  }
}

/** Late are those that were due before the process began that published them. Returns how many. */
function checkLateness(shown: readonly Shown[], accepted: ReadonlyMap<string, number>, lives: readonly Life[]): number {
  const once = shown.filter(({ id }) => !(id in PERIODIC));
  assertEquals(once.map(({ id }) => id).sort(), [...accepted.keys()].sort(), "all that was accepted is kept");
  let late = 0;
  for (const { id, created, last } of once) {
    const due = accepted.get(id)!;
    assertEquals([last?.due, last?.refused], [due, undefined], id);
    const { begun, ready } = lives.findLast(({ begun }) => begun <= last!.time)!;
    assert(last!.time >= due, `${id} was published ${due - last!.time} ms before it was due`);
    if (last!.late) {
      assert(due < ready, `${id} was late, though it was due ${due - ready} ms after the server was ready`);
      late++;
    } else {
      // What was made when its time was over is not late for want of a server.
      assert(due >= begun || created >= begun, `${id} was not late, though no server ran ${begun - due} ms later`);
    }
  }
  return late;
}

async function idsOf(url: string, doors: string, channel: string): Promise<string[]> {
  const { epoch, offset } = await (await fetch(`${url}/api/history?channel=${channel}&limit=1`)).json();
  const kept = await readAll(doors, channel, { epoch, offset });
  assertEquals(kept.map(({ offset }) => offset), kept.map((_, index) => index + 1), "no offset is missing");
  return kept.map(({ messageId }) => messageId!);
}

function isPeriodic(publication: string): boolean {
  return publication.split(":")[1]! in PERIODIC;
}

/** Each of them later than the one before it. Returns how many there were. */
function checkPeriodic(publications: readonly string[]): number {
  for (const id of Object.keys(PERIODIC)) {
    const times = publications.filter((publication) => publication.startsWith(`schedule:${id}:`))
      .map((publication) => Number(publication.split(":")[2]));
    assert(times.length > 0, `${id} never fired`);
    for (const [index, time] of times.entries()) {
      assert(index === 0 || time > times[index - 1]!, `${id} fired for ${time} after ${times[index - 1]}`);
    }
  }
  return publications.length;
}
