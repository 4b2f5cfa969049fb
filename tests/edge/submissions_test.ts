/**
 * What sessions publish and settle in one step, over real edges, a real hub and a real broker.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import { openBroker } from "../../lib/brokers/mod.ts";
import { GongError } from "../../lib/errors.ts";
import { compileGlobs } from "../../lib/globs.ts";
import type { Draft } from "../../lib/types.ts";
import { type Client, Stage } from "../support/stage.ts";
import { drafts, Taker } from "../support/taker.ts";

function draft(channel: string, data = "x"): Draft {
  return { channel, data, contentType: "text/plain" };
}

async function codeOf({ session }: Client, ...wish: Parameters<Client["session"]["submit"]>): Promise<string> {
  const error = await assertRejects(() => session.submit(...wish), GongError);
  return error.code;
}

/** A stage whose broker lacks something. */
function without(missing: "atomic" | "queues"): Stage {
  return new Stage({
    openBroker: (...args) => {
      const broker = openBroker(...args);
      return Object.assign(broker, { capabilities: { ...broker.capabilities, [missing]: false } });
    },
  });
}

Deno.test("DoorSession.submit() publishes to channels, users and queues in one step, as whoever the session is", async () => {
  await using stage = new Stage({ edges: 2 });
  const reader = stage.edges[1]!.json({ channels: ["a", "$user/7"], grant: userOf("7") });
  const taker = new Taker(reader);
  const writer = stage.edge.json({ channels: ["b"], grant: userOf("42") });
  await reader.socket.subscribed(2);
  const positions = await writer.session.submit([
    draft("a", "one"),
    draft("$user/7", "two"),
    ...drafts(["three", "four"]),
    { ...draft("a", "five"), user: "forged", from: "forged" },
  ]);
  assertEquals(positions.map(({ offset }) => offset), [1, 1, 1, 2, 2]);
  await taker.count(2);
  await reader.socket.until(() => reader.socket.publications.length >= 3);
  const { id } = writer;
  assertEquals(
    reader.socket.publications.filter(({ channel }) => channel === "a").map((
      { data, user, from },
    ) => [data, user, from]),
    [["one", "42", id], ["five", "42", id]],
  );
  assertEquals(taker.messages.map(({ data, user, from, offset }) => [data, user, from, offset]), [
    ["three", "42", id, 1],
    ["four", "42", id, 2],
  ]);
  assertEquals(await stage.figure("gong_published_total"), 3);
});

function userOf(id: string, publish: readonly string[] = ["*"]): Grant {
  return {
    name: `user:${id}`,
    scopes: [],
    user: { id, subscribe: compileGlobs(["*"]), publish: compileGlobs(publish) },
  };
}

Deno.test("DoorSession.submit() takes the right to everything, and else does nothing", async () => {
  const config = { dev: false, publicChannels: ["a"], allowPublish: ["open"] };
  await using stage = new Stage({ config });
  const client = stage.edge.plain({ grant: userOf("1", ["mine", "$queue/mine", "$user/2", "$session/*"]) });
  const key = stage.edge.plain({ grant: { name: "shop", scopes: ["publish"] } });
  const nobody = stage.edge.plain();
  for (const channel of ["mine", "open", "$user/2", "$queue/mine"]) await client.session.submit([draft(channel)]);
  for (const channel of ["other", "$queue/other", "$user/3"]) await key.session.submit([draft(channel)]);
  await nobody.session.submit([draft("open")]);
  const refused = ["other", "$queue/other", "$user/3", "$session/1-a", "$presence/a", "$admin", "$x", "$queue/"];
  for (const channel of refused) {
    assertEquals(await codeOf(client, [draft("mine"), draft(channel)]), "forbidden", channel);
    assertEquals(await codeOf(nobody, [draft(channel)]), "forbidden", channel);
  }
  for (const channel of ["$session/1-a", "$presence/a", "$admin", "$x", "$queue/"]) {
    assertEquals(await codeOf(key, [draft(channel)]), "forbidden", channel);
  }
  assertEquals(await codeOf(key, [draft("$queue/a b")]), "bad_request");
  assertEquals(await stage.figure("gong_published_total"), 6);
  assertEquals(await stage.figure("gong_queued_total"), 2);
});

Deno.test("DoorSession.submit() settles what is with consumers in the step in which it publishes", async () => {
  await using stage = new Stage();
  const client = stage.edge.json();
  const taker = new Taker(client, "q", 2);
  const { session } = client;
  await session.submit(drafts(["1", "2", "3", "4"]));
  await taker.count(2);
  const { id: consumer } = taker.consumer;
  await session.submit([draft("a", "done"), ...drafts(["answer"], "p")], [
    { consumer, offsets: [1], as: "done" },
    { consumer, offsets: [2], as: "requeued" },
  ]);
  await taker.count(4);
  // The room is its own again, and what came back comes first.
  assertEquals(taker.messages.map(({ data, redelivered }) => [data, redelivered]), [
    ["1", false],
    ["2", false],
    ["2", true],
    ["3", false],
  ]);
  await client.socket.until(() => client.socket.publications.length > 0);
  assertEquals(await stage.figure("gong_queue_messages"), 4);
  assertEquals(await stage.figure("gong_queue_done_total"), 1);
  assertEquals(await stage.figure("gong_queue_requeued_total"), 1);
  // Without anything to publish.
  assertEquals(await session.submit([], [{ consumer, offsets: [2, 3], as: "done" }]), []);
  await taker.count(5);
  assertEquals(taker.texts[4], "4");
});

