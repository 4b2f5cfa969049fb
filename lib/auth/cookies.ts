/**
 * Reading one cookie of a request.
 *
 * @module
 */

/**
 * The value of the first cookie of the name. Not `getCookies()`, which throws at a nameless pair: another program of this
 * host may have set one.
 */
export function readCookie(headers: Headers, name: string): string | undefined {
  for (const pair of (headers.get("cookie") ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
