import type { Budget } from "../budget.ts";
import type { Config } from "../config.ts";
import { GongError } from "../errors.ts";
import type { Announce, Broker } from "../types.ts";
import { createMemoryBroker } from "./memory.ts";
import { createRedisBroker } from "./redis.ts";
import { BrokerSetupError } from "./setup_error.ts";
import { createSqliteBroker } from "./sqlite.ts";

/** What brokers are given beside the configuration. */
export interface BrokerParts {
  /** The bytes that history may take, which others use too. Default: one of its own of `historyBudget`. */
  readonly budget?: Budget;
  /** Called with what kept the broker from storing; what is published is refused meanwhile. */
  readonly onFault?: (error: unknown) => void;
  /** Called when a broker that is elsewhere cannot be reached, with the reason, and without one when it can be again. */
  readonly onAway?: (reason: string | undefined) => void;
  /**
   * Called with channels of which something is gone that was not announced, or whose numbering is another now: whoever
   * listens has to read them again from where it stands.
   */
  readonly onMoved?: (channels: readonly string[]) => void;
  /** Called with queues in which something may be that was put there, or given back, elsewhere. */
  readonly onQueued?: (queues: readonly string[]) => void;
}

/** URL scheme → factory. */
const FACTORIES: Readonly<Record<string, (announce: Announce, options: Config & BrokerParts) => Broker>> = {
  "memory:": createMemoryBroker,
  "sqlite:": createSqliteBroker,
  "redis:": openRedis,
  "rediss:": openRedis,
  "redis+sentinel:": openRedis,
  "rediss+sentinel:": openRedis,
  "redis+cluster:": openRedis,
  "rediss+cluster:": openRedis,
};

/** @throws {BrokerSetupError} when a file that is named cannot be read */
function openRedis(announce: Announce, options: Config & BrokerParts): Broker {
  const { brokerCa } = options;
  if (brokerCa === "") return createRedisBroker(announce, options);
  try {
    return createRedisBroker(announce, { ...options, ca: Deno.readTextFileSync(brokerCa) });
  } catch (error) {
    throw new BrokerSetupError(`${brokerCa} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Opens the broker that the configuration names.
 *
 * @throws {GongError} `bad_request` for a scheme that is not of the registry
 */
export function openBroker(config: Config, announce: Announce, parts: BrokerParts = {}): Broker {
  const scheme = config.broker.slice(0, config.broker.indexOf(":") + 1);
  const factory = Object.hasOwn(FACTORIES, scheme) ? FACTORIES[scheme] : undefined;
  if (!factory) throw new GongError("bad_request", `There is no broker for ${config.broker}`, { field: "broker" });
  return factory(announce, { ...config, ...parts });
}
