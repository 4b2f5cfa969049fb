/**
 * Clients of the JSON door on the stage that say something to each other.
 *
 * @module
 */
import type { Grant } from "../../lib/auth.ts";
import { compileGlobs } from "../../lib/globs.ts";
import { type Client, type ConnectOptions, Stage } from "./stage.ts";

/** A user who may publish to channels of these patterns. */
export function user(id: string, ...publish: string[]): Grant {
  return {
    name: `user:${id}`,
    scopes: [],
    user: { id, subscribe: () => false, publish: compileGlobs(publish) },
  };
}

let asked = 0;

/** Gives a command and returns what it is answered. */
// deno-lint-ignore no-explicit-any
export async function command({ socket }: Client, line: Record<string, unknown>): Promise<any> {
  const id = `m${++asked}`;
  socket.say(JSON.stringify({ id, ...line }));
  const { id: _, ...answer } = await socket.answer(id);
  return answer;
}

/** The next signal of a client beyond those that it has. */
// deno-lint-ignore no-explicit-any
export async function nextSignal({ socket }: Client, before = 0): Promise<any> {
  await socket.until(() => socket.ofType("signal").length > before);
  return socket.ofType("signal")[before];
}

/** Clients that hear `a`, on two edges by turns. */
export async function stageOf(
  count: number,
  options: ConnectOptions[] = [],
): Promise<{ stage: Stage; clients: Client[] }> {
  const stage = new Stage({ edges: 2 });
  const clients = Array.from({ length: count }, (_, n) => {
    return stage.edges[n % 2]!.connect({ channels: ["a"], ...options[n] });
  });
  await Promise.all(clients.map(({ socket }) => socket.subscribed()));
  return { stage, clients };
}
