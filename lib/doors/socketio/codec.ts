/**
 * Publications as events of Socket.IO: encoded once for all who hear the channel in its own namespace.
 *
 * @module
 */
import { appendArgument, attachmentsOf, channelOf, encodePublication, placeOf } from "../../codecs/socketio.ts";
import type { Codec } from "../../door.ts";
import type { EngineProtocol } from "../../engineio/orders.ts";
import type { Data, Publication } from "../../types.ts";

/**
 * The last argument of each event: none; the signed cursor; or an empty text, of a session whose cursor has no room for
 * all that it hears. A client keeps the last text of any event as its place, so it must not be one of somebody else's.
 */
export type OffsetKind = "none" | "signed" | "empty";

/** What decides how publications look. */
export interface CodecKind {
  readonly protocol: EngineProtocol;
  readonly offsets: OffsetKind;
  /** Of the session, in the order of connecting: what is of none of them comes in the first. */
  readonly namespaces: readonly string[];
}

/** Codecs that are kept to be found again; of one that is not, there are several for a while. */
const MOST = 1000;

/** All codecs of an edge: most sessions share one. */
export class Codecs {
  readonly #sign: (cursor: string) => string;
  readonly #known = new Map<string, Codec>();

  constructor(sign: (cursor: string) => string) {
    this.#sign = sign;
  }

  get({ protocol, offsets, namespaces }: CodecKind): Codec {
    // A channel's name has no space, that of a namespace may.
    const [home, ...others] = namespaces.map((namespace) => channelOf(namespace)!);
    if (home === undefined) return SILENT;
    const name = ["socketio", protocol, offsets, home, ...others.sort()].join(" ");
    let codec = this.#known.get(name);
    if (!codec) {
      if (this.#known.size >= MOST) this.#known.clear();
      codec = new EventCodec(name, { protocol, offsets, namespaces }, this.#sign);
      this.#known.set(name, codec);
    }
    return codec;
  }
}

/** For sessions with these namespaces. */
class EventCodec implements Codec {
  readonly name: string;
  readonly encode: (publication: Publication) => string;
  readonly stamp?: (encoded: Data, cursor: string) => Data;
  readonly #protocol: EngineProtocol;
  readonly #home: string;
  /** Channels of the namespaces, and what those of their rooms begin with. */
  readonly #places: readonly { readonly channel: string; readonly rooms: string }[];

  constructor(name: string, { protocol, offsets, namespaces }: CodecKind, sign: (cursor: string) => string) {
    this.name = name;
    this.#protocol = protocol;
    this.#home = namespaces[0]!;
    this.#places = namespaces.map((namespace) => {
      const channel = channelOf(namespace)!;
      return { channel, rooms: `${channel}/` };
    });
    this.encode = offsets === "empty" ? encodeEmpty : encode;
    if (offsets === "signed") {
      // Attachments have no arguments.
      this.stamp = (encoded, cursor) => typeof encoded === "string" ? appendArgument(encoded, sign(cursor)) : encoded;
    }
  }

  address(encoded: Data, publication: Publication): readonly Data[] {
    const frame = encoded !== "" && this.#hears(publication.channel) ? encoded : this.#encodeAtHome(publication);
    const attachments = attachmentsOf(publication, this.#protocol);
    return attachments.length === 0 ? [frame] : [frame, ...attachments];
  }

  /** Whether the channel is of one of the namespaces. */
  #hears(channel: string): boolean {
    for (const place of this.#places) if (channel === place.channel || channel.startsWith(place.rooms)) return true;
    return false;
  }

  #encodeAtHome(publication: Publication): string {
    const frame = encodePublication(publication, this.#home);
    return this.encode === encodeEmpty ? appendArgument(frame, "") : frame;
  }
}

/** As an event of the namespace that has the channel; empty when none has. */
function encode(publication: Publication): string {
  const place = placeOf(publication.channel);
  return place ? encodePublication(publication, place.namespace) : "";
}

function encodeEmpty(publication: Publication): string {
  const frame = encode(publication);
  return frame === "" ? frame : appendArgument(frame, "");
}

/** Of a connection without a namespace. */
export const SILENT: Codec = { name: "socketio", encode: () => "", address: () => [] };
