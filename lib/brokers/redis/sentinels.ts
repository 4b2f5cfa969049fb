/**
 * Which Redis is the primary, as Sentinels say it.
 *
 * @module
 */
import { createSentinel } from "@redis/client";
import { type RedisAddress, urlOf } from "../../config/redis_address.ts";

/** What {@linkcode Sentinels} are made with. */
export interface SentinelsOptions {
  /** One with a name. */
  readonly address: RedisAddress;
  /** PEM of those who sign certificates. */
  readonly ca: string | undefined;
  /** Another one is the primary from now on. */
  readonly onPrimary: (url: string) => void;
}

/** What is told of servers that have changed. */
interface Change {
  readonly type: string;
  readonly node?: { readonly host: string; readonly port: number };
}

const NOBODY = "no Sentinel says where the primary is";

/** Those who watch. */
export class Sentinels {
  readonly #address: RedisAddress;
  readonly #sentinel;
  #primary: string | undefined;

  constructor(options: SentinelsOptions) {
    const { address, ca } = options;
    const { hostname: _, username, password } = new URL(urlOf(address, "redis", 1));
    const socket = address.isTls ? { tls: true as const, ...ca === undefined ? {} : { ca } } : {};
    this.#address = address;
    this.#sentinel = createSentinel({
      name: address.name!,
      sentinelRootNodes: address.hosts.map(({ host, port }) => ({ host: host.replace(/^\[|\]$/g, ""), port })),
      sentinelClientOptions: { socket },
      nodeClientOptions: {
        socket,
        ...username === "" ? {} : { username: decodeURIComponent(username) },
        ...password === "" ? {} : { password: decodeURIComponent(password) },
      },
      replicaPoolSize: 0,
    });
    // What cannot be asked now is asked again; the connections to the primary itself say whether that is there.
    this.#sentinel.on("error", () => {});
    this.#sentinel.on("topology-change", ({ type, node }: Change) => {
      if (type !== "MASTER_CHANGE" || !node) return;
      this.#primary = urlOf(address, node.host, node.port);
      options.onPrimary(this.#primary);
    });
  }

  /** Where the primary is; undefined when nobody has said so yet. */
  get primary(): string | undefined {
    return this.#primary;
  }

  /**
   * @param patience in milliseconds
   * @returns where the primary is
   * @throws {Error} when nobody says so in that time
   */
  async open(patience: number): Promise<string> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(NOBODY)), patience);
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
