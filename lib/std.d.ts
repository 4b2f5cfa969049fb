/**
 * Types of what we use of `@std/*`: the npm package behind the import map is JavaScript without declarations.
 *
 * @module
 */

declare module "@std/assert" {
  // deno-lint-ignore no-explicit-any
  type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;
  export function assert(value: unknown, message?: string): asserts value;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertRejects(call: () => PromiseLike<unknown>): Promise<unknown>;
  export function assertRejects<E extends Error>(
    call: () => PromiseLike<unknown>,
    kind: ErrorClass<E>,
    includes?: string,
  ): Promise<E>;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertThrows(call: () => unknown): unknown;
  export function assertThrows<E extends Error>(call: () => unknown, kind: ErrorClass<E>, includes?: string): E;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions {
    string?: string[];
    boolean?: string[];
    negatable?: string[];
    collect?: string[];
    alias?: Record<string, string>;
    default?: Record<string, unknown>;
    /** Called for what no other option names; `key` is absent for an argument that is not a flag. */
    unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  }
  export function parseArgs(args: string[], options?: ParseOptions): Record<string, unknown> & { _: unknown[] };
}

declare module "@std/encoding/base64" {
  /** Standard alphabet, padded. */
  export function encodeBase64(data: Uint8Array | string): string;
  /** @throws {TypeError} for text that is not base64 */
  export function decodeBase64(text: string): Uint8Array;
}

declare module "@std/fmt/colors" {
  export function bold(text: string): string;
  export function dim(text: string): string;
  export function red(text: string): string;
  export function yellow(text: string): string;
}

declare module "@std/http/cookie" {
  interface Cookie {
    name: string;
    value: string;
    maxAge?: number;
    path?: string;
    secure?: boolean;
    httpOnly?: boolean;
    sameSite?: "Strict" | "Lax" | "None";
  }
  export function setCookie(headers: Headers, cookie: Cookie): void;
}

declare module "@std/http/etag" {
  /** An entity tag of the content, e.g. `"1f-wL2..."`, quotes included. */
  export function eTag(entity: string | Uint8Array): Promise<string>;
  /** False when one of the tags in `value` (an `If-None-Match` header) is `etag`: nothing to send then. */
  export function ifNoneMatch(value: string | null, etag: string | undefined): boolean;
}

declare module "@std/http/server-sent-event-stream" {
  export interface ServerSentEventMessage {
    comment?: string;
    event?: string;
    data?: string;
    id?: string | number;
    retry?: number;
  }
  export class ServerSentEventStream extends TransformStream<ServerSentEventMessage, Uint8Array> {}
}

declare module "@std/http/status" {
  /** The phrase of each status code. */
  export const STATUS_TEXT: Readonly<Record<number, string>>;
}

declare module "@std/text/closest-string" {
  export function closestString(word: string, words: readonly string[], options?: { caseSensitive?: boolean }): string;
}
