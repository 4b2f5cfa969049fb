/**
 * Queues of several nodes on one Redis, as clients of STOMP see them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startCluster } from "../support/cluster.ts";
import type { Gong } from "../support/gong.ts";
import { RawStomp } from "../support/raw_stomp.ts";
import { redisTest } from "../support/redis.ts";

const decoder = new TextDecoder();

/** Consumes the queue, up to so many at once. */
async function consume({ port }: Gong, prefetch: number): Promise<RawStomp> {
  const client = await RawStomp.connect(port);
  const headers = { id: "1", destination: "/queue/a", ack: "client-individual", receipt: "s" };
  client.send("SUBSCRIBE", { ...headers, "prefetch-count": `${prefetch}` });
  await client.receipt("s");
  return client;
}

async function put({ port }: Gong, ...messages: string[]): Promise<void> {
  const client = await RawStomp.connect(port);
  for (const message of messages) {
    client.send("SEND", { destination: "/queue/a", receipt: message }, message);
    await client.receipt(message);
  }
  await client.drop();
}

/** The next so many, and whether they are redelivered; `ack` of each. */
async function take(client: RawStomp, count: number) {
  const messages: string[] = [];
  const acks: string[] = [];
  for (let taken = 0; taken < count; taken++) {
    const { headers, body } = await client.next();
    messages.push(decoder.decode(body) + (headers.get("redelivered") === "true" ? " again" : ""));
    acks.push(headers.get("ack")!);
  }
  return { messages, acks };
}

redisTest("a queue over two nodes: what is put in on one comes out on the other, and once", async () => {
  await using cluster = await startCluster();
  const [one, two] = cluster.nodes as [Gong, Gong];
  const consumer = await consume(two, 10);
  await put(one, "1", "2");
  const { messages, acks } = await take(consumer, 2);
  assertEquals(messages, ["1", "2"]);
  consumer.send("NACK", { id: acks[1]! });
  assertEquals((await take(consumer, 1)).messages, ["2 again"]);
  for (const id of acks.slice(0, 1)) consumer.send("ACK", { id, receipt: id });
  await consumer.receipt(acks[0]!);
  await consumer.drop();
  const other = await consume(one, 10);
  assertEquals((await take(other, 1)).messages, ["2 again"], "it is told of what comes back on another node");
  await other.drop();
});

for (const how of ["killed", "stopped"] as const) {
  redisTest(
    `a node is ${how}: what its consumers have not acknowledged goes to those of another, in order`,
    async () => {
      await using cluster = await startCluster({ args: ["--lease", "4", "--drain", "0"] });
      const [one, two] = cluster.nodes as [Gong, Gong];
      await put(one, "1", "2", "3", "4");
      const consumer = await consume(two, 3);
      const { messages, acks } = await take(consumer, 3);
      assertEquals(messages, ["1", "2", "3"]);
      consumer.send("ACK", { id: acks[1]!, receipt: "done" });
      await consumer.receipt("done");
      assertEquals((await take(consumer, 1)).messages, ["4"]);
      const other = await consume(one, 10);
      if (how === "killed") await two.kill();
      else await two.stop();
      assertEquals((await take(other, 3)).messages, ["1 again", "3 again", "4 again"]);
      await put(one, "5");
      assertEquals((await take(other, 1)).messages, ["5"]);
      await other.drop();
    },
  );
}
