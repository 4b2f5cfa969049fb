/**
 * The secret of a server that survives what its broker survives: what clients bring back after a restart is sealed with it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Broker } from "../types.ts";

const KEY = "seal";
const BYTES = 32;

/**
 * The seal, 32 bytes, from the broker's records; made and kept there when there is none.
 *
 * @throws {GongError} `overloaded` when it cannot be kept
 */
export async function readSeal(broker: Pick<Broker, "record" | "records">): Promise<Uint8Array> {
  const known = (await broker.records(KEY)).get(KEY);
  const bytes = Buffer.from(known ?? "", "base64url");
  if (bytes.length === BYTES) return Uint8Array.from(bytes);
  const seal = crypto.getRandomValues(new Uint8Array(BYTES));
  await broker.record([{ key: KEY, value: Buffer.from(seal).toString("base64url") }]);
  return seal;
}
