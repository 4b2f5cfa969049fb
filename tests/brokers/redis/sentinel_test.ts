import { assert, assertEquals, assertRejects } from "@std/assert";
import { createRedisBroker, type RedisBrokerOptions } from "../../../lib/brokers/redis.ts";
import { BrokerSetupError } from "../../../lib/brokers/setup_error.ts";
import type { Position } from "../../../lib/types.ts";
import { redisTest, startRedis } from "../../support/redis.ts";
import { heard, openNode, publishSurely, text } from "../../support/redis_broker.ts";
import { NAME, startSentinel, startWatched } from "../../support/redis_sentinel.ts";
import { until } from "../../support/until.ts";

redisTest(
  "under Sentinel the primary is killed: publishing goes on with the replica, and no offset is used twice",
  async () => {
    await using redis = await startWatched();
    await using one = await openNode(redis.url, { brokerWait: 1 });
    await using other = await openNode(redis.url, { brokerWait: 1 });
    await one.broker.subscribe("a");
    await one.broker.subscribe("silent");
    const seen = new Map<string, string>();
    const note = ({ epoch, offset }: Position, data: string) => {
      const key = `${epoch}:${offset}`;
      assert(!seen.has(key) || seen.get(key) === data, `${key} was ${seen.get(key)}, and is ${data}`);
      seen.set(key, data);
    };
    const publish = async (n: number) => {
      const position = await publishSurely(other.broker, { ...text("a", `${n}`), id: `${n}` });
      note(position, `${n}`);
      return position;
    };
    let before: Position | undefined;
    for (let n = 1; n <= 20; n++) before = await publish(n);
    await heard(one, "a", 20);
    await redis.primary.kill();
    const after = await publish(21);
    assert(after.epoch !== before!.epoch);
    for (let n = 22; n <= 40; n++) await publish(n);
    const all = await heard(one, "a", 40);
    for (const { data, ...position } of all) note(position, String(data));
    assertEquals(all.map(({ data }) => Number(data)), Array.from({ length: 40 }, (_, index) => index + 1));
    // Of a channel where nothing follows it is said that its numbering is another one.
    await until(() => one.moved.includes("silent"));
    assertEquals(await redis.replica.command("HGET", "gong:{a}:m", "e"), after.epoch);
    // The old one comes back, and is a replica: nobody goes to it.
    assertEquals(one.away.at(-1), undefined);
  },
);

redisTest("a primary that stands still with the Sentinel that was asked is left: the others are asked", async () => {
  await using redis = await startWatched();
  await using node = await openNode(redis.url, { brokerWait: 1 });
  const before = await publishSurely(node.broker, { ...text("a", "1"), id: "1" });
  redis.sentinels[0]!.pause();
  redis.primary.pause();
  const after = await publishSurely(node.broker, { ...text("a", "2"), id: "2" });
  assert(after.epoch !== before.epoch);
  assertEquals(await redis.replica.command("HGET", "gong:{a}:m", "e"), after.epoch);
});

/** Why it does not start. */
async function reason(broker: string, options: Partial<RedisBrokerOptions> = {}): Promise<string> {
  const opened = createRedisBroker(() => {}, { broker, brokerWait: 1, ...options });
  return (await assertRejects(() => opened.start!(), BrokerSetupError)).message;
}

redisTest("under Sentinel a wrong password is said to be one, and of which server", async () => {
  await using primary = await startRedis({ args: ["--requirepass", "secret"] });
  await using sentinel = await startSentinel(primary, [`sentinel auth-pass ${NAME} secret`]);
  const url = (user: string) => `redis+sentinel://${user}127.0.0.1:${sentinel.port}/${NAME}`;
  assertEquals(await reason(url("")), `Redis at 127.0.0.1:${primary.port} wants a password`);
  const wrong = await reason(url(":nonsense@"));
  assertEquals(wrong, `Redis at 127.0.0.1:${primary.port} does not take this user and password`);
  await using node = await openNode(url(":secret@"));
  assertEquals((await publishSurely(node.broker, { ...text("a", "1"), id: "1" })).offset, 1);
});

redisTest("Sentinels that want a user and a password get those that are theirs", async () => {
  await using primary = await startRedis({ args: ["--requirepass", "secret"] });
  const [user] = /^user gong on .*$/m.exec(await Deno.readTextFile("README.md")) ?? [];
  assert(user, "the README has a user of Sentinels");
  const settings = [`sentinel auth-pass ${NAME} secret`, "requirepass watch:word"];
  await using sentinel = await startSentinel(primary, [...settings, user.replace("PASSWORD", "other")]);
  const url = `redis+sentinel://:secret@127.0.0.1:${sentinel.port}/${NAME}`;
  const sentinels = `the Sentinels at 127.0.0.1:${sentinel.port}`;
  assertEquals(await reason(url), `${sentinels} want a password`);
  const wrong = await reason(url, { sentinelUser: ":secret" });
  assertEquals(wrong, `${sentinels} do not take this user and password`);
  for (const sentinelUser of [":watch:word", "default:watch:word", "gong:other"]) {
    await using node = await openNode(url, { sentinelUser });
    const id = sentinelUser;
    assert((await publishSurely(node.broker, { ...text("a", "1"), id })).offset > 0, id);
  }
});
