/**
 * Where Redis is, as `--broker` says it.
 *
 * @module
 */

/** One server, Sentinels that know which one it is, or some of a cluster, which know of all. */
export interface RedisAddress {
  readonly isTls: boolean;
  readonly isCluster: boolean;
  /** `USER:PASSWORD@` as it stands in a URL, or nothing. */
  readonly credentials: string;
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** What Sentinels call the primary. */
  readonly name: string | undefined;
  readonly database: number;
}

const REDIS = /^redis(s?):\/\/([^@/]*@)?([^/]+)(?:\/(\d{1,3})?)?$/;
const SENTINEL = /^redis(s?)\+sentinel:\/\/([^@/]*@)?([^/]+)\/([\w.-]{1,64})(?:\/(\d{1,3})?)?$/;
const CLUSTER = /^redis(s?)\+cluster:\/\/([^@/]*@)?([^/]+)\/?$/;
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/**
 * Reads `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` or, of Sentinels,
 * `redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/NAME[/DATABASE]` or, of a cluster,
 * `redis+cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]`, each with `rediss` over TLS.
 *
 * @throws {SyntaxError} for anything else
 */
export function parseAddress(text: string): RedisAddress {
  const [, tls, credentials, host, database] = REDIS.exec(text) ?? [];
  if (host !== undefined) {
    checkAt(host);
    return toAddress({ tls, credentials, database, hosts: [parseHost(host, REDIS_PORT)] });
  }
  const sentinel = SENTINEL.exec(text);
  const [, tlsToo, user, hosts, name, number] = sentinel ?? CLUSTER.exec(text) ?? [];
  if (hosts === undefined) {
    throw new SyntaxError(
      "expected redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], redis+sentinel://[USER:PASSWORD@]HOST,HOST/NAME or " +
        "redis+cluster://[USER:PASSWORD@]HOST,HOST, or rediss with TLS",
    );
  }
  const port = sentinel ? SENTINEL_PORT : REDIS_PORT;
  checkAt(hosts);
  const all = hosts.split(",").map((host) => parseHost(host, port));
  return toAddress({ tls: tlsToo, credentials: user, database: number, name, isCluster: !sentinel, hosts: all });
}

/** The URL of one server. */
export function urlOf({ isTls, credentials, database }: RedisAddress, host: string, port: number): string {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `redis${isTls ? "s" : ""}://${credentials}${name}:${port}/${database}`;
}

/** Its servers, or those that know them, as `HOST:PORT,HOST:PORT`. */
export function hostsOf({ hosts }: RedisAddress): string {
  return hosts.map(({ host, port }) => `${host}:${port}`).join();
}

function checkAt(hosts: string): void {
  if (hosts.includes("@")) throw new SyntaxError("expected one @: in a password it is written %40");
}

function parseHost(text: string, port: number): { host: string; port: number } {
  const url = URL.parse(`http://${text}`);
  if (!url?.hostname || url.username || url.pathname !== "/" || /[?#]/.test(text)) {
    // It may be a part of a password, and is not to be shown.
    throw new SyntaxError("expected HOST[:PORT] where hosts stand, after any USER:PASSWORD@");
  }
  // Of the port that HTTP has by itself a URL says nothing.
  const own = url.port || /:(\d+)$/.exec(text)?.[1];
  return { host: url.hostname, port: own ? Number(own) : port };
}

function toAddress(
  { tls, credentials = "", database = "0", name, isCluster = false, hosts }: Pick<RedisAddress, "hosts"> & {
    readonly tls: string | undefined;
    readonly credentials: string | undefined;
    readonly database: string | undefined;
    readonly name?: string | undefined;
    readonly isCluster?: boolean;
  },
): RedisAddress {
  // As the client reads them: what it cannot read it would show.
  if (!/^(?:[^?#%\s]|%[\da-f]{2})*$/i.test(credentials) || !isText(credentials)) {
    throw new SyntaxError("in user and password ?, #, % and spaces are written %3F, %23, %25 and %20");
  }
  return { isTls: tls === "s", isCluster, credentials, hosts, name, database: Number(database) };
}

function isText(credentials: string): boolean {
  try {
    decodeURIComponent(credentials);
    return URL.canParse(`redis://${credentials}host`);
  } catch {
    return false;
  }
}
