import { assertEquals, assertRejects } from "@std/assert";
import { GongError } from "../../../lib/errors.ts";
import { redisTest, startRedis } from "../../support/redis.ts";
import { openNode } from "../../support/redis_broker.ts";
import { until } from "../../support/until.ts";

redisTest("what a node leaves behind is one other's, and goes by itself when its time is over", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  const many = Array.from({ length: 1200 }, (_, n) => ({ key: `key ${n}`, value: `value ${n} é`, seconds: 60 }));
  await one.broker.keepsakes!.keep([...many, { key: "brief", value: "x", seconds: 0.05 }]);
  const taken = await Promise.all([one, other, one].map(({ broker }) => broker.keepsakes!.take("key 1199")));
  assertEquals(taken.toSorted(), ["value 1199 é", undefined, undefined]);
  assertEquals(await other.broker.keepsakes!.take("key 0"), "value 0 é");
  assertEquals(await other.broker.keepsakes!.take("another"), undefined);
  await until(async () => await redis.command("EXISTS", "gong:{$keepsakes}:brief") === 0);
});

redisTest("what cannot be left behind does not keep the rest from it", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url);
  const many = Array.from({ length: 1200 }, (_, n) => ({ key: `${n}`, value: "x", seconds: n === 600 ? 0 : 60 }));
  await assertRejects(() => node.broker.keepsakes!.keep(many), GongError);
  const taken = await Promise.all(["0", "700", "1100"].map((key) => node.broker.keepsakes!.take(key)));
  assertEquals(taken, ["x", undefined, "x"]);
});
