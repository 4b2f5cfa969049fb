import { assert, assertEquals } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { GongError } from "../../lib/errors.ts";
import { DelayedPaths, settle, type Way } from "../support/delayed_paths.ts";
import { seeded } from "../support/random.ts";
import { type Client, Stage, type StageEdge } from "../support/stage.ts";

const WAYS = ["to hub", "to edge", "batch"] as const;

function grantOf(id: string): Grant {
  return { name: `user:${id}`, scopes: [], user: { id, subscribe: () => true, publish: () => false } };
}

/** A session of the user, which hears `a` and the own channel, in whichever order. */
function open(edge: StageEdge, id: string, channels: readonly string[] = ["a", `$user/${id}`]): Client {
  return edge.json({ grant: grantOf(id), channels: [...channels] });
}

/** Everything that waits goes its way, until nothing comes of it any more. */
async function passAll(paths: DelayedPaths): Promise<void> {
  for (let quiet = 0; quiet < 4;) {
    const ways = WAYS.filter((way) => paths.waiting(way) > 0);
    for (const way of ways) while (paths.waiting(way) > 0) await paths.pass(way);
    await settle();
    quiet = ways.length > 0 ? 0 : quiet + 1;
  }
}

Deno.test("a session too many is ended, also when it gives up its user's channel before the hub has answered", async () => {
  await using stage = new Stage({ config: { maxPerAddress: 2 } });
  const clients = ["1", "2", "3"].map((id) => open(stage.edge, id));
  const last = clients[2]!;
  last.session.unsubscribe("$user/3");
  assertEquals((await last.socket.end()).code, 4429);
  const { sessions, users } = await stage.edge.hub.totals();
  assertEquals([sessions, users, stage.edge.edge.registry.size], [2, 2, 2]);
  assertEquals(stage.hub.isHosted("$user/3"), false);
});

Deno.test("a session too many is ended, also when the bus loses something before the hub has answered", async () => {
  await using stage = new Stage({ config: { maxConnections: 2, busRing: 1 } });
  const { edge, paths } = stage.startDelayedEdge();
  edge.json();
  await passAll(paths);
  await stage.edge.json().socket.subscribed();
  // The edge asks for what is lost, and it is not to be had again.
  for (const letter of "abcdef") {
    await stage.publish("a", letter.repeat(1000));
    await settle();
  }
  for (let n = 0; n < 5; n++) await paths.pass("lose");
  await paths.pass("batch");
  assert(paths.waiting("to hub") > 0);
  const late = open(edge, "3");
  await passAll(paths);
  assert(late.session.hasLeft);
  assertEquals((await stage.edge.hub.totals()).sessions, 2);
});

Deno.test("a session whose user's channel cannot be had is ended, counted out, and nothing of it is hosted", async () => {
  let isBroken = true;
  await using stage = new Stage({
    openBroker(_config, announce) {
      const broker = createMemoryBroker(announce);
      const subscribe = broker.subscribe.bind(broker);
      broker.subscribe = async (name) => {
        if (isBroken && name.startsWith("$user/")) throw new GongError("overloaded");
        await subscribe(name);
      };
      return broker;
    },
  });
  assertEquals((await open(stage.edge, "3").socket.end()).code, 1013);
  assertEquals((await stage.edge.hub.totals()).sessions, 0);
  assertEquals([stage.hub.isHosted("$user/3"), stage.hub.isHosted("a")], [false, false]);
  isBroken = false;
  const { socket } = open(stage.edge, "3");
  await socket.subscribed(2);
  await stage.publish("$user/3", "hello");
  await socket.until(() => socket.publications.length === 1);
});

/** What is counted over all rounds, so that what is shown is known to have happened. */
const seen = { refused: 0, left: 0, ended: 0, lost: 0, heard: 0 };

/** Sessions of two users come and go, whatever the port and the bus do meanwhile. */
async function play(seed: number): Promise<void> {
  const random = seeded(seed);
  const busRing = random.pick([1, 1 << 20]);
  await using stage = new Stage({ config: { maxConnections: 3, maxPerAddress: 2 + random.int(3), busRing } });
  const { edge, paths } = stage.startDelayedEdge();
  const clients: Client[] = [];
  const ended = new Set<Client>();

  function come(): void {
    const id = String(random.int(2));
    const channels = random.pick([["a", `$user/${id}`], [`$user/${id}`], [`$user/${id}`, "a"]]);
    try {
      clients.push(open(edge, id, channels));
    } catch (error) {
      assert(error instanceof GongError && [429, 503].includes(error.status), String(error));
    }
  }

  function go(): void {
    const client = clients[random.int(clients.length)];
    if (!client || client.session.hasLeft) return;
    if (random.int(2) === 0) {
      client.socket.vanish();
      seen.left++;
    } else {
      client.session.unsubscribe(`$user/${client.session.user}`);
      ended.add(client);
      seen.ended++;
    }
  }

  for (let step = 0; step < 40; step++) {
    const choice = random.int(10);
    if (choice === 0) come();
    else if (choice === 1) await stage.publish(random.pick(["a", "$user/0", "$user/1"]), "x".repeat(200));
    else if (choice === 2) go();
    else {
      const way = random.pick<Way>([...WAYS, ...WAYS, "lose"]);
      if (paths.waiting(way) === 0) continue;
      if (way === "lose") seen.lost++;
      await paths.pass(way);
    }
  }
  await passAll(paths);
  for (const channel of ["a", "$user/0", "$user/1"]) await stage.publish(channel, "end");
  do await passAll(paths); while (clients.some(({ session }) => !session.hasLeft && session.subscribing.length > 0));
  await check(stage, clients, ended);
  for (const { socket } of clients) socket.vanish();
  await passAll(paths);
  const { sessions, users } = await stage.edge.hub.totals();
  assertEquals([sessions, users], [0, 0]);
  for (const channel of ["a", "$user/0", "$user/1"]) assertEquals(stage.hub.isHosted(channel), false, channel);
}

/** Who is there is counted at the hub, and has heard each offset once, up to the end, of what it did not end. */
async function check(stage: Stage, clients: readonly Client[], ended: ReadonlySet<Client>): Promise<void> {
  const there = clients.filter(({ session }) => !session.hasLeft);
  seen.refused += clients.filter(({ socket }) => socket.closed !== undefined && socket.closed.code > 4000).length;
  assertEquals((await stage.edge.hub.totals()).sessions, there.length);
  for (const client of there) {
    const { session, socket } = client;
    const own = `$user/${session.user}`;
    const wanted = session.named.filter((channel) => channel !== own || !ended.has(client));
    assertEquals([...session.channels].sort(), [...wanted].sort());
    const at = new Map<string, number>();
    for (const line of socket.lines) {
      const { type, channel, offset, recovered, data } = JSON.parse(line);
      if (type === "subscribed") {
        assert(!at.has(channel) || !recovered, "it was told twice");
        at.set(channel, offset);
      } else if (type === undefined && channel !== undefined) {
        assertEquals(offset, at.get(channel)! + 1);
        at.set(channel, offset);
        if (data === "end") seen.heard++;
      }
    }
    for (const channel of session.channels) {
      assertEquals(socket.publications.findLast((found) => found.channel === channel)?.data, "end");
    }
  }
}

Deno.test("users are counted, heard and let go, in whatever order questions, answers, batches and they come", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    await play(seed).catch((cause) => {
      throw new Error(`seed ${seed}`, { cause });
    });
  }
  assert(Object.values(seen).every((count) => count > 20), JSON.stringify(seen));
});
