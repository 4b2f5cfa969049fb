import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { startCluster, untilNodes } from "../support/cluster.ts";
import { until } from "../support/until.ts";
import { Follower, readAll } from "./follower.ts";
import { type Acknowledged, persist } from "./kill.ts";

/** How many, and how long Redis stands still. */
export interface ClusterSoakOptions {
  /** Default 3,000, over all nodes. */
  readonly subscribers?: number;
  /** Default 10. */
  readonly channels?: number;
  /** Publishers, each of which publishes again as soon as it is answered and has rested. Default 4. */
  readonly publishers?: number;
  /** Rest of a publisher between two publications, in milliseconds. Default 20. */
  readonly rest?: number;
  /** Publications that are acknowledged between two blows, at least. Default 500. */
  readonly between?: number;
  /** Seconds for which Redis stands still. Default 5. */
  readonly pause?: number;
}

/** Milliseconds for what is acknowledged between two blows. */
const WITHIN = 60_000;
const LIMITS = [
  ...["--history-count", "1000000", "--history-bytes", "1GiB", "--history-age", "1h", "--broker-wait", "1"],
  ...["--api-rate", "1000000", "--request-rate", "1000000", "--max-per-address", "100000", "--max-message", "1KiB"],
];

/**
 * Three nodes on one Redis under a steady stream: a node is killed, Redis stands still, the connections on which it
 * announces are cut. Every subscriber has every acknowledged offset in the end, once and in order.
 */
export async function proveCluster(options: ClusterSoakOptions = {}): Promise<string> {
  const { subscribers = 3000, channels: count = 10, publishers = 4, rest = 20, between = 500, pause = 5 } = options;
  await using cluster = await startCluster({ nodes: 3, args: LIMITS });
  const { redis } = cluster;
  const alive = [...cluster.nodes];
  const pick = () => alive[Math.floor(Math.random() * alive.length)]!;
  const channels = Array.from({ length: count }, (_, index) => `c${index}`);
  const acknowledged = new Map<string, Acknowledged>();
  let repeats = 0;
  let unanswered = 0;
  let ended = false;

  async function publish(publisher: number): Promise<void> {
    for (let n = 0; !ended; n++) {
      const id = `${publisher}-${n}`;
      const channel = channels[n % count]!;
      const position = await persist(() => pick().url, { channel, data: id, id }, () => unanswered++);
      if (position.repeated) repeats++;
      acknowledged.set(id, position);
      await delay(rest);
    }
  }

  async function untilMore(): Promise<void> {
    const before = acknowledged.size;
    await until(() => acknowledged.size >= before + between, () => `${acknowledged.size} acknowledged`, WITHIN);
  }

  const following: Follower[] = [];
  try {
    for (let index = 0; index < subscribers; index++) {
      const follower = new Follower(() => `${pick().ws}/push?format=json`, channels[index % count]!);
      following.push(follower);
      // All at once would be more than a listener has room for.
      if (index % 100 === 99) await follower.isUp();
    }
    await Promise.all(following.map((follower) => follower.isUp()));
    const publishing = Array.from({ length: publishers }, (_, publisher) => publish(publisher));
    await untilMore();
    const [killed] = alive.splice(1, 1);
    await killed!.kill();
    await untilMore();
    redis.pause();
    const refused = unanswered;
    await delay(pause * 1000);
    assert(unanswered > refused, "publishing is refused while Redis stands still");
    for (const node of alive) {
      const { status, ...response } = await readiness(node);
      assertEquals([status, response.ready, response.degraded?.length], [200, true, 1], JSON.stringify(response));
    }
    redis.resume();
    await untilMore();
    for (let cut = 0; cut < 3; cut++) {
      await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
      await untilMore();
    }
    await untilNodes(alive[0]!, 2);
    ended = true;
    await Promise.all(publishing);
    const { deliveries, resumes } = await check(alive[0]!.ws);
    return `${acknowledged.size} acknowledged and there, once each; ${subscribers} subscribers, ${resumes} resumes, ` +
      `${deliveries} deliveries, each offset once and in order; ${unanswered} tries that were refused or not answered, ` +
      `${repeats} answered as repeats`;
  } finally {
    ended = true;
    for (const follower of following) follower.close();
    // It could not be ended otherwise.
    redis.resume();
  }

  async function check(ws: string): Promise<{ deliveries: number; resumes: number }> {
    let deliveries = 0;
    let resumes = 0;
    for (const channel of channels) {
      const own = [...acknowledged].filter(([, position]) => position.channel === channel);
      const [[, top] = [] as never] = own.sort(([, one], [, other]) => other.offset - one.offset);
      assertEquals([...new Set(own.map(([, { epoch }]) => epoch))].length, 1, "one numbering over all of it");
      const kept = await readAll(`${ws}/push?format=json`, channel, top!);
      assertEquals(kept.map(({ offset }) => offset), kept.map((_, index) => index + 1), "no offset is missing");
      assertEquals(kept.length, own.length, "nothing is there twice, and nothing that was not acknowledged");
      for (const [id, { offset }] of own) {
        assertEquals(kept[offset - 1]!.data, id, `what was acknowledged at ${offset}`);
      }
      for (const follower of following) {
        if (follower.channel !== channel) continue;
        await follower.reaches(top!.offset);
        deliveries += follower.deliveries;
        resumes += follower.connections - 1;
        assertEquals(follower.deliveries, top!.offset - follower.begun, "every one since it came");
      }
    }
    return { deliveries, resumes };
  }
}

async function readiness({ url }: { readonly url: string }) {
  const response = await fetch(`${url}/ready`);
  const body: { ready: boolean; degraded?: string[] } = await response.json();
  return { status: response.status, ...body };
}
