import { setTimeout as delay } from "node:timers/promises";
import type { Position } from "../../lib/types.ts";
import { DoorClient } from "../support/doors/door_client.ts";
import { type OpenWire, parseCursor } from "../support/doors/wire.ts";
import type { Gong } from "../support/gong.ts";
import { until } from "../support/until.ts";
import type { Following } from "./follower.ts";

/** Hears a channel over any door that tells positions, and resumes where it was for as long as it takes. */
export class DoorFollower implements Following {
  readonly channel: string;
  connections = 0;
  deliveries = 0;
  begun = 0;
  readonly #open: OpenWire;
  readonly #pick: () => Gong;
  #position: Position | undefined;
  #client: DoorClient | undefined;
  #isClosed = false;
  #failure: Error | undefined;

  /** @param pick where it connects, each time */
  constructor(open: OpenWire, pick: () => Gong, channel: string) {
    this.#open = open;
    this.#pick = pick;
    this.channel = channel;
    this.#follow().catch((error) => this.#failure = error);
  }

  isUp(): Promise<void> {
    return this.#until(() => this.#position !== undefined);
  }

  reaches(offset: number): Promise<void> {
    return this.#until(() => this.#position?.offset === offset);
  }

  close(): void {
    this.#isClosed = true;
    this.#client?.drop();
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      const since = this.#position && `${this.channel}@${this.#position.epoch}:${this.#position.offset}`;
      const client = await DoorClient.open(this.#open, this.#pick(), { channels: [this.channel], since })
        .catch(() => undefined);
      // Nobody there, or none who can for the moment.
      if (!client) {
        await delay(50);
        continue;
      }
      this.#client = client;
      if (this.#isClosed) client.drop();
      this.connections++;
      if (!this.#position) {
        this.#position = parseCursor(client.cursor!).get(this.channel)!;
        this.begun = this.#position.offset;
      }
      await this.#hear(client);
      if (!client.recovered) throw new Error(`${this.channel}: ${since} was not recovered`);
      await client[Symbol.asyncDispose]();
    }
  }

  /** Until the connection ends. */
  async #hear(client: DoorClient): Promise<void> {
    for (;;) {
      const heard = await client.next().catch(() => undefined);
      if (!heard) return;
      const { epoch, offset } = this.#position!;
      if (heard.position?.epoch !== epoch || heard.position.offset !== offset + 1) {
        throw new Error(`each offset once: ${JSON.stringify(heard.position)} comes after ${epoch}:${offset}`);
      }
      this.#position = heard.position;
      this.deliveries++;
    }
  }

  #until(isSo: () => boolean): Promise<void> {
    const look = () => {
      if (this.#failure) throw this.#failure;
      return isSo();
    };
    return until(look, () => `${this.channel} stands at ${this.#position?.offset}`, 60_000);
  }
}
