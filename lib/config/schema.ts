/**
 * What can be set, and what came of it.
 *
 * @module
 */

import { UsageError } from "../flags.ts";

/** What a key may do. `admin` includes the others. */
export type Scope = "publish" | "admin" | "stats";

/** Everything that can be set, resolved and checked. Sizes are bytes, durations seconds. */
export interface Config {
  /** Address to listen on. Default `0.0.0.0`, with `dev` `127.0.0.1`. */
  readonly host: string;
  /** Default 8998; 0 picks a free one. */
  readonly port: number;
  /** Worker isolates that serve. Default: one a core; 1 off Linux. */
  readonly isolates: number;
  /** Opens subscribing, publishing and the admin page to everybody, on loopback only. */
  readonly dev: boolean;
  /** Lets `dev` listen on other addresses than loopback. */
  readonly devRemote: boolean;
  /** What browsers see, e.g. `https://push.example.com`: the own origin behind a proxy. Empty: none. */
  readonly publicUrl: string;
  /** Host names under which `Host` and `Origin` count as our own. Default: loopback names. */
  readonly allowHost: readonly string[];
  /** Foreign origins that may connect, e.g. `https://app.example.com`. */
  readonly allowOrigin: readonly string[];
  /** Refuse requests to doors that carry no `Origin`. */
  readonly requireOrigin: boolean;
  /** Paths of the WebSocket doors. Default `/push`, which stays whatever is added. */
  readonly path: readonly string[];
  /** `HOST:PORT` of an address of its own for the admin page, the API and the metrics; empty: they are where the doors are. */
  readonly adminListen: string;
  /** PEM files for TLS; both or none. */
  readonly cert: string;
  readonly key: string;

  /** Keys as `NAME:SCOPE+SCOPE:SECRET`, or only `SECRET` (named `default`, every scope). Secret. */
  readonly apiKey: readonly string[];
  /** File with one such key a line; `#` starts a comment. Read by the loader into `apiKey`. */
  readonly apiKeyFile: string;
  /** Globs of channels that anyone may hear. Default `broadcast`. */
  readonly publicChannels: readonly string[];
  /** Globs of channels that anyone may publish to. Default none. */
  readonly allowPublish: readonly string[];
  /** CIDRs of proxies whose `X-Forwarded-For` counts. */
  readonly trustedProxies: readonly string[];

  /** Secrets of tokens with HS256. */
  readonly tokenSecret: readonly string[];
  /** PEM files of public keys of tokens. */
  readonly tokenKeyFile: readonly string[];
  /** URL of a key set; empty: none. */
  readonly tokenJwks: string;
  /** What `iss` and `aud` of a token have to be; empty: anything. */
  readonly tokenIssuer: string;
  readonly tokenAudience: string;
  /** Name of the cookie that a token may come in. */
  readonly tokenCookie: string;

  /** What holds for some channels: `PATTERN [WORD] ...`; the first that matches counts. */
  readonly rule: readonly string[];
  /** Where the log of channels is kept: `memory:`, `sqlite:PATH`, or a URL of Redis. */
  readonly broker: string;
  /** What all keys in Redis begin with; a file of those who sign its certificate, or empty; seconds it may take to answer. */
  readonly brokerPrefix: string;
  readonly brokerCa: string;
  /** `USER:PASSWORD` for Sentinels, or empty. */
  readonly sentinelUser: string;
  readonly brokerWait: number;
  /** Seconds after which a node that says nothing counts as gone. */
  readonly lease: number;
  /** Where other nodes are listened to, `HOST:PORT`, and where they reach that; empty: there. */
  readonly clusterListen: string;
  readonly clusterAddress: string;
  /** Whether what is acknowledged survives the end of the process, or that of the machine too. */
  readonly sync: "normal" | "full";
  /** History kept a channel: publications, bytes, seconds; and bytes over all channels. */
  readonly historyCount: number;
  readonly historyBytes: number;
  readonly historyAge: number;
  readonly historyBudget: number;
  /** Kept a queue: messages and bytes; bytes over all queues, and queues that have messages. */
  readonly queueCount: number;
  readonly queueBytes: number;
  readonly queueBudget: number;
  readonly maxQueues: number;

  /** Largest message and HTTP body. Default 65,536, at most 16 MiB. */
  readonly maxMessage: number;
  /** Sessions in all. */
  readonly maxConnections: number;
  /** Sessions an address (an IPv6 /64). */
  readonly maxPerAddress: number;
  /** Messages a second that one session may send; twice as many in a burst. */
  readonly messageRate: number;
  /** Requests of any kind a second that one address may make of one isolate; twice as many in a burst. */
  readonly requestRate: number;
  /** API requests a second that one address may make of one isolate; twice as many in a burst. */
  readonly apiRate: number;
  /** Wrong keys a minute from one address before it is refused for a minute. */
  readonly authFailures: number;
  /** Bytes queued to one session before it counts as too slow. */
  readonly outbox: number;
  /** Bytes held by sockets that were closed but do not go, an edge; past it the edge restarts. */
  readonly stuckBudget: number;
  readonly maxSubscriptions: number;
  readonly maxChannels: number;
  /** Resident bytes of the process above which new sessions are refused. */
  readonly memory: number;
  /** Bytes of batches that the slowest edge may lag, and that the hub holds to repeat. */
  readonly busLag: number;
  readonly busRing: number;
  /** Percent of the batches withheld from the bus on purpose, so that they have to be repeated: for tests. */
  readonly busDrop: number;
  /** How long a publication waits for a lagging bus before it is refused. */
  readonly publishWait: number;
  /** Schedules in all. */
  readonly maxSchedules: number;
  /** Reads of history a second and edge, for those who resume. */
  readonly resumeRate: number;
  /** How long an answer that does not end may last, until its client has to come again. */
  readonly maxStreamAge: number;
  /** How long a request's body may take. */
  readonly bodyTimeout: number;

  /** Between pings of a silent client; after as long again without an answer it is gone. */
  readonly ping: number;
  /** Socket.IO: whether Engine.IO 3 is spoken too. */
  readonly eio3: boolean;
  /** How long a ping of Engine.IO may go unanswered. */
  readonly pingTimeout: number;
  /** How long a client may take to connect to a namespace. */
  readonly connectTimeout: number;
  /** How long after its connection was lost a client may come back to where it was; 0 is not at all. */
  readonly recovery: number;
  /** Names of the events that put a socket into rooms, take it out, and address them; empty: there is no such event. */
  readonly eventJoin: string;
  readonly eventLeave: string;
  readonly eventTo: string;
  /** How long shutdown waits for outboxes. */
  readonly drain: number;
  /** How long an edge may be silent before the process ends itself. */
  readonly hang: number;
  /** Lifetime of an admin login. */
  readonly adminSession: number;
  readonly logLevel: "debug" | "info" | "warning" | "error";
  readonly logFormat: "auto" | "pretty" | "json";
}

/** The environment, as far as it is read. */
export interface Env {
  get(name: string): string | undefined;
  /** Every variable that may be seen, to find those of ours that are misspelt. */
  toObject(): Record<string, string>;
}

/** A setting is wrong. The message names the setting, where it came from and what would be right; no secret is in it. */
export class ConfigError extends UsageError {
  override readonly name = "ConfigError";
}
