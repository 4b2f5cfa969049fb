/**
 * Messages to users, over real edges and a real hub.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { openBroker } from "../../lib/brokers/mod.ts";
import { GongError } from "../../lib/errors.ts";
import { command, nextSignal, user } from "../support/messages.ts";
import { type Client, Stage } from "../support/stage.ts";

/** Two sessions of `7` and one of `a b`, on two edges, and somebody who is nobody. */
async function usersOf(stage: Stage): Promise<[Client, Client, Client, Client]> {
  const [one, two] = stage.edges;
  const clients: [Client, Client, Client, Client] = [
    one!.connect({ grant: user("7", "$user/*"), channels: ["$user/7"] }),
    two!.connect({ grant: user("7"), channels: ["$user/7"] }),
    two!.connect({ grant: user("a b"), channels: ["$user/a%20b"] }),
    one!.connect(),
  ];
  await Promise.all(clients.slice(0, 3).map(({ socket }) => socket.subscribed()));
  // The hub has to know of all of them.
  await Promise.all(stage.edges.map(({ hub }) => hub.readiness()));
  return clients;
}

Deno.test("send to users is kept in their channels, reaches every session of theirs, and says who it is from", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two, other, nobody] = await usersOf(stage);
  const { ok } = await command(one, { send: { users: ["7", "a b", "gone"], data: { hello: 1 } } });
  const positions = ["$user/7", "$user/a%20b", "$user/gone"];
  assertEquals([ok.reached, ok.positions.map(({ channel }: { channel: string }) => channel)], [3, positions]);
  for (
    const [client, channel, index] of [[one, positions[0], 0], [two, positions[0], 0], [
      other,
      positions[1],
      1,
    ]] as const
  ) {
    await client.socket.until(() => client.socket.publications.length === 1);
    const { time: _, ...heard } = client.socket.publications[0];
    assertEquals(heard, { ...ok.positions[index], channel, data: { hello: 1 }, user: "7", from: one.id });
  }
  const { publications } = await stage.edge.hub.history("$user/gone", { last: 10 }, {});
  assertEquals(
    publications.map(({ data, user, from }) => [data, user, from]),
    [['{"hello":1}', "7", one.id]],
  );
  assertEquals((await command(nobody, { send: { users: ["gone"], data: 1 } })).ok.reached, 0);
  assertEquals(nobody.socket.publications, []);
});

Deno.test("ask puts a question to every session of the users, and the first answer counts", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two, other, nobody] = await usersOf(stage);
  const asking = command(nobody, { ask: { users: ["7", "a b", "gone"], data: "?" } });
  const signals = await Promise.all([one, two, other].map((client) => nextSignal(client)));
  assertEquals(new Set(signals.map(({ reply }) => reply)).size, 1);
  assertEquals(await command(other, { answer: { reply: signals[0].reply, data: "!" } }), { ok: {} });
  assertEquals(await asking, { ok: { reached: 3, data: "!", from: other.id, user: "a b" } });
  const { error } = await command(nobody, { ask: { users: ["gone"], data: "?" } });
  assertEquals(error.code, "not_found");
});

Deno.test("ask of the own user asks oneself too, and another session may answer", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two] = await usersOf(stage);
  const asking = command(one, { ask: { users: ["7"], data: "?" } });
  const [{ reply }] = await Promise.all([nextSignal(two), nextSignal(one)]);
  await command(two, { answer: { reply, data: "!" } });
  assertEquals(await asking, { ok: { reached: 2, data: "!", from: two.id, user: "7" } });
});

Deno.test("send to users of whom one is refused by the broker is kept for none of them", async () => {
  let atomic: boolean | undefined;
  await using stage = new Stage({
    edges: 2,
    openBroker(...parts) {
      const broker = openBroker(...parts);
      const publish = broker.publish.bind(broker);
      return Object.assign(broker, {
        publish(...[drafts, options]: Parameters<typeof publish>) {
          atomic = options?.atomic;
          if (drafts.length < 3) return publish(drafts, options);
          const error = new GongError("overloaded", undefined, { retryAfter: 7 }).toRefusal();
          return Promise.resolve(drafts.map(() => ({ error })));
        },
      });
    },
  });
  const [one] = await usersOf(stage);
  const { error } = await command(one, { send: { users: ["1", "2", "3"], data: "x" } });
  assertEquals([error.code, error.retryAfter, atomic], ["overloaded", 7, true]);
  assert((await command(one, { send: { users: ["1", "2"], data: "x" } })).ok);
});
