/**
 * What publications take of the thread of Redis, and of its network.
 *
 * @module
 */
import { startRedis } from "../../support/redis.ts";
import { openNode } from "../../support/redis_broker.ts";
import { alternate, columns, ratioOf, type Result, type Row, type Tell } from "../row.ts";
import { spending } from "./figures.ts";
import { listen, publishSo, type Way } from "./load.ts";

/** Publications that are measured, that go before, and nodes that make them, each a call after the other. */
const PUBLISHED = 20_000;
const WARM_UP = 4000;
const PUBLISHERS = 10;
/** Reads of a full page. */
const READS = 20;
const PAGE = 1000;

/** A publication with a call of its own beside those that share one. */
export async function measureCpu(_row: Row, rounds: number, tell: Tell): Promise<Result> {
  await using redis = await startRedis();
  await using stack = new AsyncDisposableStack();
  const nodes = await Promise.all(Array.from({ length: PUBLISHERS }, () => openNode(redis.url)));
  for (const node of nodes) stack.use(node);
  const brokers = nodes.map(({ broker }) => broker);
  const publishAll = (way: Way, count: number) => {
    return Promise.all(brokers.map((broker) => publishSo(broker, way, count / PUBLISHERS)));
  };
  const cost = async (way: Way) => {
    using _listeners = await listen(redis, way.nodes);
    await publishAll(way, WARM_UP);
    return await spending(redis, () => publishAll(way, PUBLISHED));
  };
  const results = await alternate(rounds, tell, {
    beside: () => cost({ drafts: 100, channels: 1, nodes: 0 }),
    gong: () => cost({ drafts: 1, channels: 1, nodes: 0 }),
    figure: ({ microseconds }) => Number((microseconds / PUBLISHED).toFixed(2)),
    faults: () => undefined,
  });
  const lines = [[
    "drafts a call",
    "channels",
    "nodes hearing",
    "µs in the function",
    "µs of the thread",
    "bytes sent",
  ]];
  for (const drafts of [1, 10, 100]) {
    for (const channels of new Set([1, drafts])) {
      for (const nodes of channels > 1 ? [0] : [0, 1, 10, 50]) {
        const { callMicroseconds, microseconds, sent } = await cost({ drafts, channels, nodes });
        const figures = [callMicroseconds, microseconds, sent].map((all) => (all / PUBLISHED).toFixed(1));
        lines.push([String(drafts), String(channels), String(nodes), ...figures]);
      }
    }
  }
  const { epoch, offset } = (await brokers[0]!.read("c0")).top;
  const read = await spending(redis, async () => {
    for (let n = 0; n < READS; n++) await brokers[0]!.read("c0", { epoch, offset: offset - PAGE });
  });
  const reading = [read.callMicroseconds, read.microseconds, read.sent].map((all) => (all / READS / PAGE).toFixed(1));
  lines.push(["read: 1,000", "1", "", ...reading]);
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio >= 3, table: columns(lines) };
}
