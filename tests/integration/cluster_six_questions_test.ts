import { startCluster } from "../support/cluster.ts";
import { NEEDS_REDIS } from "../support/redis.ts";
import { sixQuestions } from "./six_questions.ts";

sixQuestions("three nodes", async (args) => {
  const cluster = await startCluster({ nodes: 3, args });
  return { ...cluster, edges: 3 };
}, NEEDS_REDIS);
