/**
 * A refusal as an HTTP answer: JSON for the API, one sentence of text for a handshake.
 *
 * @module
 */
import { STATUS_TEXT } from "@std/http/status";
import { ERRORS, type GongError } from "../errors.ts";

/** What "never" (an infinite `retryAfter`) becomes, in seconds: a day. */
const LONGEST_RETRY = 86_400;

/** What the answer needs to know beyond the error. */
export interface ProblemOptions {
  /** The methods that the resource has, for 405. Default for a handshake: `GET`. */
  allow?: readonly string[];
}

/**
 * The error as `application/problem+json`. What caused it stays here.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457#section-3
 */
export function problem(error: GongError, options: ProblemOptions = {}): Response {
  const { code, status, field, message: detail } = error;
  // Section 4.2.1: with `about:blank` the title is the status's own phrase.
  const body = { type: "about:blank", title: STATUS_TEXT[status], status, detail, code, field };
  const headers = refusalHeaders(error, options);
  headers.set("content-type", "application/problem+json");
  return new Response(JSON.stringify(body), { status, headers });
}

/** The error as one sentence of `text/plain`: how the doors refuse a handshake. */
export function plainProblem(error: GongError, options: ProblemOptions = {}): Response {
  // RFC 6455 section 4.1: a handshake is a GET, whatever the door.
  const headers = refusalHeaders(error, { allow: ["GET"], ...options });
  headers.set("content-type", "text/plain; charset=utf-8");
  return new Response(`${error.message}\n`, { status: error.status, headers });
}

function refusalHeaders(error: GongError, { allow }: ProblemOptions): Headers {
  const headers = new Headers({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
  const { code, status, retryAfter } = error;
  if (retryAfter !== undefined || status === 429 || status === 503) {
    // RFC 9110 section 10.2.3 has whole seconds only; 0 would ask for a busy loop.
    headers.set("retry-after", String(Math.min(Math.max(1, Math.ceil(retryAfter ?? 1)), LONGEST_RETRY)));
  }
  // RFC 9110 sections 11.6.1, 15.5.6, 15.5.9 and 15.5.22; RFC 6455 section 4.4.
  if (status === ERRORS.unauthorized.status) headers.set("www-authenticate", 'Bearer realm="gong"');
  if (status === ERRORS.method_not_allowed.status && allow !== undefined) headers.set("allow", allow.join(", "));
  if (code === "timeout") headers.set("connection", "close");
  if (status === ERRORS.upgrade_required.status) {
    headers.set("sec-websocket-version", "13");
    headers.set("upgrade", "websocket");
    headers.set("connection", "upgrade");
  }
  return headers;
}