Deno.test("DoorSession.submit() does nothing when something that it is to settle is not with the consumer", async () => {
  await using stage = new Stage();
  const client = stage.edge.plain();
  const taker = new Taker(client, "q", 2);
  await client.session.submit(drafts(["1", "2", "3"]));
  await taker.count(2);
  const { id: consumer } = taker.consumer;
  for (const offsets of [[1, 3], [77], [1, 1]]) {
    for (const drafts of [[draft("a")], []]) {
      assertEquals(await codeOf(client, drafts, [{ consumer, offsets, as: "done" }]), "conflict");
    }
  }
  assertEquals(await codeOf(client, [draft("a")], [{ consumer: "1-none/9", offsets: [1], as: "done" }]), "conflict");
  assertEquals(await stage.figure("gong_published_total"), 0);
  await client.session.submit([draft("a")], [{ consumer, offsets: [1, 2], as: "done" }]);
  assertEquals(await stage.figure("gong_queue_messages"), 1);
});

Deno.test("DoorSession.submit() settles nothing when it is refused: the messages stay with their consumer", async () => {
  await using stage = new Stage({ config: { queueCount: 2 } });
  const client = stage.edge.json();
  const taker = new Taker(client, "q", 2);
  const { session } = client;
  await session.submit(drafts(["1", "2"]));
  await taker.count(2);
  const { id: consumer } = taker.consumer;
  const settled = [{ consumer, offsets: [1, 2], as: "done" as const }];
  assertEquals(await codeOf(client, [draft("a"), ...drafts(["x", "y", "z"], "full")], settled), "overloaded");
  assertEquals(await stage.figure("gong_published_total"), 0);
  assertEquals(await stage.figure("gong_queue_claimed"), 2);
  assertEquals(await stage.figure("gong_queue_done_total"), 0);
  // And whoever looks after the server can find out which queue it was.
  assertEquals(await stage.figure("gong_queue_refused_total"), 3);
  const full = { queue: "full", reason: "The queue full is full.", consumers: 0 };
  assertEquals(await stage.log.until("queue.refused"), full);
  await session.submit([draft("a")], settled);
  assertEquals(await stage.figure("gong_queue_messages"), 0);
  assertEquals(await stage.figure("gong_queue_done_total"), 2);
});

Deno.test("what a refused submission has taken from a consumer that is gone meanwhile goes back", async () => {
  await using stage = new Stage({ edges: 2, config: { queueCount: 2 } });
  const client = stage.edge.plain();
  const taker = new Taker(client);
  await client.session.submit(drafts(["1", "2"]));
  await taker.count(2);
  const other = new Taker(stage.edges[1]!.plain());
  const settled = [{ consumer: taker.consumer.id, offsets: [1], as: "done" as const }];
  const refused = codeOf(client, drafts(["x", "y", "z"], "full"), settled);
  taker.consumer.cancel();
  assertEquals(await refused, "overloaded");
  await other.count(2);
  assertEquals(other.texts.sort(), ["1", "2"]);
});

Deno.test("DoorSession.submit() of nothing waits for what was posted before", async () => {
  await using stage = new Stage();
  const client = stage.edge.plain();
  for (let n = 0; n < 50; n++) client.session.post(draft("a", `${n}`));
  assertEquals(await client.session.submit([]), []);
  assertEquals(stage.metrics.counter("gong_published_total").value, 50);
});

Deno.test("DoorSession.submit() is refused where the broker cannot do it as one step, or has no queues", async () => {
  {
    await using stage = without("atomic");
    const client = stage.edge.plain();
    const taker = new Taker(client);
    await client.session.submit([draft("a")]);
    for (const text of ["1", "2"]) await client.session.submit(drafts([text]));
    await taker.count(2);
    const settled = [{ consumer: taker.consumer.id, offsets: [1], as: "done" as const }];
    assertEquals(await codeOf(client, [draft("a"), draft("b")]), "bad_request");
    assertEquals(await codeOf(client, [draft("a")], settled), "bad_request");
    assertEquals(await stage.figure("gong_published_total"), 1);
    // One channel is one step with every broker.
    await client.session.submit([draft("a"), draft("a")]);
    assertEquals(await stage.figure("gong_published_total"), 3);
    // To settle several is one step with every broker.
    await client.session.submit([], [...settled, { ...settled[0]!, offsets: [2] }]);
    assertEquals(await stage.figure("gong_queue_messages"), 0);
  }
  {
    await using stage = without("queues");
    const client = stage.edge.plain();
    assertEquals(await codeOf(client, drafts(["1"])), "bad_request");
    assertEquals(await codeOf(client, [draft("a"), ...drafts(["1"])]), "bad_request");
    assertEquals(await stage.figure("gong_published_total"), 0);
    await client.session.submit([draft("a"), draft("a")]);
    const results = await stage.edge.hub.publish([draft("a"), ...drafts(["1"])]);
    assert(results.every((result) => "error" in result && result.error.code === "bad_request"));
  }
});

Deno.test("DoorSession.submit() is refused when too much is under way", async () => {
  await using stage = new Stage({ config: { busLag: 100_000 } });
  const client = stage.edge.plain();
  const large = drafts(["x".repeat(60_000)]);
  const results = await Promise.allSettled([1, 2, 3].map(() => client.session.submit(large)));
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
  await client.session.submit(large);
});
