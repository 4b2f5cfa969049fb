import { assert, assertEquals } from "@std/assert";
import { Roster } from "../../lib/hub/roster.ts";
import type { Draft } from "../../lib/types.ts";

/** How many there are, and beside how many. */
export interface PresenceOptions {
  /** Default 15,000. */
  readonly sessions?: number;
  /** Default 100. */
  readonly few?: number;
}

/** How much more the count of many may cost than that of few. */
const MOST = 1.5;
/** What a session and its user may hold on the hub, with its place on a channel whose joins are published, in bytes. */
const EACH_BYTES = 1200;
const COUNTS = 200_000;
const ROUNDS = 15;

/** A count costs the same however many there are; a list comes page by page; who joins within a second joins at once. */
export async function provePresence({ sessions = 15_000, few = 100 }: PresenceOptions = {}): Promise<string> {
  const drafts: Draft[] = [];
  const roster = new Roster({
    ...{ maxConnections: Infinity, maxPerAddress: Infinity, authFailures: 1, bytes: 65_536 },
    nameOf: (channel) => `$presence/${channel}`,
    publish: (draft) => {
      drafts.push(draft);
      return Promise.resolve({ epoch: "e", offset: drafts.length });
    },
  });
  const before = heapUsed();
  fill(roster, "many", sessions, 1);
  fill(roster, "few", few, 2);
  await until(() => drafts.length === 2);
  const bytes = Math.round((heapUsed() - before) / (sessions + few));
  if (canCollect()) assert(bytes < EACH_BYTES, `${bytes} bytes a session`);
  assertEquals(drafts.map(({ data }) => JSON.parse(String(data)).count).sort(), [few, sessions].sort());

  // Turn and turn about, so that both run on the same machine; of each the best round.
  let [ofMany, ofFew] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    ofMany = Math.min(ofMany, costOfCount(roster, "many", sessions));
    ofFew = Math.min(ofFew, costOfCount(roster, "few", few));
  }
  assert(ofMany < ofFew * MOST, `a count of ${sessions} takes ${ofMany} ns, of ${few} ${ofFew} ns`);
  const pages = countPages(roster, "many", sessions);

  // All at once, as when an isolate dies.
  const start = performance.now();
  assertEquals(roster.releaseEdge(1).length, sessions);
  const gone = performance.now() - start;
  await until(() => drafts.length === 3);
  const last = JSON.parse(String(drafts[2]!.data));
  assertEquals([last.count, last.left.length, last.more], [0, 100, true]);
  roster.close();
  return `a count takes ${Math.round(ofMany)} ns of ${sessions} and ${
    Math.round(ofFew)
  } ns of ${few}; ${pages} pages; ` +
    `${bytes} bytes a session; all joined in one publication, and left in ${Math.round(gone)} ms and one publication`;
}

function fill(roster: Roster, channel: string, sessions: number, edge: number): void {
  for (let n = 0; n < sessions; n++) {
    const id = `${edge}-${n.toString(36).padStart(15, "0")}`;
    roster.admit(edge, { id, address: `2001:db8::${n}`, user: `${channel}-${n}` });
    roster.present(edge, { session: id, channel, isThere: true });
  }
}

/** Nanoseconds of one count. */
function costOfCount({ presence }: Roster, channel: string, expected: number): number {
  const start = performance.now();
  let sum = 0;
  for (let n = 0; n < COUNTS; n++) sum += presence.page(channel, { limit: 0 }).count;
  const elapsed = performance.now() - start;
  assertEquals(sum, expected * COUNTS);
  return elapsed * 1e6 / COUNTS;
}

function countPages({ presence }: Roster, channel: string, expected: number): number {
  const seen = new Set<string>();
  let pages = 0;
  for (let after: string | undefined = "0"; after !== undefined; pages++) {
    const page = presence.page(channel, { limit: 500, after });
    for (const { session } of page.present) seen.add(session);
    after = page.next;
  }
  assertEquals(seen.size, expected);
  return pages;
}

/** With `--v8-flags=--expose-gc`; otherwise what is used has garbage in it. */
function canCollect(): boolean {
  return typeof (globalThis as { gc?: () => void }).gc === "function";
}

function heapUsed(): number {
  if (canCollect()) (globalThis as { gc?: () => void }).gc!();
  return Deno.memoryUsage().heapUsed;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}
