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

/** One batch. Its channels have numbers there, from 0, in the order in which they come. */
export class Packing {
  readonly publications: readonly Publication[];
  /** By the number of a channel, the places of its publications. */
  readonly #places: readonly (readonly number[])[];
  /** One cache a way of encoding. */
  readonly #encoded = new Map<Codec["encode"], Data[]>();
  readonly #parcels = new Map<string, Parcel>();

  constructor(publications: readonly Publication[], places: readonly (readonly number[])[]) {
    this.publications = publications;
    this.#places = places;
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
    const key = `${codec.name} ${channels.join()}`;
    let parcel = this.#parcels.get(key);
    if (!parcel) {
      const frames = this.placesOf(channels).map((place) => this.encode(place, codec));
      this.#parcels.set(key, parcel = packFrames(frames, codec));
    }
    return parcel;
  }
}

/** Frames as one parcel: one frame where the codec allows it. */
export function packFrames(frames: readonly Data[], codec: Codec): Parcel {
  const count = frames.length;
  const joined = count > 0 && codec.pack
    ? [codec.pack(frames)]
    : codec.separator === undefined || count < 2
    ? frames
    : [frames.join(codec.separator)];
  return { frames: joined, bytes: joined.map(byteLength), count };
}
