import { assert, assertEquals } from "@std/assert";
import { type Client, connect } from "../support/client.ts";
import { startGong } from "../support/gong.ts";

/** More than the server can have open. */
const MANY = 60;

/** Those of `count` clients that get in. */
async function connectSome(url: string, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    const client = await connect(url).catch(() => undefined);
    if (client) clients.push(client);
  }
  return clients;
}

Deno.test("a server out of descriptors refuses new connections, keeps the old and recovers by itself", async () => {
  await using gong = await startGong(["--isolates", "2"], { prefix: ["prlimit", "--nofile=60"] });
  const url = `${gong.ws}/push`;
  const clients = await connectSome(url, MANY);
  assert(clients.length > 5, `only ${clients.length} got in`);
  assert(clients.length < MANY, "all got in: the limit was not reached");
  await gong.line((line) => line.includes('"event":"listener.failed"'));

  // Those that are in hear each other.
  clients[0]!.send("still here");
  assertEquals(await Promise.all(clients.map((client) => client.nextText())), clients.map(() => "still here"));

  // When some leave, others get in, without a restart.
  const leaving = clients.splice(0, clients.length / 2);
  await Promise.all(leaving.map((client) => client.close()));
  let newcomer: Client | undefined;
  while (!newcomer) [newcomer] = await connectSome(url, 1);
  newcomer.send("back again");
  assertEquals(await newcomer.nextText(), "back again");
  assertEquals(await clients[0]!.nextText(), "back again");
  assert(!gong.output().includes("edge.lost"), gong.output());
});
