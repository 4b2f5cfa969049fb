/**
 * The nodes that share a Redis.
 *
 * @module
 */
import type { Member, Membership } from "../../types.ts";
import type { RedisConnection } from "./connection.ts";
import type { Reply } from "./server.ts";

/** Numbers of nodes begin anywhere below it. */
const FIRST = 2 ** 24;

/** Leases that Redis keeps, by its own time. */
export class RedisMembership implements Membership {
  readonly #connection: Pick<RedisConnection, "call" | "prefix">;
  readonly #onFault: (error: unknown) => void;

  constructor(connection: Pick<RedisConnection, "call" | "prefix">, onFault: (error: unknown) => void) {
    this.#connection = connection;
    this.#onFault = onFault;
  }

  async join(member: Omit<Member, "node">, seconds: number): Promise<number> {
    const [chance] = crypto.getRandomValues(new Uint32Array(1));
    const first = String(chance! % FIRST);
    return Number(await this.#call("join", [JSON.stringify(member), toMilliseconds(seconds), first]));
  }

  async renew({ node, ...member }: Member, seconds: number): Promise<{ members: Member[]; wasOver: boolean }> {
    const args = [String(node), JSON.stringify(member), toMilliseconds(seconds)];
    const [wasOver, ...pairs] = await this.#call("renew", args) as readonly Reply[];
    const members: Member[] = [];
    for (let index = 0; index < pairs.length; index += 2) {
      const member = this.#read(Number(pairs[index]), String(pairs[index + 1]));
      if (member) members.push(member);
    }
    return { members: members.sort((one, other) => one.node - other.node), wasOver: wasOver === 1 };
  }

  async leave(node: number): Promise<void> {
    await this.#call("leave", [String(node)]);
  }

  #call(name: string, args: readonly string[]): Promise<Reply> {
    const nodes = `${this.#connection.prefix}{$nodes}`;
    return this.#connection.call(name, [nodes, `${nodes}:i`, `${nodes}:n`], args);
  }

  /** What a node says of itself; a later release may say more. */
  #read(node: number, text: string): Member | undefined {
    try {
      const { address, version, run } = JSON.parse(text);
      if ([address, version, run].every((field) => typeof field === "string")) return { node, address, version, run };
      throw new TypeError(`node ${node} does not say who it is`);
    } catch (error) {
      this.#onFault(error);
      return undefined;
    }
  }
}

function toMilliseconds(seconds: number): string {
  return String(Math.ceil(seconds * 1000));
}
