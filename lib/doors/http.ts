/**
 * What the doors over plain HTTP share: what a request has to pass, and how it becomes a session.
 *
 * @module
 */
import type { Grant } from "../auth.ts";
import type { Carrier } from "../carrier.ts";
import { MAX_CURSOR } from "../codecs/cursor.ts";
import type { Door } from "../door.ts";
import { GongError } from "../errors.ts";
import type { Session } from "../session.ts";
import { ResponseStream } from "../stream.ts";
import { beginSession, type DoorOptions, userAgentOf } from "./begin.ts";
import { userChannel } from "../reserved.ts";
import { grantWish, readWish, type Wish } from "./query.ts";

/** What an answer has whatever the door. Proxies that know the last one do not gather it. */
const HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-accel-buffering": "no",
});
export const METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];
/** Streams end at this part of their age at the soonest, so that those that began together do not come back together. */
const YOUNGEST = 0.9;

/** Who asks, and how it will go. */
export interface Peer {
  readonly address: string;
  /** Settled when the answer was sent to its end, or cannot be. Whoever asks has to handle its rejection. */
  completed(): Promise<void>;
}

/** A door over plain HTTP. */
export interface HttpDoor {
  /** Parameters of its query, beside those that all have. */
  readonly parameters: readonly string[];
  /** A cursor that the request brings elsewhere than in its query. */
  since?(request: Request): string | undefined;
  /**
   * Answers a request that may hear what it asks for.
   *
   * @throws {GongError} what is wrong with the door's own parameters
   */
  open(call: HttpCall): Response | Promise<Response>;
}

/** One request, and what a door may make of it. */
export class HttpCall {
  readonly query: URLSearchParams;

  constructor(
    readonly request: Request,
    readonly url: URL,
    readonly wish: Wish,
    readonly options: DoorOptions,
    readonly grant: Grant | undefined,
    readonly peer: Peer,
  ) {
    this.query = url.searchParams;
  }

  /** Foreign origins whose pages may have this. */
  get origins(): readonly string[] {
    return this.options.auth.foreignOrigins;
  }

  /** Answers only what is asked of a HEAD. */
  get isHead(): boolean {
    return this.request.method === "HEAD";
  }

  /** The channel of the user who asks, unless it is asked for by its name. */
  get inbox(): string | undefined {
    const { user } = this.grant ?? {};
    const channel = user && userChannel(user.id);
    return channel === undefined || this.query.getAll("channel").includes(channel) ? undefined : channel;
  }

  /** The same, but for a channel. */
  without(channel: string): HttpCall {
    const { request, url, wish, options, grant, peer } = this;
    const starts = new Map(wish.starts);
    starts.delete(channel);
    const channels = wish.channels.filter((name) => name !== channel);
    return new HttpCall(request, url, { ...wish, channels, starts }, options, grant, peer);
  }

  /** Begins a session. Whoever calls it opens the carrier. */
  begin(door: Door, carrier: Carrier): Session {
    const { request, wish, grant, peer: { address } } = this;
    const userAgent = userAgentOf(request);
    return beginSession(this.options.edge, { userAgent, wish, door, carrier, address, grant });
  }

  /** Answers with a session that goes on until the client leaves, or the stream is old. */
  stream(door: Door, headers: Readonly<Record<string, string>>, preamble = ""): Response {
    const init = { headers: { ...HEADERS, ...headers } };
    if (this.isHead) return new Response(headBody(), init);
    const carrier = new ResponseStream();
    const session = this.begin(door, carrier);
    const age = this.options.config.maxStreamAge * (YOUNGEST + Math.random() * (1 - YOUNGEST));
    const timer = setTimeout(() => session.close("too_old"), age * 1000);
    carrier.open(preamble, this.peer.completed().finally(() => clearTimeout(timer)));
    return new Response(carrier.body, init);
  }

  /** An answer of JSON that nobody keeps. */
  json(body: BodyInit | null, init: { status?: number; headers?: Readonly<Record<string, string>> } = {}): Response {
    const type = { "content-type": "application/json" };
    const headers = { ...HEADERS, ...body === null ? {} : type, ...init.headers };
    return new Response(body, { ...init, headers });
  }
}

/**
 * The body of an answer to HEAD whose length nobody knows: without one Deno says that it is 0, which RFC 9110 section 8.6
 * forbids where GET has more.
 */
export function headBody(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from<Uint8Array<ArrayBuffer>>([]);
}

/**
 * Answers a request to a door over plain HTTP.
 *
 * @throws {GongError} any refusal
 */
export async function answer(
  door: HttpDoor,
  request: Request,
  url: URL,
  peer: Peer,
  options: DoorOptions,
): Promise<Response> {
  const { config, edge, auth } = options;
  auth.checkOrigin(request, url);
  if (request.method === "OPTIONS") {
    return new Response(null, { status: 204, headers: { ...HEADERS, allow: METHODS.join(", ") } });
  }
  if (!METHODS.includes(request.method)) throw new GongError("method_not_allowed");
  const grant = await auth.identify(request, url, peer.address);
  const asked = readWish(url, { parameters: door.parameters, since: door.since?.(request) });
  const wish = grantWish(auth, grant, asked, { most: config.maxSubscriptions, all: MAX_CURSOR });
  if (wish.channels.length === 0) {
    throw new GongError("bad_request", "`channel` has to name what is to be heard.", { field: "channel" });
  }
  edge.checkRoom(peer.address);
  return await door.open(new HttpCall(request, url, wish, options, grant, peer));
}
