/**
 * What requests are answered, refusals above all.
 *
 * @module
 */
import { type ErrorCode, GongError } from "../errors.ts";
import type { Data } from "../types.ts";
import type { EngineAnswer, EngineRefusal } from "./orders.ts";

/**
 * Refusals of the protocol itself: the code that clients know, and what it is to us. That a session is another node's is
 * told by a status that has a balancer ask the next node, and think no worse of this one.
 */
const FAULTS = {
  transport: { status: 400, code: 0, message: "Transport unknown", kind: "bad_request" },
  sid: { status: 400, code: 1, message: "Session ID unknown", kind: "not_found" },
  method: { status: 400, code: 2, message: "Bad handshake method", kind: "bad_request" },
  request: { status: 400, code: 3, message: "Bad request", kind: "bad_request" },
  node: { status: 404, code: 3, message: "Session of another node", kind: "not_found" },
  version: { status: 400, code: 5, message: "Unsupported protocol version", kind: "bad_request" },
} as const satisfies Record<string, { status: number; code: number; message: string; kind: ErrorCode }>;

/** `code` of those whom nobody lets in. */
const FORBIDDEN = 4;
/** Methods that there are, as preflights are told. */
const ALLOW = "GET, POST, OPTIONS";
/** Seconds after which to try again where nothing else is said. */
const RETRY = 1;

export type FaultName = keyof typeof FAULTS;

/** A refusal that has a place of its own in the protocol's table. */
export class EngineFault extends GongError {
  readonly fault: FaultName;

  constructor(fault: FaultName) {
    super(FAULTS[fault].kind, FAULTS[fault].message);
    this.fault = fault;
  }

  override get status(): number {
    return FAULTS[this.fault].status;
  }
}

export const OK: EngineAnswer = Object.freeze({ status: 200, body: "ok" });

export function payloadAnswer(body: Data): EngineAnswer {
  return { status: 200, body };
}

/** The refusal as the protocol has it. */
export function refusalAnswer(error: GongError): EngineAnswer {
  const refusal = refusalOf(error);
  const { status, message } = error;
  const other = status === 401 || status === 403 ? FORBIDDEN : FAULTS.request.code;
  const code = error instanceof EngineFault ? FAULTS[error.fault].code : other;
  return { status, body: JSON.stringify({ code, message }), refusal };
}

/** The refusal as it crosses isolates. */
export function refusalOf(error: GongError): EngineRefusal {
  return error instanceof EngineFault ? { ...error.toRefusal(), fault: error.fault } : error.toRefusal();
}

/** The refusal that another isolate described. */
export function faultOf({ fault, ...refusal }: EngineRefusal): GongError {
  return fault !== undefined && Object.hasOwn(FAULTS, fault)
    ? new EngineFault(fault as FaultName)
    : GongError.fromRefusal(refusal);
}

/** The answer, unless it is a refusal. @throws {GongError} that */
export function unrefused(answer: EngineAnswer): EngineAnswer {
  if (answer.refusal) throw faultOf(answer.refusal);
  return answer;
}

/** The whole response. */
export function toResponse({ status, body }: EngineAnswer): Response {
  const type = typeof body !== "string"
    ? "application/octet-stream"
    : status === 200
    ? "text/plain; charset=UTF-8"
    : "application/json";
  const headers = {
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return new Response(body as BodyInit, { status, headers });
}

/** The whole response of a refusal, with what HTTP wants to be told beside it. */
export function toRefusal(error: GongError): Response {
  const response = toResponse(refusalAnswer(error));
  const { headers, status } = response;
  const { retryAfter } = error;
  // RFC 9110 section 10.2.3 has whole seconds only.
  if (retryAfter !== undefined || status === 429 || status === 503) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(retryAfter ?? RETRY))));
  }
  // RFC 9110 sections 11.6.1 and 15.5.22, RFC 6455 section 4.4.
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="gong"');
  if (status === 426) {
    headers.set("sec-websocket-version", "13");
    headers.set("upgrade", "websocket");
    headers.set("connection", "upgrade");
  }
  return response;
}

/** Of a preflight. */
export function toPreflight(): Response {
  return new Response(null, { status: 204, headers: { "allow": ALLOW, "cache-control": "no-store" } });
}
