/**
 * What it takes of a node to hear what others publish.
 *
 * @module
 */
import { connect } from "../../support/client.ts";
import { startCluster } from "../../support/cluster.ts";
import { figuresOfProcess } from "../../support/load.ts";
import { openNode } from "../../support/redis_broker.ts";
import { alternate, ratioOf, type Result, type Row, type Tell } from "../row.ts";
import { publishSo } from "./load.ts";

/** Publications that are measured. */
const PUBLISHED = 20_000;

/** Announcements of one publication beside those of many. */
export async function measureHeard({ settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  await using cluster = await startCluster({ nodes: 1, args: settings });
  const [gong] = cluster.nodes;
  await using other = await openNode(cluster.redis.url);
  await using client = await connect(`${gong!.ws}/push?format=json&channel=c0`);
  while (!(await client.nextText()).includes('"subscribed"'));
  const figures = figuresOfProcess(gong!.pid);
  const cost = async (drafts: number) => {
    const before = (await figures()).cpuSeconds;
    const heard = hearAll(client, PUBLISHED);
    await publishSo(other.broker, { drafts, channels: 1, nodes: 1 }, PUBLISHED);
    await heard;
    return ((await figures()).cpuSeconds - before) * 1e6 / PUBLISHED;
  };
  for (const drafts of [1, 100]) await cost(drafts);
  const results = await alternate(rounds, tell, {
    beside: () => cost(100),
    gong: () => cost(1),
    figure: (each) => Math.round(each),
    faults: () => undefined,
  });
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(1)} ×`, passed: ratio >= 2 };
}

async function hearAll(client: { nextText(): Promise<string> }, count: number): Promise<void> {
  for (let heard = 0; heard < count;) heard += (await client.nextText()).split('"offset":').length - 1;
}
