/**
 * The one table of settings. Flags, environment names, keys of the file, help and the table in the README come from it.
 *
 * @module
 */

import * as forms from "./forms.ts";
import { MOST_KEPT, RULE_WORDS, toRule } from "./rule.ts";
import type { Config } from "./schema.ts";

/** How a value is written. `bytes` and `seconds` take units: `64KiB`, `500ms`. */
export type Kind = "boolean" | "integer" | "bytes" | "seconds" | "text" | "list" | "choice";

/** What a setting can hold. */
export type Value = boolean | number | string | readonly string[];

/** One row: what there is to know about one setting. */
interface Row<T extends Value> {
  readonly group: string;
  readonly kind: Kind;
  readonly default: T;
  /** The default in words, where it depends on something. */
  readonly otherwise?: string;
  /** Bounds of a number, in its unit. The least is 0 unless said. */
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Brings a text, or each item of a list, into the form it is kept in. */
  readonly form?: (text: string) => string;
  /** Never printed: all of an item, or what stands behind its name and scopes. */
  readonly secret?: "whole" | "named";
  /** Name of the value in the help. */
  readonly value?: string;
  /** One sentence: what it does, and what is special about it. */
  readonly help: string;
}

/** A setting with its names. */
export interface Option extends Row<Value> {
  /** Name in {@linkcode Config} and in the file. */
  readonly key: keyof Config;
  /** Without the dashes. */
  readonly flag: string;
  readonly env: string;
}

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const listening = { group: "Listening" };
const access = { group: "Access" };
const channels = { group: "Channels" };
const limits = { group: "Limits" };
const cluster = { group: "Cluster" };
const socketIo = { group: "Socket.IO" };
const running = { group: "Running" };

