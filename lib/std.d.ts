/**
 * Types of what we use of `@std/*`: the npm package behind the import map is JavaScript without declarations.
 *
 * @module
 */

declare module "@std/http/etag" {
  /** An entity tag of the content, e.g. `"1f-wL2..."`, quotes included. */
  export function eTag(entity: string | Uint8Array): Promise<string>;
  /** False when one of the tags in `value` (an `If-None-Match` header) is `etag`: nothing to send then. */
  export function ifNoneMatch(value: string | null, etag: string | undefined): boolean;
}
