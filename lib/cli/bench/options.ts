/** How a server can be spoken to: `wires/` has what each is. */
export const FORMATS = ["plain", "json", "stomp", "socketio"] as const;

export type Format = typeof FORMATS[number];

/** What a load is. Plain data, so that it crosses isolates. Sizes are bytes, durations seconds. */
export interface LoadOptions {
  /** A `ws:` or `wss:` URL. */
  readonly url: string;
  /** Connections that listen. */
  readonly subscribers: number;
  /** Connections that publish; 0: the subscribers are only held open. */
  readonly publishers: number;
  /** Messages a second over all publishers; 0: as fast as each one's socket takes them. */
  readonly rate: number;
  /** Messages over all publishers; 0: as many as `duration` allows. */
  readonly count: number;
  /** How long to publish, or to hold the connections when nobody publishes. */
  readonly duration: number;
  /** Of one message, at least 42. */
  readonly size: number;
  readonly format: Format;
  /** Channel published to; empty: the server's default one. */
  readonly channel: string;
  /** Isolates that hold the subscribers; one more publishes. */
  readonly workers: number;
  /** Sent with every handshake; empty: none. */
  readonly apiKey: string;
  /** PEM texts of further authorities for `wss:`. */
  readonly caCerts: readonly string[];
  /** What has not arrived when nothing arrived for so long is lost. */
  readonly settle: number;
  /** Of STOMP: each subscriber has an id of subscription of its own, not all the one that client libraries begin with. */
  readonly distinctIds: boolean;
}

/** What is used where nothing is said. */
export const LOAD_DEFAULTS: Omit<LoadOptions, "url" | "workers"> = {
  subscribers: 100,
  publishers: 1,
  rate: 100,
  count: 0,
  duration: 10,
  size: 128,
  format: "plain",
  channel: "",
  apiKey: "",
  caCerts: [],
  settle: 5,
  distinctIds: false,
};

/** Subscribers that are worth an isolate of their own. */
const PER_WORKER = 50;

/** How many isolates hold so many subscribers when nobody says. */
export function defaultWorkers(subscribers: number): number {
  return Math.max(1, Math.min(navigator.hardwareConcurrency, Math.floor(subscribers / PER_WORKER)));
}
