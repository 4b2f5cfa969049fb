/**
 * What nodes leave behind, in Redis.
 *
 * @module
 */
import type { Keepsake, Keepsakes } from "../../types.ts";
import type { RedisConnection } from "./connection.ts";

/** Those that go at once. */
const MOST_AT_ONCE = 500;

/** All of them, of one slot. */
export class RedisKeepsakes implements Keepsakes {
  readonly #connection: Pick<RedisConnection, "call" | "prefix">;

  constructor(connection: Pick<RedisConnection, "call" | "prefix">) {
    this.#connection = connection;
  }

  async keep(keepsakes: readonly Keepsake[]): Promise<void> {
    const failures: unknown[] = [];
    for (let at = 0; at < keepsakes.length; at += MOST_AT_ONCE) {
      await this.#keepSome(keepsakes.slice(at, at + MOST_AT_ONCE)).catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  async #keepSome(keepsakes: readonly Keepsake[]): Promise<void> {
    const args = keepsakes.flatMap(({ value, seconds }) => [value, String(Math.ceil(seconds * 1000))]);
    await this.#connection.call("keepsake", keepsakes.map(({ key }) => this.#keyOf(key)), args);
  }

  async take(key: string): Promise<string | undefined> {
    const value = await this.#connection.call("heir", [this.#keyOf(key)], []);
    return value === null ? undefined : String(value);
  }

  #keyOf(key: string): string {
    return `${this.#connection.prefix}{$keepsakes}:${key}`;
  }
}
