/**
 * What every request to the API shares: who asks, the body, the answer.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import { type ByteBudget, readBody, type Timer } from "../http/body.ts";
import type { Config, Scope } from "../config.ts";
import { GongError } from "../errors.ts";
import { Fields, parseJsonBytes } from "../json.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { HubClient } from "../types.ts";

/** What the API is made of. */
export interface ApiOptions {
  readonly config: Pick<Config, "maxMessage" | "bodyTimeout" | "apiRate" | "rule">;
  readonly hub: HubClient;
  readonly auth: Auth;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
  /** Default `setTimeout`. */
  readonly timer?: Timer;
}

/** One request that passed every check that does not need its body. */
export interface Call {
  readonly options: ApiOptions;
  readonly request: Request;
  readonly url: URL;
  readonly address: string;
  /** Who asks; undefined is nobody we know. */
  readonly grant: Grant | undefined;
  /** What all bodies being read may hold together. */
  readonly budget: ByteBudget;
}

/** What one method of a path does, and what it takes to be let in. */
export interface Action {
  /** `none`: for everybody, not even counted; `channel`: rights over a channel decide, which the action looks at. */
  readonly scope: Scope | "channel" | "none";
  /** Such rights will do instead of the scope, where anybody without it may have them. */
  readonly orChannel?: true;
  readonly run: (call: Call) => Promise<Response>;
}

/** A path. HEAD and OPTIONS come by themselves. */
export type Resource = Readonly<Partial<Record<"GET" | "POST" | "PUT" | "DELETE", Action>>>;

/** One byte of text takes at most six of JSON (`\u0000`), so that a message of the largest size always fits. */
const ESCAPED = 6;
/** Room for the other fields. */
const ENVELOPE = 16 * 1024;

/** Bytes of the largest body that is read, whatever is in it. */
export function bodyLimit(maxMessage: number): number {
  return maxMessage * ESCAPED + ENVELOPE;
}

/**
 * The object in the request's body.
 *
 * @throws {GongError} `unsupported_type`, `too_large`, `timeout`, `overloaded`, `bad_request`
 */
export async function readObject({ request, options, budget }: Call): Promise<Fields> {
  checkType(request.headers.get("content-type"));
  const { config, timer } = options;
  const bytes = await readBody(request, {
    limit: bodyLimit(config.maxMessage),
    timeout: config.bodyTimeout,
    budget,
    ...(timer === undefined ? {} : { timer }),
  });
  return new Fields(parseJsonBytes(bytes));
}

function checkType(type: string | null): void {
  const [essence = "", ...parameters] = (type ?? "").split(";").map((part) => part.trim().toLowerCase());
  const charsets = parameters.filter((parameter) => parameter.startsWith("charset="));
  if (essence === "application/json" && charsets.every((charset) => /^charset="?utf-8"?$/.test(charset))) return;
  // RFC 8259 section 8.1: JSON between systems is UTF-8.
  throw new GongError("unsupported_type", "The body has to be `application/json` in UTF-8.", { field: "Content-Type" });
}

/** An answer of JSON that nobody keeps. */
export function json(value: unknown, status = 200): Response {
  return Response.json(value, { status, headers: HEADERS });
}

/** The same, of what is JSON text already. */
export function jsonText(text: string, status = 200): Response {
  return new Response(text, { status, headers: { ...HEADERS, "content-type": "application/json" } });
}

/** Headers of every answer. */
export const HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
});
