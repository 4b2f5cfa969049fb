/**
 * What one batch of the bus brings, as the codecs have it: encoded once a way of encoding, packed once for all who get the
 * same of it.
 *
 * @module
 */
import type { Parcel } from "../audience.ts";
import { byteLength } from "../bytes.ts";
import type { Codec } from "../door.ts";
import type { Data, Publication } from "../types.ts";

/** What a publication is with the cursor as of it: one frame, or what its address makes of it. */
export type Stamped = Data | readonly Data[];

/** What is packed for who hears channels by subscriptions of its own. */
export interface Addressed {
  /** Those that were encoded. */
  readonly publications: readonly Publication[];
  /** Bytes that can be queued to anybody: what is more is not made. Default without a bound. */
  readonly most?: number;
}

/** One batch. Its channels have numbers there, from 0, in the order in which they come. */
export class Packing {
  readonly publications: readonly Publication[];
  /** By the number of a channel, the places of its publications. */
  readonly #places: readonly (readonly number[])[];
  /** One cache a way of encoding. */
  readonly #encoded = new Map<Codec["encode"], Data[]>();
  readonly #parcels = new Map<string, Parcel>();
  readonly #most: number;

  /** @param most bytes that can be queued to anybody */
  constructor(publications: readonly Publication[], places: readonly (readonly number[])[], most: number) {
    this.publications = publications;
    this.#places = places;
    this.#most = most;
  }

  /** The places of what these channels, by their numbers, have in the batch; in its order. */
  placesOf(channels: readonly number[]): readonly number[] {
    if (channels.length === 1) return this.#places[channels[0]!]!;
    return channels.flatMap((channel) => this.#places[channel]!).sort((a, b) => a - b);
  }

  encode(place: number, { encode }: Codec): Data {
    let cache = this.#encoded.get(encode);
    if (!cache) this.#encoded.set(encode, cache = []);
    return cache[place] ??= encode(this.publications[place]!);
  }

  /** What these channels have in the batch: one parcel for all who get that. */
  parcel(channels: readonly number[], codec: Codec): Parcel {
    // Who has the same subscriptions hears the same channels, and is asked for together.
    if (codec.address) return this.pack(this.placesOf(channels), codec);
    const key = `${codec.name} ${channels.join()}`;
    let parcel = this.#parcels.get(key);
    if (!parcel) {
      parcel = this.pack(this.placesOf(channels), codec);
      this.#parcels.set(key, parcel);
    }
    return parcel;
  }

  /** A parcel of what has these places. */
  pack(places: readonly number[], codec: Codec): Parcel {
    const publications = codec.address ? places.map((place) => this.publications[place]!) : [];
    return packFrames(places.map((place) => this.encode(place, codec)), codec, { publications, most: this.#most });
  }
}

/**
 * What was encoded as one parcel, with as few frames as the codec allows.
 *
 * @param addressed for codecs that address what they have encoded
 */
export function packFrames(encoded: readonly Data[], codec: Codec, addressed?: Addressed): Parcel {
  const frames = codec.address && addressed ? addressAll(encoded, codec, addressed) : encoded;
  if (frames === undefined) return { ...TOO_MUCH, count: encoded.length };
  const joined = frames.length < 2 && !codec.pack ? frames : join(frames, codec);
  return { frames: joined, bytes: joined.map(byteLength), count: encoded.length };
}

/**
 * What was encoded, with the cursor of who hears it; of a codec that addresses it each frame of it.
 *
 * @param cursor as of this publication
 */
export function stampOne(encoded: Data, publication: Publication, codec: Codec, cursor: string): Stamped {
  if (!codec.address) return codec.stamp!(encoded, cursor);
  return Array.from(codec.address(encoded, publication), (frame) => codec.stamp!(frame, cursor));
}

/** What was stamped as one parcel. */
export function packStamped(stamped: readonly Stamped[], codec: Codec): Parcel {
  if (!codec.address) return packFrames(stamped as readonly Data[], codec);
  return { ...packFrames(stamped.flat(), codec), count: stamped.length };
}

/** What nobody takes: whoever is handed it is too slow for it. */
const TOO_MUCH: Pick<Parcel, "frames" | "bytes"> = { frames: [""], bytes: [Infinity] };

/**
 * A frame for each subscription; undefined as soon as they are too much for anybody. Somebody may have thousands to one
 * channel, and a batch many publications: their product would be gigabytes.
 */
function addressAll(
  encoded: readonly Data[],
  codec: Codec,
  { publications, most = Infinity }: Addressed,
): Data[] | undefined {
  const frames: Data[] = [];
  let least = 0;
  for (let index = 0; index < encoded.length; index++) {
    for (const frame of codec.address!(encoded[index]!, publications[index]!)) {
      // A text has at least as many bytes as characters.
      least += frame.length;
      if (least > most) return undefined;
      frames.push(frame);
    }
  }
  return frames;
}

function join(frames: readonly Data[], { pack, separator }: Codec): readonly Data[] {
  if (pack) return frames.length === 0 ? frames : [pack(frames)];
  if (separator === undefined) return frames;
  const joined: Data[] = [];
  for (let start = 0, end = 0; start < frames.length; start = end) {
    while (typeof frames[end] === "string") end++;
    // Bytes stay by themselves.
    if (end > start) joined.push(frames.slice(start, end).join(separator));
    else joined.push(frames[end++]!);
  }
  return joined;
}
