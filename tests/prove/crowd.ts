import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { openStream } from "../support/doors/ndjson.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openSseJson } from "../support/doors/sse.ts";
import { openJson } from "../support/doors/websocket.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { seeded } from "../support/random.ts";
import { until } from "../support/until.ts";
import { Listener } from "./crowd/listener.ts";
import { type Acknowledged, Member, tokenOf } from "./crowd/member.ts";
import { Visitor } from "./crowd/visitor.ts";
import { FAULTS } from "./edges.ts";
import { figure, statsOf, toMebibytes } from "./soak.ts";

/** How many, and for how long. */
export interface CrowdOptions {
  /** Each has a member, a visitor and a follower. Default 100. */
  readonly users?: number;
  /** Seconds in all. Default 30. */
  readonly duration?: number;
  /** Isolates that are killed meanwhile. Default 5. */
  readonly kills?: number;
  /** Default: another one in each run. */
  readonly seed?: number;
}

/** Doors that tell where one stands. */
const DOORS = [openJson, openSseJson, openPoll, openStream] as const;
const ROOMS = ["room:a", "room:b", "room:c", "room:d", "room:e", "room:f"] as const;
/** Edges of the server at once. */
const ISOLATES = 2;
/** How much more memory the process may have at the end than after the first third. */
const GROWTH = 96 * 2 ** 20;
/** What has to be nothing when everybody is gone. */
const GAUGES = [
  "gong_sessions",
  "gong_users",
  "gong_present",
  "gong_questions",
  "gong_hosted_channels",
  "gong_outbox_bytes",
  "gong_stuck_sockets",
] as const;

/** What joining and leaving a room adds up to. */
class Fold {
  readonly there = new Map<string, string | undefined>();
  #isWhole = true;

