/**
 * The servers of the suite, which all doors share.
 *
 * @module
 */
import { startCluster } from "../../support/cluster.ts";
import { type Gong, type GongOptions, startGong } from "../../support/gong.ts";
import { publish, type Published } from "../../support/publish.ts";
import { startRedis } from "../../support/redis.ts";
import { TOKEN_SECRET } from "../../support/tokens.ts";

/** Keys of the guarded server and of the one with rules, by their scopes. */
export const KEYS = {
  admin: "administrator-0123456789",
  publish: "publisher-0123456789",
  stats: "statistician-0123456789",
} as const;
/** Whose tokens the server with rules takes. */
export const AUDIENCE = "chat";
/** A foreign page that may talk to the server with rules. */
export const PAGE = "https://app.example.com";
const RULES = [
  "all:* subscribe=everyone publish=everyone",
  "guild:* subscribe=everyone publish=users",
  "hall:* subscribe=everyone publish=token",
  "stage:* subscribe=everyone publish=keys",
  "members:* subscribe=users publish=users presence=on",
  "room:* subscribe=token publish=token presence=joins",
  "vault:* subscribe=keys publish=keys presence=joins",
];
/** Publications of the large channel: 30 MB, far more than an outbox and the kernel's buffers hold. */
const LARGE = { count: 10_000, bytes: 3000 };

/** What runs while the doors are tested. */
export interface Servers {
  /** Two isolates, everything allowed. */
  readonly open: Gong;
  /** Two isolates; only `open.*` and `broadcast` may be heard, three channels at once, of which five are kept. */
  readonly guarded: Gong;
  /** Two isolates, with tokens of users, three keys, and a rule for each kind of channel. */
  readonly ruled: Gong;
  /** Two isolates whose bus loses a third of the batches, or all. */
  readonly lossy: readonly Gong[];
  /** Two isolates, and a channel with much in it. */
  readonly large: { readonly gong: Gong; readonly channel: string; readonly published: Published[] };
  /** Key to publish with, where one is needed. */
  readonly key: string;
  /** Where the next client of the server connects: where there are several nodes, not to the one that is published to. */
  readonly nodeOf: (gong: Gong) => Gong;
  /** All nodes of the server. */
  readonly nodesOf: (gong: Gong) => readonly Gong[];
  /** How many of its nodes listen to the channel, where there are several. */
  readonly listening?: (gong: Gong, channel: string) => Promise<number>;
}

/** Starts a server of the suite; of several nodes the first, and `nodes` knows the others. */
type Start = (args: readonly string[], options?: GongOptions) => Promise<Gong>;

/** Starts them before the tests of this file, and ends them after. */
export function startServers(nodes: 1 | 2, needs: { readonly ignore?: boolean }): () => Servers {
  let servers: Servers | undefined;
  const stack = new AsyncDisposableStack();
  Deno.test.beforeAll(async () => {
    if (needs.ignore) return;
    servers = nodes === 1
      ? await start(async (...order) => stack.use(await startGong(...order)))
      : await startPairs(stack);
  });
  Deno.test.afterAll(() => stack.disposeAsync());
  return () => servers!;
}

/** Each server is two nodes of a cluster of its own; clients come to the second one, then to the first, in turn. */
async function startPairs(stack: AsyncDisposableStack): Promise<Servers> {
  const redis = stack.use(await startRedis());
  const nodes = new Map<Gong, readonly Gong[]>();
  const prefixes = new Map<Gong, string>();
  let came = 0;
  const servers = await start(async (args, options) => {
    const prefix = `${crypto.randomUUID()}:`;
    const own = ["--broker-prefix", prefix, ...args, "--isolates", "1"];
    const cluster = stack.use(await startCluster({ ...options, redis, args: own }));
    nodes.set(cluster.nodes[0]!, cluster.nodes);
    prefixes.set(cluster.nodes[0]!, prefix);
    return cluster.nodes[0]!;
  });
  return {
    ...servers,
    nodeOf: (gong) => nodes.get(gong)![++came % 2]!,
    nodesOf: (gong) => nodes.get(gong)!,
    async listening(gong, channel) {
      const name = `${prefixes.get(gong)}{${channel}}`;
      const [, count] = await redis.command("PUBSUB", "SHARDNUMSUB", name) as [string, number];
      return count;
    },
  };
}

async function start(startGong: Start): Promise<Servers> {
  const isolates = ["--isolates", "2"];
  const rights = ["--public-channels", "broadcast,open.*", "--max-subscriptions", "3", "--history-count", "5"];
  const room = ["--history-count", "20000", "--history-bytes", "64MiB", "--history-budget", "128MiB"];
  const keys = Object.entries(KEYS).map(([scope, key]) => `${scope}:${scope}:${key}`).join();
  const closed = { dev: false, env: { GONG_API_KEY: keys } };
  const failures = ["--auth-failures", "1000000"];
  const tokens = ["--token-secret", TOKEN_SECRET, "--token-audience", AUDIENCE, "--allow-origin", PAGE];
  const [open, guarded, ruled, third, all, gong] = await Promise.all([
    startGong(isolates),
    startGong([...isolates, ...rights, ...failures], closed),
    startGong([...isolates, ...tokens, ...RULES.flatMap((rule) => ["--rule", rule])], closed),
    startGong([...isolates, "--bus-drop", "33"]),
    startGong([...isolates, "--bus-drop", "100"]),
    startGong([...isolates, ...room]),
  ]);
  const channel = "large";
  const sent = Array.from({ length: LARGE.count }, (_, n) => ({ channel, data: `${n} `.padEnd(LARGE.bytes, "x") }));
  return {
    open,
    guarded,
    ruled,
    lossy: [third, all],
    large: { gong, channel, published: await publish(gong, sent) },
    key: KEYS.publish,
    nodeOf: (gong) => gong,
    nodesOf: (gong) => [gong],
  };
}
