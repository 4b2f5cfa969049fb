/** Short forms of the soaks of `deno task prove`. The edges have their own tests. */
import { proveBurst } from "../prove/burst.ts";
import { proveChaos } from "../prove/cluster_chaos.ts";
import { proveCluster } from "../prove/cluster_soak.ts";
import { proveCrowd } from "../prove/crowd.ts";
import { proveIdle } from "../prove/idle.ts";
import { proveKill } from "../prove/kill.ts";
import { proveQueue } from "../prove/queue_soak.ts";
import { proveRedisCluster } from "../prove/redis_cluster.ts";
import { proveSchedules } from "../prove/schedules.ts";
import { proveSilent, proveStalled } from "../prove/stalled.ts";
import { NEEDS_REDIS } from "../support/redis.ts";
import { proveStompFuzz } from "../prove/stomp_fuzz.ts";
import { proveTransactions } from "../prove/transactions.ts";

/** Isolates of the generator outlive a test for Deno's leak checks. */
function soakTest(name: string, run: () => Promise<string>, needs: { readonly ignore?: boolean } = {}): void {
  Deno.test({ ...needs, name, fn: async () => void await run(), sanitizeOps: false, sanitizeResources: false });
}

for (const format of ["plain", "json"] as const) {
  soakTest(
    `a burst over two isolates reaches every ${format} subscriber, once and in order`,
    () => proveBurst({ format, subscribers: 300 }),
  );
  soakTest(
    `a burst whose every batch the bus loses reaches every ${format} subscriber, once and in order`,
    () => proveBurst({ format, subscribers: 200, busDrop: 100 }),
  );
}

soakTest(
  "messages of which the bus loses a third, the last ones too, all arrive once and in order",
  () => proveBurst({ format: "json", subscribers: 50, rate: 500, count: 1000, busDrop: 33 }),
);

soakTest(
  "clients that only answer pings stay, and hear what is published",
  () => proveIdle({ subscribers: 500, duration: 9, ping: 3 }),
);

for (const door of ["push", "sse"] as const) {
  soakTest(
    `subscribers of /${door} that read nothing cost bounded memory and go, and others miss nothing`,
    () => proveStalled({ door, stalled: [3], bytes: 8_000_000, fillingRate: 100 }),
  );
}

soakTest("peers that answer no ping are gone within two pings", () => proveSilent({ stalled: 20, ping: 3 }));

soakTest(
  "a server that is killed under load has kept what it acknowledged, once, and its followers miss nothing",
  () => proveKill({ kills: 3 }),
);

soakTest(
  "a cluster that loses a node, whose Redis stands still and whose connections are cut gives everybody all, once",
  () => proveCluster({ subscribers: 150, between: 200, pause: 3 }),
  NEEDS_REDIS,
);

soakTest(
  "a cluster under whatever can happen to it gives everybody all, once",
  () => proveChaos({ subscribers: 30, blows: 6, between: 50 }),
  NEEDS_REDIS,
);

soakTest(
  "a Redis Cluster that changes under load uses no offset twice, and every node hears all",
  () => proveRedisCluster({ blows: 5 }),
  NEEDS_REDIS,
);

soakTest(
  "schedules of a server that is killed fire once each, late ones too, and periodic ones never twice for one time",
  () => proveSchedules({ kills: 3, schedules: 20 }),
);

soakTest(
  "a crowd that comes and goes while isolates die hears what was acknowledged, once, and leaves no ghosts",
  () => proveCrowd({ users: 20, duration: 5, kills: 2 }),
);

for (
  const { prefetch, ack, messages } of [
    { prefetch: 10, ack: "client-individual", messages: 10_000 },
    { prefetch: 100, ack: "client", messages: 10_000 },
    { prefetch: 1, ack: "client-individual", messages: 2000 },
  ] as const
) {
  soakTest(
    `a queue whose consumers die has each message acknowledged once by ${ack}, ${prefetch} at once`,
    () => proveQueue({ ack, prefetch, messages }),
  );
}

soakTest(
  "a queue of a server that is killed has kept what it was given, and what was acknowledged does not come again",
  () => proveQueue({ broker: "sqlite", ack: "client-individual", prefetch: 10, kills: 1 }),
);

soakTest(
  "transactions over topics and queues happen whole or not at all, whoever commits, aborts or dies",
  () => proveTransactions({ transactions: 1000 }),
);

soakTest(
  "transactions of a server that is killed happen whole or not at all",
  () => proveTransactions({ broker: "sqlite", transactions: 1000, kills: 2 }),
);

soakTest("100,000 mutated STOMP frames harm nobody, and whoever is closed is told why", () => proveStompFuzz());
