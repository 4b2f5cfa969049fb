/**
 * Answers to pages of other origins.
 *
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 * @module
 */

/** How long a browser may keep the answer to a preflight, in seconds. */
const MAX_AGE = "600";
/** What a page may send beside what every request may have. */
const REQUEST_HEADERS = "authorization, content-type, if-none-match, last-event-id, x-api-key";
/** What a page may read beside what it always may. */
const RESPONSE_HEADERS = "etag, retry-after";

/**
 * Lets a page of an allowed origin read the answer. Which origins those are is told by `Origin` alone, never by `*`. The
 * browser may bring cookies along, for the sake of a token's; a login does not count from there (`Auth.identify`).
 *
 * @param origin the request's, if it may
 */
export function allowOrigin(request: Request, response: Response, origin: string | undefined): Response {
  const { headers } = response;
  headers.append("vary", "Origin");
  if (origin === undefined) return response;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-allow-credentials", "true");
  headers.set("access-control-expose-headers", RESPONSE_HEADERS);
  if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) {
    headers.set("access-control-allow-methods", headers.get("allow") ?? "GET");
    headers.set("access-control-allow-headers", REQUEST_HEADERS);
    headers.set("access-control-max-age", MAX_AGE);
  }
  return response;
}
