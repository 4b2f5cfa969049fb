import { sharedRedisCluster } from "../../support/redis_cluster.ts";
import { testRedisBroker } from "./conformance.ts";

const books = Array.from({ length: 16 }, (_, book) => `$queues:${book}`);

testRedisBroker("redis cluster", { start: sharedRedisCluster, books, atomic: false });
