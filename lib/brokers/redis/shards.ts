/**
 * Which primaries a Redis Cluster has, as one of its servers says.
 *
 * @module
 */
import type { Reply } from "./server.ts";

/** Slots that follow each other, and where they are. */
export interface Shard {
  readonly from: number;
  readonly to: number;
  readonly host: string;
  readonly port: number;
}

/** A name or an address. */
const HOST = /^[\w.:[\]-]+$/;

/**
 * Reads what `CLUSTER SLOTS` answers.
 *
 * @param asked the host that was asked, which a server that does not know its own means
 * @throws {TypeError} for an answer of nothing, which is that of a server that is in no cluster yet, and for a host that
 * is none, as `?` is
 * @see {@link https://redis.io/docs/latest/commands/cluster-slots/}
 */
export function readShards(reply: Reply, asked: string): Shard[] {
  const shards = (reply as readonly (readonly [number, number, readonly [Reply, number]])[]).map((shard): Shard => {
    const [from, to, [host, port]] = shard;
    const name = String(host ?? "") || asked;
    if (!HOST.test(name)) throw new TypeError(`it names no host for slot ${from}: set cluster-announce-hostname`);
    return { from, to, host: name, port };
  });
  if (shards.length === 0) throw new TypeError("it knows of no slots");
  return shards;
}