const ROWS: { readonly [K in keyof Config]: Row<Config[K]> } = {
  host: {
    ...listening,
    kind: "text",
    default: "",
    otherwise: "0.0.0.0, with --dev 127.0.0.1",
    form: forms.toListenHost,
    value: "ADDRESS",
    help: "Address to listen on.",
  },
  port: {
    ...listening,
    kind: "integer",
    default: 8998,
    max: 65_535,
    help: "Port to listen on; 0 picks a free one. The UDP port of that number is held too, against a second server.",
  },
  adminListen: {
    ...listening,
    kind: "text",
    default: "",
    otherwise: "there too",
    form: forms.toOptionalListenAddress,
    value: "HOST:PORT",
    help: "Another address for the admin page, /api/ and /metrics, which are no more where the clients are then.",
  },
  isolates: {
    ...listening,
    kind: "integer",
    default: 0,
    otherwise: "one a core; 1 off Linux",
    max: 256,
    help: "Worker isolates that serve connections; 0 is one a core.",
  },
  path: {
    ...listening,
    kind: "list",
    default: ["/push"],
    form: forms.toDoorPath,
    value: "PATH",
    help: "Path of the WebSocket doors: plain, JSON, STOMP; /push is always one.",
  },
  publicUrl: {
    ...listening,
    kind: "text",
    default: "",
    otherwise: "none",
    form: forms.toOptionalOrigin,
    value: "ORIGIN",
    help: "Origin that browsers see, e.g. https://push.example.com, when a proxy stands in front.",
  },
  trustedProxies: {
    ...listening,
    kind: "list",
    default: [],
    form: forms.toNetwork,
    value: "CIDR",
    help: "Networks of proxies whose X-Forwarded-For is believed.",
  },
  cert: {
    ...listening,
    kind: "text",
    default: "",
    otherwise: "none",
    value: "FILE",
    help: "PEM file with the TLS certificate chain; needs --key.",
  },
  key: {
    ...listening,
    kind: "text",
    default: "",
    otherwise: "none",
    value: "FILE",
    help: "PEM file with the TLS private key; needs --cert.",
  },

  dev: {
    ...access,
    kind: "boolean",
    default: false,
    help: "Opens subscribing, publishing and the admin page to everybody, on loopback only.",
  },
  devRemote: {
    ...access,
    kind: "boolean",
    default: false,
    help: "Lets --dev listen on other addresses than loopback.",
  },
  allowHost: {
    ...access,
    kind: "list",
    default: ["localhost", "127.0.0.1", "[::1]"],
    form: forms.toHostName,
    value: "HOST",
    help: "Host name under which browsers may reach the server, besides that of --public-url.",
  },
  allowOrigin: {
    ...access,
    kind: "list",
    default: [],
    form: forms.toOrigin,
    value: "ORIGIN",
    help: "Foreign origin whose pages may connect, e.g. https://app.example.com.",
  },
  requireOrigin: {
    ...access,
    kind: "boolean",
    default: false,
    help: "Refuses requests to doors without an Origin, i.e. what is not a browser.",
  },
  apiKey: {
    ...access,
    kind: "list",
    default: [],
    otherwise: "a random one, shown once on a terminal",
    form: forms.toApiKey,
    secret: "named",
    value: "KEY",
    help: "API key, NAME:SCOPE+SCOPE:SECRET with scopes publish, admin, stats, or SECRET alone for all of them; " +
      "a flag can be seen in the list of processes.",
  },
  apiKeyFile: {
    ...access,
    kind: "text",
    default: "",
    otherwise: "none",
    value: "FILE",
    help: "File with one more such key a line; # starts a comment.",
  },
  publicChannels: {
    ...access,
    kind: "list",
    default: ["broadcast"],
    form: forms.toOpenGlob,
    value: "PATTERN",
    help: "Channels that everybody may hear; * is any run of characters.",
  },
  allowPublish: {
    ...access,
    kind: "list",
    default: [],
    form: forms.toOpenGlob,
    value: "PATTERN",
    help: "Channels that everybody may publish to.",
  },

  tokenSecret: {
    ...access,
    kind: "list",
    default: [],
    form: forms.toTokenSecret,
    secret: "whole",
    value: "SECRET",
    help:
      "Secret of 32 characters or more that signs tokens with HS256; of several each will do, the first makes them.",
  },
  tokenKeyFile: {
    ...access,
    kind: "list",
    default: [],
    value: "FILE",
    help: "PEM file with a public key that tokens are signed for: RSA is RS256, P-256 is ES256, Ed25519 is EdDSA.",
  },
  tokenJwks: {
    ...access,
    kind: "text",
    default: "",
    otherwise: "none",
    form: forms.toKeySetUrl,
    value: "URL",
    help: "Key set that tokens are signed for, with https; http only on loopback.",
  },
  tokenIssuer: {
    ...access,
    kind: "text",
    default: "",
    otherwise: "any",
    value: "NAME",
    help: "The `iss` that a token has to have.",
  },
  tokenAudience: {
    ...access,
    kind: "text",
    default: "",
    otherwise: "any",
    value: "NAME",
    help: "The `aud` that a token has to have.",
  },
  tokenCookie: {
    ...access,
    kind: "text",
    default: "gong-token",
    form: forms.toCookieName,
    value: "NAME",
    help: "Cookie that a token may come in, from pages of ours or of --allow-origin.",
  },

  broker: {
    ...channels,
    kind: "text",
    default: "memory:",
    form: forms.toBroker,
    value: "URL",
    help:
      "Where channels are kept: memory: is this process, sqlite:PATH a file, which outlives it, redis://HOST a Redis that many nodes share (rediss: with TLS, redis+sentinel://HOST,HOST/NAME under Sentinel, redis+cluster://HOST,HOST for a Redis Cluster).",
  },
  brokerPrefix: {
    ...channels,
    kind: "text",
    default: "gong:",
    form: forms.toKeyPrefix,
    value: "TEXT",
    help: "What all keys and channels in Redis begin with: clusters of other prefixes know nothing of each other.",
  },
  brokerCa: {
    ...channels,
    kind: "text",
    default: "",
    otherwise: "whom the system trusts",
    value: "FILE",
    help: "PEM file of those who sign the certificate of Redis, with rediss:.",
  },
  sentinelUser: {
    ...channels,
    kind: "text",
    default: "",
    form: forms.toSentinelUser,
    secret: "whole",
    value: "USER:PASSWORD",
    help:
      "User and password for Sentinels that want them, unescaped; :PASSWORD without a user. Those of Redis are in --broker.",
  },
  lease: {
    ...cluster,
    kind: "seconds",
    default: 10,
    min: 1,
    max: 600,
    help: "After how long a node that says nothing counts as gone, with its sessions.",
  },
  clusterListen: {
    ...cluster,
    kind: "text",
    default: "127.0.0.1:0",
    form: forms.toListenAddress,
    value: "HOST:PORT",
    help: "Where other nodes of the same Redis are listened to; port 0 picks a free one. It is no address for clients.",
  },
  clusterAddress: {
    ...cluster,
    kind: "text",
    default: "",
    otherwise: "where it listens",
    form: forms.toOptionalOrigin,
    value: "ORIGIN",
    help: "Where other nodes reach that, e.g. http://10.0.0.1:8999.",
  },
  brokerWait: {
    ...channels,
    kind: "seconds",
    default: 2,
    min: 0.1,
    max: 60,
    help: "How long Redis may take to answer before it counts as away and publishing is refused with 503.",
  },
  sync: {
    ...channels,
    kind: "choice",
    default: "normal",
    choices: ["normal", "full"],
    help: "What a file survives: normal the end of the process, full that of the machine too, and is slower.",
  },
  rule: {
    ...channels,
    kind: "list",
    default: [],
    form: toRule,
    value: "RULE",
    help:
      `What holds for some channels: "PATTERN [WORD] ...", of ${RULE_WORDS}; WHO is everyone, users, token or keys; ` +
      "the first that matches counts.",
  },
  historyCount: {
    ...channels,
    kind: "integer",
    default: 1000,
    max: MOST_KEPT.count,
    help: "Publications kept a channel.",
  },
  historyBytes: {
    ...channels,
    kind: "bytes",
    default: MiB,
    max: MOST_KEPT.bytes,
    help: "Bytes of history kept a channel.",
  },
  historyAge: { ...channels, kind: "seconds", default: 600, help: "How long a publication is kept." },
  historyBudget: {
    ...channels,
    kind: "bytes",
    default: 64 * MiB,
    min: MiB,
    max: 64 * GiB,
    help: "Bytes of history and of ids kept over all channels; past it idle channels are forgotten, then 503.",
  },
  maxChannels: { ...channels, kind: "integer", default: 100_000, min: 1, max: 10_000_000, help: "Channels in all." },
  queueCount: {
    ...channels,
    kind: "integer",
    default: 100_000,
    max: 10_000_000,
    help: "Messages of one queue, until they are acknowledged; past it they are refused, as past the next three.",
  },
  queueBytes: { ...channels, kind: "bytes", default: 16 * MiB, max: 64 * GiB, help: "Bytes of one queue." },
  queueBudget: { ...channels, kind: "bytes", default: 64 * MiB, max: 64 * GiB, help: "Bytes of all queues." },
  maxQueues: { ...channels, kind: "integer", default: 1000, max: 1_000_000, help: "Queues that have messages." },
  maxSubscriptions: {
    ...channels,
    kind: "integer",
    default: 100,
    min: 1,
    max: 10_000,
    help: "Channels that one session may hear.",
  },

  maxMessage: {
    ...limits,
    kind: "bytes",
    default: 65_536,
    min: 1,
    max: 16 * MiB,
    help: "Largest message; beyond it close 1009, or 413. An HTTP body may be six times that and 16 KiB.",
  },
  maxConnections: { ...limits, kind: "integer", default: 20_000, min: 1, max: 1_000_000, help: "Sessions in all." },
  maxPerAddress: {
    ...limits,
    kind: "integer",
    default: 2000,
    min: 1,
    max: 1_000_000,
    help: "Sessions from one address, or one IPv6 /64.",
  },
  messageRate: {
    ...limits,
    kind: "integer",
    default: 1000,
    min: 1,
    max: 1_000_000,
    help: "Messages a second that one session may send; twice as many in a burst.",
  },
  requestRate: {
    ...limits,
    kind: "integer",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    help: "Requests a second from one address to one isolate, handshakes and pages too; twice as many in a burst.",
  },
  apiRate: {
    ...limits,
    kind: "integer",
    default: 1000,
    min: 1,
    max: 1_000_000,
    help: "API requests a second from one address to one isolate; twice as many in a burst.",
  },
  maxSchedules: {
    ...limits,
    kind: "integer",
    default: 1000,
    max: 100_000,
    help: "Schedules in all; their data has 64 MiB at most.",
  },
  resumeRate: {
    ...limits,
    kind: "integer",
    default: 2000,
    min: 1,
    max: 1_000_000,
    help: "Pages of history a second that one isolate reads for clients that resume; the others wait.",
  },
  authFailures: {
    ...limits,
    kind: "integer",
    default: 10,
    min: 1,
    max: 1_000_000,
    help: "Wrong keys a minute from one address, before it is refused for a minute.",
  },
  bodyTimeout: {
    ...limits,
    kind: "seconds",
    default: 10,
    min: 0.001,
    help: "How long the body of a request may take; beyond it 408.",
  },
  outbox: {
    ...limits,
    kind: "bytes",
    default: MiB,
    min: 1,
    max: GiB,
    help: "What may be queued to one session; past it the session is closed as too slow.",
  },
  stuckBudget: {
    ...limits,
    kind: "bytes",
    default: 256 * MiB,
    min: MiB,
    max: 64 * GiB,
    help: "Bytes an isolate lets sockets hold that are closed but do not go; past it the isolate restarts.",
  },
  memory: {
    ...limits,
    kind: "bytes",
    default: 2 * GiB,
    min: 1,
    max: 1024 * GiB,
    help: "Resident memory above which new sessions are refused, then the largest queues closed.",
  },
  busLag: {
    ...limits,
    kind: "bytes",
    default: 16 * MiB,
    min: 1,
    max: GiB,
    help: "Bytes the slowest isolate may lag before publishing waits.",
  },
  busRing: {
    ...limits,
    kind: "bytes",
    default: 16 * MiB,
    max: GiB,
    help: "Bytes of batches kept to be repeated to an isolate that missed some.",
  },
  busDrop: {
    ...limits,
    kind: "integer",
    default: 0,
    max: 100,
    help: "Percent of the batches lost on purpose, to see them repeated: for tests.",
  },
  publishWait: {
    ...limits,
    kind: "seconds",
    default: 5,
    help: "How long a publication waits for a lagging isolate before it is refused with 503.",
  },

  eio3: {
    ...socketIo,
    kind: "boolean",
    default: false,
    help: "Speaks Engine.IO 3 too, for clients of Socket.IO 2.",
  },
  pingTimeout: {
    ...socketIo,
    kind: "seconds",
    default: 20,
    min: 0.1,
    help: "How long a ping of Engine.IO may go unanswered.",
  },
  connectTimeout: {
    ...socketIo,
    kind: "seconds",
    default: 45,
    min: 0.1,
    help: "How long a client may take to connect to a namespace.",
  },
  recovery: {
    ...socketIo,
    kind: "seconds",
    default: 120,
    max: 86_400,
    help: "How long after its connection is gone a client may come back to where it was; 0 is not at all.",
  },
  eventJoin: {
    ...socketIo,
    kind: "text",
    default: "join",
    form: forms.toEventName,
    value: "NAME",
    help: "Event that puts a socket into a room; empty: none does.",
  },
  eventLeave: {
    ...socketIo,
    kind: "text",
    default: "leave",
    form: forms.toEventName,
    value: "NAME",
    help: "Event that takes it out of a room; empty: none does.",
  },
  eventTo: {
    ...socketIo,
    kind: "text",
    default: "to",
    form: forms.toEventName,
    value: "NAME",
    help: "Event that is published to a room; empty: none is.",
  },

  ping: {
    ...running,
    kind: "seconds",
    default: 25,
    min: 0.1,
    help: "Time between pings of a silent client; after as long again without an answer it is gone.",
  },
  maxStreamAge: {
    ...running,
    kind: "seconds",
    default: 3600,
    min: 1,
    help: "How long an answer of /sse, /stream or /iframe lasts at most; the client goes on with another.",
  },
  drain: {
    ...running,
    kind: "seconds",
    default: 10,
    help: "How long shutdown takes at most: over half of it clients are let go, the rest is for what is queued.",
  },
  hang: {
    ...running,
    kind: "seconds",
    default: 10,
    // Isolates are asked once a second, and a collection of garbage is no hang.
    min: 5,
    help: "How long an isolate may be silent before the process ends itself.",
  },
  adminSession: { ...running, kind: "seconds", default: 43_200, min: 1, help: "How long a login to /admin lasts." },
  logLevel: {
    ...running,
    kind: "choice",
    default: "info",
    choices: ["debug", "info", "warning", "error"],
    help: "Least grave events that are logged.",
  },
  logFormat: {
    ...running,
    kind: "choice",
    default: "auto",
    choices: ["auto", "pretty", "json"],
    help: "How they are written; auto is pretty on a terminal and JSON lines otherwise.",
  },
};

/** Every setting, in the order in which it is shown. */
export const OPTIONS: readonly Option[] = Object.entries(ROWS).map(([key, row]) => ({
  ...row,
  key: key as keyof Config,
  flag: key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  env: `GONG_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
}));

/** The flag that names the file; also as {@linkcode CONFIG_VARIABLE}. */
export const CONFIG_FLAG = "config";
export const CONFIG_VARIABLE = "GONG_CONFIG";
