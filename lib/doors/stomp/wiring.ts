/**
 * The subscriptions of a connection as a codec: publications are encoded once for a version, and what names the
 * subscription is put in front. Connections that have subscribed alike have codecs of the same name, and share all of it.
 *
 * @module
 */
import { encodeMessageHead, encodeMessageRest, joinMessage } from "../../codecs/stomp/message.ts";
import type { StompVersion } from "../../codecs/stomp.ts";
import type { Codec } from "../../door.ts";
import { userOf } from "../../reserved.ts";
import type { Data, Publication } from "../../types.ts";

/** How one subscription gets what its channel brings. */
export interface Route {
  readonly channel: string;
  /** Only publications with this event. */
  readonly event?: string | undefined;
  /** By `encodeMessageHead`. */
  readonly head: string;
}

/** One a version, so that what it has encoded is shared. */
const ENCODE: Readonly<Record<StompVersion, Codec["encode"]>> = {
  "1.0": (publication) => encodeMessageRest("1.0", publication),
  "1.1": (publication) => encodeMessageRest("1.1", publication),
  "1.2": (publication) => encodeMessageRest("1.2", publication),
};

/** What else a {@linkcode Wiring} may know. */
export interface WiringOptions {
  /** Channels to which there are subscriptions that may not be in force yet. */
  readonly pending?: Iterable<string>;
  /** Each frame has a message of its own. */
  readonly isSplit?: boolean;
}

/** All subscriptions of a connection that are in force. */
export class Wiring implements Codec {
  readonly name: string;
  readonly isSplit: boolean;
  readonly separator: string | undefined;
  readonly encode: Codec["encode"];
  readonly #version: StompVersion;
  readonly #routes: ReadonlyMap<string, readonly Route[]>;

  constructor(version: StompVersion, routes: Iterable<Route>, options: WiringOptions = {}) {
    const { pending = [], isSplit = false } = options;
    this.#version = version;
    this.isSplit = isSplit;
    this.separator = isSplit ? undefined : "";
    this.encode = ENCODE[version];
    const byChannel = new Map<string, Route[]>();
    for (const channel of pending) byChannel.set(channel, []);
    for (const route of routes) {
      const known = byChannel.get(route.channel);
      if (known) known.push(route);
      else byChannel.set(route.channel, [route]);
    }
    this.#routes = byChannel;
    const shared = [...byChannel].filter(([channel]) => userOf(channel) === undefined).sort(inOrder);
    this.name = `stomp ${version}${isSplit ? " split" : ""} ${
      shared.map(([channel, of]) => `${channel} ${of.map(({ head }) => head)}`)
    }`;
  }

  address(encoded: Data, { channel, event }: Publication): Iterable<Data> {
    const routes = this.#routes.get(channel);
    // Most have one.
    if (routes?.length === 1 && routes[0]!.event === undefined) return [joinMessage(routes[0]!.head, encoded)];
    if (routes) return this.#addressAll(encoded, routes, event);
    return userOf(channel) === undefined ? [joinMessage(this.#unasked(channel), encoded)] : [];
  }

  *#addressAll(encoded: Data, routes: readonly Route[], event: string | undefined): Generator<Data> {
    for (const route of routes) {
      if (route.event === undefined || route.event === event) yield joinMessage(route.head, encoded);
    }
  }

  /** Of a channel that the operator has it hear. */
  #unasked(channel: string): string {
    const destination = `/topic/${channel}`;
    return encodeMessageHead(this.#version, { subscription: destination, destination });
  }
}

function inOrder([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
