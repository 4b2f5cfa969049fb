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
  /** `json`: the lines of the JSON door; `plain`: a frame is a message. */
  readonly format: "plain" | "json";
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
};

/** Subscribers that are worth an isolate of their own. */
const PER_WORKER = 50;

/** How many isolates hold so many subscribers when nobody says. */
export function defaultWorkers(subscribers: number): number {
  return Math.max(1, Math.min(navigator.hardwareConcurrency, Math.floor(subscribers / PER_WORKER)));
}

/** Where a subscriber connects: with the channel, if there is one, and `format=json` where it is meant. */
export function subscriberUrl({ url, format, channel }: LoadOptions): URL {
  const target = new URL(url);
  if (format === "json") {
    target.searchParams.set("format", "json");
    target.searchParams.set("channel", channelOf({ channel }));
  } else if (channel !== "") {
    target.searchParams.set("channel", channel);
  }
  return target;
}

/** Where a publisher connects: the JSON door needs no channel to publish to one, and hears nothing without. */
export function publisherUrl(options: LoadOptions): URL {
  const target = subscriberUrl(options);
  if (options.format === "json") target.searchParams.delete("channel");
  return target;
}

/** What stands around a message when it is published. */
export function envelopeOf({ format, channel }: LoadOptions): { before: string; after: string } {
  if (format === "plain") return { before: "", after: "" };
  return { before: `{"publish":{"channel":${JSON.stringify(channelOf({ channel }))},"data":"`, after: '"}}' };
}

function channelOf({ channel }: { channel: string }): string {
  return channel === "" ? "broadcast" : channel;
}
