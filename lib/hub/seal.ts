/**
 * The secret of a server that survives what its broker survives: what clients bring back after a restart is sealed with it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { GongError } from "../errors.ts";
import type { Broker } from "../types.ts";

const KEY = "seal";
const BYTES = 32;

/**
 * The seal, 32 bytes, from the broker's records; made and kept there when there is none.
 *
 * @throws {GongError} `overloaded` when it cannot be kept
 */
export async function readSeal(broker: Pick<Broker, "record" | "records">): Promise<Uint8Array> {
  const known = await find(broker);
  if (known) return known;
  const seal = crypto.getRandomValues(new Uint8Array(BYTES));
  const value = Buffer.from(seal).toString("base64url");
  try {
    await broker.record([{ key: KEY, value, isNew: true }]);
    return seal;
  } catch (error) {
    if (!(error instanceof GongError) || error.code !== "conflict") throw error;
    // Another node was faster, or it is damaged.
    const other = await find(broker);
    if (!other) await broker.record([{ key: KEY, value }]);
    return other ?? seal;
  }
}

async function find(broker: Pick<Broker, "records">): Promise<Uint8Array | undefined> {
  const known = (await broker.records(KEY)).get(KEY);
  const bytes = Buffer.from(known ?? "", "base64url");
  return bytes.length === BYTES ? Uint8Array.from(bytes) : undefined;
}
