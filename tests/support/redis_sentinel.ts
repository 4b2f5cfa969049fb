/**
 * A primary, a replica, and three Sentinels that watch them.
 *
 * @module
 */
import { type Redis, startRedis } from "./redis.ts";
import { until } from "./until.ts";

/** What Sentinels call the primary. */
export const NAME = "gong-primary";

/** Redis as it is with Sentinels. */
export interface Watched extends AsyncDisposable {
  /** For `--broker`. */
  readonly url: string;
  readonly primary: Redis;
  readonly replica: Redis;
  /** In the order in which `url` names them. */
  readonly sentinels: readonly Redis[];
}

/** Starts all of them; resolves when the Sentinels know each other and the replica. */
export async function startWatched(): Promise<Watched> {
  await using stack = new AsyncDisposableStack();
  const primary = stack.use(await startRedis({ args: ["--repl-diskless-sync-delay", "0"] }));
  const replica = stack.use(await startRedis({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] }));
  await until(async () => String(await replica.command("INFO", "replication")).includes("master_link_status:up"));
  const sentinels: Redis[] = [];
  for (let n = 0; n < 3; n++) sentinels.push(stack.use(await startSentinel(primary)));
  for (const sentinel of sentinels) {
    await until(async () => {
      const state = await sentinel.command("SENTINEL", "MASTER", NAME);
      const { "num-other-sentinels": others, "num-slaves": slaves } = state as Record<string, string>;
      return others === "2" && slaves === "1";
    });
  }
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join();
  const all = stack.move();
  return {
    url: `redis+sentinel://${hosts}/${NAME}`,
    primary,
    replica,
    sentinels,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Starts one that watches; the lines are further settings of it, e.g. `requirepass secret`. */
export async function startSentinel(primary: Redis, more: readonly string[] = []): Promise<Redis> {
  const dir = await Deno.makeTempDir({ prefix: "gong-sentinel-" });
  const config = `${dir}/sentinel.conf`;
  const lines = [
    `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 2`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 3000`,
    ...more,
  ];
  await Deno.writeTextFile(config, `${lines.join("\n")}\n`);
  const sentinel = await startRedis({ config, dir });
  return {
    ...sentinel,
    async [Symbol.asyncDispose]() {
      await sentinel.kill();
      await Deno.remove(dir, { recursive: true });
    },
  };
}
