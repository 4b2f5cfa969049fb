import { sharedRedis } from "../../support/redis.ts";
import { testRedisBroker } from "./conformance.ts";

testRedisBroker("redis", { start: sharedRedis, books: ["$queues"], atomic: true });
