/**
 * Whether a Redis can be used as it is set up.
 *
 * @module
 */
import { BrokerSetupError } from "../setup_error.ts";

/** What is asked of Redis for that. */
export interface Setup {
  /** One that is not used for anything else; it is in one of the slots that this Redis has, if it is of a cluster. */
  readonly key: string;
  /** Whether it is to be one of a cluster. */
  readonly isCluster: boolean;
  send(command: string[]): Promise<unknown>;
  load(): Promise<void>;
  call(name: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** Listens to a channel, and no more. */
  listen(channel: string): Promise<void>;
}

/** The first that has functions and sharded channels. */
const OLDEST = 7;

/** @throws {BrokerSetupError} saying what is to be changed */
export async function checkSetup({ key, isCluster, send, load, call, listen }: Setup): Promise<void> {
  const info = await ask("INFO", async () => String(await send(["INFO"])));
  const version = field(info, "redis_version") ?? "";
  if (!(parseInt(version, 10) >= OLDEST)) {
    throw new BrokerSetupError(`Redis ${version} is too old: it has to be 7.0 or later`);
  }
  // Some slots are its own, and the check may meet just these.
  if (field(info, "redis_mode") === "cluster" && !isCluster) {
    throw new BrokerSetupError("this Redis is a node of a Redis Cluster: name it with redis+cluster://HOST,HOST");
  }
  if (field(info, "role") !== "master") {
    throw new BrokerSetupError("this Redis is a replica: name its primary, or the Sentinels");
  }
  const policy = field(info, "maxmemory_policy");
  if (field(info, "maxmemory") !== "0" && policy !== "noeviction") {
    throw new BrokerSetupError(`Redis may drop what it keeps: set maxmemory-policy to noeviction, it is ${policy}`);
  }
  await ask("FUNCTION LOAD", load);
  await ask("FCALL", () => call("setup", [key], []));
  await ask("SSUBSCRIBE", () => listen(key));
}

/** Says of what was tried that it is not allowed. */
async function ask<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const cause = (error as Error).cause ?? error;
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!/NOPERM|can't run this command|permission|ACL failure/i.test(message)) throw error;
    throw new BrokerSetupError(`the user at Redis lacks a right, for ${what}: ${message}`, { cause: error });
  }
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
}
