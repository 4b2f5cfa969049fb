/**
 * Under which keys Redis has what.
 *
 * @module
 */

/** Where a channel is. All of it is of one slot of a cluster, by its name in braces. */
export class ChannelKeys {
  /** The hash that numbers it, its history, and where it is announced. */
  readonly hash: string;
  readonly stream: string;
  readonly announced: string;

  /** @param prefix what all keys begin with; without braces, as names of channels are */
  constructor(prefix: string, channel: string) {
    this.announced = `${prefix}{${channel}}`;
    this.hash = `${this.announced}:m`;
    this.stream = `${this.announced}:s`;
  }

  /** Where an id is remembered; different for different pairs, whatever is in them. */
  id(publisher: string, id: string): string {
    return `${this.announced}:i:${publisher.length}:${publisher}${id}`;
  }
}
