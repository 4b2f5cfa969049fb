/**
 * The servers of the suite, which all doors share.
 *
 * @module
 */
import { type Gong, startGong } from "../../support/gong.ts";
import { publish, type Published } from "../../support/publish.ts";

const KEY = "publisher-0123456789";
/** Publications of the large channel: 30 MB, far more than an outbox and the kernel's buffers hold. */
const LARGE = { count: 10_000, bytes: 3000 };

/** What runs while the doors are tested. */
export interface Servers {
  /** Two isolates, everything allowed. */
  readonly open: Gong;
  /** Two isolates; only `open.*` and `broadcast` may be heard, three channels at once, of which five are kept. */
  readonly guarded: Gong;
  /** Two isolates whose bus loses a third of the batches, or all. */
  readonly lossy: readonly Gong[];
  /** Two isolates, and a channel with much in it. */
  readonly large: { readonly gong: Gong; readonly channel: string; readonly published: Published[] };
  /** Key to publish with, where one is needed. */
  readonly key: string;
}

/** Starts them before the tests of this file, and ends them after. */
export function startServers(): () => Servers {
  let servers: Servers | undefined;
  Deno.test.beforeAll(async () => {
    servers = await start();
  });
  Deno.test.afterAll(async () => {
    await Promise.all(
      [servers!.open, servers!.guarded, ...servers!.lossy, servers!.large.gong].map((gong) => gong.kill()),
    );
  });
  return () => servers!;
}

async function start(): Promise<Servers> {
  const isolates = ["--isolates", "2"];
  const rights = ["--public-channels", "broadcast,open.*", "--max-subscriptions", "3", "--history-count", "5"];
  const room = ["--history-count", "20000", "--history-bytes", "64MiB", "--history-budget", "128MiB"];
  const [open, guarded, third, all, gong] = await Promise.all([
    startGong(isolates),
    startGong([...isolates, ...rights], { dev: false, env: { GONG_API_KEY: `p:publish:${KEY}` } }),
    startGong([...isolates, "--bus-drop", "33"]),
    startGong([...isolates, "--bus-drop", "100"]),
    startGong([...isolates, ...room]),
  ]);
  const channel = "large";
  const sent = Array.from({ length: LARGE.count }, (_, n) => ({ channel, data: `${n} `.padEnd(LARGE.bytes, "x") }));
  return {
    open,
    guarded,
    lossy: [third, all],
    large: { gong, channel, published: await publish(gong, sent) },
    key: KEY,
  };
}
