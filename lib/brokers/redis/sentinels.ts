/**
 * Which Redis is the primary, as Sentinels say it.
 *
 * @module
 */
import { createSentinel } from "@redis/client";
import { hostsOf, type RedisAddress, urlOf } from "../../config/redis_address.ts";
import { BrokerSetupError } from "../setup_error.ts";
import { explain, isLasting } from "./client.ts";

/** What {@linkcode Sentinels} are made with. */
export interface SentinelsOptions {
  /** One with a name. */
  readonly address: RedisAddress;
  /** PEM of those who sign certificates. */
  readonly ca: string | undefined;
  /** `USER:PASSWORD` of the Sentinels themselves, or nothing. */
  readonly user: string;
  /** Another one is the primary from now on. */
  readonly onPrimary: (url: string) => void;
}

/** What is told of servers that have changed. */
interface Change {
  readonly type: string;
  readonly node?: { readonly host: string; readonly port: number };
}

/** How often a Sentinel is asked whether it is there, and how long it may say nothing, in milliseconds. */
const PROBE = 1000;
const SILENCE = 5000;
/** How often they are asked again, whatever they have announced, in milliseconds. */
const SCAN = 10_000;
const NOBODY = "no Sentinel says where the primary is";

/** Those who watch. */
export class Sentinels {
  readonly #address: RedisAddress;
  readonly #sentinel;
  #primary: string | undefined;
  /** What the primary has said last when it could not be used, and a Sentinel when it could not be asked. */
  #fault: Error | undefined;
  #refusal: Error | undefined;
  /** Sentinels in a row that have refused to be asked. */
  #refusals = 0;
  /** Ends the opening. */
  #giveUp: (error: Error) => void = () => {};

  constructor(options: SentinelsOptions) {
    const { address, ca, user } = options;
    const { username, password } = new URL(urlOf(address, "redis", 1));
    const [sentinelUser = "", ...sentinelPassword] = user.split(":");
    const socket = address.isTls ? { tls: true as const, ...ca === undefined ? {} : { ca } } : {};
    this.#address = address;
    this.#sentinel = createSentinel({
      name: address.name!,
      sentinelRootNodes: address.hosts.map(({ host, port }) => ({ host: host.replace(/^\[|\]$/g, ""), port })),
      sentinelClientOptions: {
        socket: { ...socket, socketTimeout: SILENCE },
        pingInterval: PROBE,
        ...toLogin(sentinelUser, sentinelPassword.join(":")),
      },
      nodeClientOptions: { socket, ...toLogin(decodeURIComponent(username), decodeURIComponent(password)) },
      replicaPoolSize: 0,
      // By itself the library gives up after so many failures.
      scanInterval: SCAN,
      passthroughClientErrorEvents: true,
    });
    this.#sentinel.on("error", (error: unknown) => this.#note(error));
    this.#sentinel.on("topology-change", ({ type, node }: Change) => {
      if (type !== "MASTER_CHANGE" || !node) return;
      this.#primary = urlOf(address, node.host, node.port);
      options.onPrimary(this.#primary);
    });
  }

  /**
   * Notes what cannot be asked. That it is asked again, and the connections to the primary itself say whether that is there:
   * only while it is opened it may be of no use.
   */
  #note(error: unknown): void {
    // The same of a Sentinel comes as a text too.
    if (!(error instanceof Error)) return;
    // Around what the primary has said the library puts an error of its own, and none around what a Sentinel has.
    if (this.#primary !== undefined && error.cause instanceof Error) {
      this.#fault = new Error(explain(error.cause));
      if (isLasting(this.#fault)) this.#giveUp(this.#fault);
      return;
    }
    if (!isLasting(error)) {
      this.#refusals = 0;
      return;
    }
    this.#refusal = error;
    // One that is set up in another way than the others keeps nobody from asking those.
    if (++this.#refusals >= this.#address.hosts.length) this.#giveUp(this.#refused(error));
  }

  #refused(error: Error): BrokerSetupError {
    return new BrokerSetupError(`the Sentinels at ${hostsOf(this.#address)}${complaint(explain(error))}`, {
      cause: error,
    });
  }

  /** What there is to say when it has taken too long. */
  #late(): Error {
    if (this.#primary !== undefined) return this.#fault ?? new Error("it does not answer");
    return this.#refusal ? this.#refused(this.#refusal) : new Error(NOBODY);
  }

  /** Where the primary is, or is thought to be; undefined when nobody has said so yet. */
  get primary(): string | undefined {
    return this.#primary;
  }

  /**
   * @param patience in milliseconds
   * @returns where the primary is
   * @throws {BrokerSetupError} when the Sentinels refuse to be asked
   * @throws {Error} when nobody says so in that time, or what keeps {@linkcode primary} from being used
   */
  async open(patience: number): Promise<string> {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#giveUp = reject;
    const timer = setTimeout(() => reject(this.#late()), patience);
    try {
      await Promise.race([this.#sentinel.connect(), promise]);
      const node = this.#sentinel.getMasterNode();
      if (!node) throw new Error(NOBODY);
      return this.#primary = urlOf(this.#address, node.host, node.port);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    if (this.#sentinel.isOpen) this.#sentinel.destroy();
  }
}

/** As the library takes them: what is empty is not given. */
function toLogin(username: string, password: string): { username?: string; password?: string } {
  return { ...username === "" ? {} : { username }, ...password === "" ? {} : { password } };
}

/** What is to be said of Sentinels that refuse to be asked. */
function complaint(message: string): string {
  if (message.startsWith("NOAUTH")) return " want a password";
  if (message.startsWith("WRONGPASS")) return " do not take this user and password";
  return `: ${message}`;
}
