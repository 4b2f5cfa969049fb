/**
 * What it takes of a server that clients connect.
 *
 * @module
 */
import { type Client, connect } from "../support/client.ts";
import { type Peer, startLoop, startServer } from "./peers.ts";
import { alternate, ratioOf, type Result, type Row, type Tell } from "./row.ts";

/** Connections that are made, and how many at once. */
const CONNECTIONS = 3000;
const AT_ONCE = 50;

/** Gong beside the bare loop. */
export async function measureConnect({ settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  await using loop = await startLoop();
  await using gong = await startServer(settings);
  const pair = {
    beside: () => connectAll(loop, loop.url),
    gong: () => connectAll(gong, `${gong.url}?format=json`),
    figure: (each: number) => Math.round(each),
    faults: () => undefined,
  };
  await alternate(1, () => {}, pair);
  const results = await alternate(rounds, tell, pair);
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= 4 };
}

/** Microseconds of the server for each. */
async function connectAll({ figures }: Peer, url: string): Promise<number> {
  const before = (await figures()).cpuSeconds;
  const clients: Client[] = [];
  for (let n = 0; n < CONNECTIONS; n += AT_ONCE) {
    clients.push(...await Promise.all(Array.from({ length: AT_ONCE }, () => connect(url))));
  }
  const spent = (await figures()).cpuSeconds - before;
  await Promise.all(clients.map((client) => client.close()));
  return spent * 1e6 / CONNECTIONS;
}