  // deno-lint-ignore no-explicit-any
  add({ count, users, joined, left, more }: any): void {
    for (const { session, user } of joined) this.there.set(session, user);
    for (const { session } of left) assert(this.there.delete(session), `${session} left and was not there`);
    this.#isWhole &&= more === undefined;
    if (this.#isWhole) assertEquals([this.there.size, new Set(this.there.values()).size], [count, users]);
  }
}

/** Who hears a user's channel, and what was heard there, by offset. */
interface Follower {
  readonly listener: Listener;
  readonly heard: Map<number, unknown>;
}

/**
 * A crowd comes, goes, talks, asks and answers by all doors while isolates die: what was acknowledged was heard, once and
 * in order; who is said to be there is there; and nothing is left of anybody who has gone.
 */
export async function proveCrowd(options: CrowdOptions = {}): Promise<string> {
  const { users: count = 100, duration = 30, kills = 5, seed = Date.now() } = options;
  await using gong = await startGong([], { entry: "tests/support/faulty_server.ts" });
  const users = Array.from({ length: count }, (_, n) => `u${n}`) as [string, ...string[]];
  const random = seeded(seed);
  const acknowledged: Acknowledged[] = [];
  const folds = new Map(ROOMS.map((room) => [room, new Fold()]));
  const watchers = ROOMS.map((room) => {
    const channel = `$presence/${room}`;
    const hear = (data: unknown) => folds.get(room)!.add(data);
    return new Listener(gong, { open: openJson, channel, channels: [channel], hear });
  });
  const followers = new Map(users.map((user, n) => [`$user/${user}`, follow(gong, user, DOORS[n % DOORS.length]!)]));
  const listeners = [...watchers, ...[...followers.values()].map(({ listener }) => listener)];
  await until(() => listeners.every(({ position }) => position !== undefined), () => "not everybody listens", 30_000);

  const acknowledge = (sent: Acknowledged) => acknowledged.push(sent);
  const members = users.map((user) => new Member(gong, { user, users, rooms: ROOMS, random, acknowledge }));
  const visitors = users.map((user) => new Visitor(gong, user, ROOMS, random));
  const end = performance.now() + duration * 1000;
  let early = 0;
  for (let kill = 1; performance.now() < end; await delay(100)) {
    for (const { listener } of followers.values()) if (random.int(50) === 0) listener.drop();
    const passed = 1 - (end - performance.now()) / (duration * 1000);
    if (passed > 1 / 3) early ||= await residentOf(gong).catch(() => 0);
    if (kill > kills || passed < kill / (kills + 1)) continue;
    gong.signal(Object.values(FAULTS)[kill % 3]!);
    // Another is there before the next one dies, and before anybody rests.
    await gong.line(new RegExp(`edge\\.ready.*"edge":${ISOLATES + kill++}\\b`));
  }

  early ||= await residentOf(gong);
  await Promise.all([...members.map((member) => member.rest()), ...visitors.map((visitor) => visitor.leave())]);
  await untilHeard(followers, acknowledged);
  for (const room of ROOMS) await untilAgreed(gong, room, members, folds.get(room)!);
  for (const listener of listeners) listener.check();
  const answered = members.reduce((sum, member) => sum + member.answered, 0);
  const resumed = listeners.reduce((sum, { connections }) => sum + connections - 1, 0);

  await Promise.all(members.map((member) => member.close()));
  await until(() => [...folds.values()].every(({ there }) => there.size === 0), () => "ghosts in a room", 30_000);
  await Promise.all(listeners.map((listener) => listener.close()));
  let left: Record<string, number> = {};
  await until(
    async () => {
      const stats = await statsOf(gong.url);
      left = Object.fromEntries(GAUGES.map((name) => [name, figure(stats, name)]));
      return Object.values(left).every((value) => value === 0);
    },
    () => `left of everybody: ${JSON.stringify(left)}`,
    30_000,
  );
  const late = await residentOf(gong);
  assert(late - early < GROWTH, `${toMebibytes(early)} have become ${toMebibytes(late)}`);
  // An isolate that was told to throw is no fault.
  const faults = gong.output().split("\n").filter((line) =>
    /"internal"|\.fault"|Uncaught|TypeError/.test(line) && !line.includes("told to throw")
  );
  assertEquals(faults, []);
  return `${answered} commands of ${count * 3} clients, ${acknowledged.length} acknowledged were heard once over ` +
    `${resumed} resumes and ${kills} dead isolates; ${toMebibytes(early)} became ${toMebibytes(late)} (seed ${seed})`;
}

async function residentOf(gong: Gong): Promise<number> {
  return figure(await statsOf(gong.url), "process_resident_memory_bytes");
}

function follow(gong: Gong, user: string, open: typeof DOORS[number]): Follower {
  const heard = new Map<number, unknown>();
  const options = { open, channel: `$user/${user}`, query: `token=${tokenOf(user)}` };
  const listener = new Listener(gong, { ...options, hear: (data, { offset }) => heard.set(offset, data) });
  return { listener, heard };
}

/** That each offset comes once and in order is looked at by the listeners. */
async function untilHeard(
  followers: ReadonlyMap<string, Follower>,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  const missing = () => acknowledged.filter(({ channel, offset }) => !followers.get(channel)!.heard.has(offset));
  const failed = () => [...followers.values()].forEach(({ listener }) => listener.check());
  await until(
    () => (failed(), missing().length === 0),
    () => `not heard: ${JSON.stringify(missing().slice(0, 5))}`,
    30_000,
  );
  for (const { channel, offset, data } of acknowledged) {
    assertEquals(followers.get(channel)!.heard.get(offset), data, `${channel} at ${offset}`);
  }
}

/** The list, what was published and who knows that it is there are the same in the end. */
async function untilAgreed(gong: Gong, room: string, members: readonly Member[], fold: Fold): Promise<void> {
  const there = () => members.filter(({ rooms }) => rooms.has(room)).map(({ session }) => session).sort();
  let seen: readonly unknown[] = [];
  await until(
    async () => {
      const { count, present } = await (await fetch(`${gong.url}/api/presence?channel=${room}&limit=500`)).json();
      const listed = present.map(({ session }: { session: string }) => session).sort();
      seen = [count, listed, [...fold.there.keys()].sort()];
      return JSON.stringify(seen) === JSON.stringify([there().length, there(), there()]);
    },
    () => `${room}: ${JSON.stringify(seen)}, not ${JSON.stringify(there())}`,
    30_000,
  );
}
