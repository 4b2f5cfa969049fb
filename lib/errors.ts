import type { Refusal } from "./types.ts";

/** How one kind of refusal looks on every wire. */
interface ErrorKind {
  /** HTTP status. */
  readonly status: number;
  /** WebSocket close code (RFC 6455 section 7.4); 44xx echo the HTTP status. */
  readonly close: number;
  /** Whether the same request may succeed later, unchanged. */
  readonly retry: boolean;
  /** What a client is told when nothing more exact is safe to tell. */
  readonly text: string;
}

/** The one table of refusals: code → HTTP status, close code, worth a retry, safe text. */
export const ERRORS = {
  bad_request: { status: 400, close: 4400, retry: false, text: "The request is malformed." },
  unauthorized: { status: 401, close: 4401, retry: false, text: "A valid key is required." },
  forbidden: { status: 403, close: 4403, retry: false, text: "This is not allowed." },
  not_found: { status: 404, close: 4404, retry: false, text: "There is nothing here." },
  method_not_allowed: { status: 405, close: 4405, retry: false, text: "The method is not allowed here." },
  timeout: { status: 408, close: 4408, retry: true, text: "The request came too slowly." },
  stalled: { status: 408, close: 4008, retry: true, text: "The connection took nothing for too long." },
  conflict: { status: 409, close: 4409, retry: false, text: "The request conflicts with an earlier one." },
  lost: { status: 410, close: 4410, retry: false, text: "What came in between is no longer kept." },
  too_large: { status: 413, close: 1009, retry: false, text: "The message is too large." },
  unsupported_type: { status: 415, close: 1003, retry: false, text: "This kind of content is not accepted." },
  misdirected: { status: 421, close: 4421, retry: false, text: "This server does not answer to that host name." },
  upgrade_required: { status: 426, close: 4426, retry: false, text: "Another protocol version is required." },
  rate_limited: { status: 429, close: 4429, retry: true, text: "Too many requests." },
  too_many: { status: 429, close: 4429, retry: true, text: "Too many connections from this address." },
  internal: { status: 500, close: 1011, retry: true, text: "The server failed." },
  slow: { status: 503, close: 1013, retry: true, text: "The client reads too slowly." },
  overloaded: { status: 503, close: 1013, retry: true, text: "The server is overloaded." },
  restarting: { status: 503, close: 1012, retry: true, text: "This part of the server restarts." },
  too_old: { status: 503, close: 4503, retry: true, text: "The stream has lasted long enough: go on from the cursor." },
  going_away: { status: 503, close: 1001, retry: true, text: "The server is going away." },
} as const satisfies Record<string, ErrorKind>;

/** A stable name of a refusal. */
export type ErrorCode = keyof typeof ERRORS;

/** What may accompany a {@linkcode GongError}. */
export interface GongErrorOptions {
  /** What led to it; for the log, never for a client. */
  cause?: unknown;
  /** The part of the input that is at fault, as a JSON pointer or parameter name. */
  field?: string;
  /** When to try again, in seconds. */
  retryAfter?: number;
}

/** A refusal with a stable code. Its message is safe to show to the client that caused it. */
export class GongError extends Error {
  override readonly name = "GongError";
  readonly code: ErrorCode;
  readonly field?: string;
  readonly retryAfter?: number;

  constructor(code: ErrorCode, message: string = ERRORS[code].text, options: GongErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    if (options.field !== undefined) this.field = options.field;
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get closeCode(): number {
    return ERRORS[this.code].close;
  }

  /** The form that crosses an isolate. */
  toRefusal(): Refusal {
    const { code, message, retryAfter } = this;
    return retryAfter === undefined ? { code, message } : { code, message, retryAfter };
  }

  /** The error that another isolate described. */
  static fromRefusal(refusal: Refusal): GongError {
    const code = refusal.code in ERRORS ? refusal.code as ErrorCode : "internal";
    const { retryAfter } = refusal;
    return new GongError(code, refusal.message, retryAfter === undefined ? {} : { retryAfter });
  }

  /** The error behind a close code of the table; of several with the same code the first. */
  static fromClose(close: number, message: string, retryAfter?: number): GongError {
    const codes = Object.keys(ERRORS) as ErrorCode[];
    return new GongError(
      codes.find((code) => ERRORS[code].close === close) ?? "internal",
      message,
      retryAfter === undefined ? {} : { retryAfter },
    );
  }

  /** Any thrown value as a refusal: what is not one already is `internal`, and its text stays here. */
  static from(error: unknown): GongError {
    return error instanceof GongError ? error : new GongError("internal", undefined, { cause: error });
  }
}
