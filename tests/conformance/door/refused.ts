/**
 * How a door says no, and what of it is counted.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { ask } from "../../support/doors/http.ts";
import { CommandRefused, Refused, type Wish } from "../../support/doors/wire.ts";
import type { Gong } from "../../support/gong.ts";
import type { Context } from "./case.ts";
import { KEYS } from "./servers.ts";

/** A refusal in the words of its wire. */
export type Said =
  | { readonly status: number; readonly code?: string }
  | { readonly close: number }
  | { readonly answer: string };

/** What is refused with this code of `errors.ts`, and when. */
export interface Refusal {
  readonly code: "bad_request" | "unauthorized" | "forbidden" | "conflict";
  /**
   * `handshake`: by everything that is known then. `token`: it takes a look into the token, which is behind the handshake of
   * a WebSocket. `channel`: it is the channel that is refused; one that is asked for by a command is refused by an answer.
   */
  readonly by: "handshake" | "token" | "channel";
  /** Whether the client has come with a token that is accepted. */
  readonly isUser?: boolean;
}

const STATUS = { bad_request: 400, unauthorized: 401, forbidden: 403, conflict: 409 } as const;

/** What the door has to say. */
function expected({ features: { refusals } }: Context, { code, by, isUser = false }: Refusal): Said {
  const status = STATUS[code];
  if (refusals === "problem") return { status, code };
  if (by === "token") return { close: 4000 + status };
  if (by === "handshake") return { status };
  if (refusals === "late") return { answer: code };
  return isUser || refusals === "ending" ? { close: 4000 + status } : { status };
}

/** What the door says to somebody whom it does not let in, or not for long. */
async function said(context: Context, gong: Gong, wish: Wish): Promise<Said> {
  try {
    const client = await DoorClient.open(context.open, gong, wish);
    try {
      return (await client.end()) as Said;
    } finally {
      client.drop();
    }
  } catch (error) {
    return readRefusal(error);
  }
}

/** @throws anything that is no refusal */
export function readRefusal(error: unknown): Said {
  if (error instanceof CommandRefused) return { answer: error.code };
  if (!(error instanceof Refused)) throw error;
  assertEquals(error.headers.get("cache-control"), "no-store");
  if (!error.problem) {
    // What Engine.IO has for it is JSON.
    assertMatch(error.contentType, /^text\/plain|^application\/json$/);
    return { status: error.status };
  }
  const { status, code } = error.problem;
  assertEquals(status, error.status);
  return { status: error.status, code: code! };
}

/** That the door does not do it, says so in its own form, and counts that once. */
export async function isRefused(
  context: Context,
  gong: Gong,
  wish: Wish,
  { check, ...refusal }: Refusal & { readonly check?: string },
): Promise<void> {
  const title = JSON.stringify({ ...refusal, ...wish });
  const counted = await counting(context, gong, async () => {
    try {
      assertEquals(await said(context, gong, wish), expected(context, refusal), title);
    } catch (cause) {
      throw new Error(title, { cause });
    }
  });
  const tokens = check === undefined ? {} : { [`token ${check}`]: 1 };
  const isEnd = context.features.refusals === "ending" && refusal.by === "channel";
  assertEquals(counted, { [`${isEnd ? "closed" : "refused"} ${refusal.code}`]: 1, ...tokens }, title);
}

const METRIC =
  /^gong_(refused|sessions_closed|tokens_refused)_total\{(?:[^}]*,)?(?:reason|check)="(\w+)"[^}]*\} (\d+)$/gm;
const NAMES: Readonly<Record<string, string>> = {
  refused: "refused",
  sessions_closed: "closed",
  tokens_refused: "token",
};
/** How sessions end without a refusal. */
const ENDS = ["closed client", "closed vanished"];

/** What was refused, or closed by the server, while this was done: the figures that have changed, and by how much. */
export async function counting(
  { servers }: Pick<Context, "servers">,
  gong: Gong,
  act: () => Promise<void>,
): Promise<Record<string, number>> {
  const nodes = servers.nodesOf(gong);
  const before = await figures(nodes);
  await act();
  const after = await figures(nodes);
  const changed = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(changed.filter(([name, by]) => by !== 0 && !ENDS.includes(name)));
}

/** Of all nodes together. */
async function figures(nodes: readonly Gong[]): Promise<Map<string, number>> {
  const values = new Map<string, number>();
  for (const node of nodes) {
    const response = await ask(node, "/metrics", { headers: { "x-api-key": KEYS.stats } });
    const text = await response.text();
    assert(response.ok, text);
    for (const [, metric, label, value] of text.matchAll(METRIC)) {
      const name = `${NAMES[metric!]} ${label}`;
      values.set(name, (values.get(name) ?? 0) + Number(value));
    }
  }
  return values;
}
