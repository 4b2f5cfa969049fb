/**
 * Whose page sent a request: the one check of `Host` and `Origin`.
 *
 * @module
 */
import { type Config, parseListenAddress } from "../config.ts";
import { GongError } from "../errors.ts";

/** The settings that say which names and origins are ours. */
export type OriginSettings = Pick<
  Config,
  "dev" | "publicUrl" | "adminListen" | "allowHost" | "allowOrigin" | "requireOrigin" | "cert"
>;

/** Verdicts over `Host` and `Origin`. */
export interface Origins {
  /** @throws {GongError} `bad_request`: malformed `Host`; `misdirected`: with `dev`, a name that is not ours. */
  checkHost(request: Request, url: URL): void;
  /** @throws {GongError} as `checkHost` does; `forbidden`: foreign origin, or none where one is required. */
  checkOrigin(request: Request, url: URL, required?: boolean): void;
  /** The request's origin, if it has one that may talk to us. */
  allowed(request: Request, url: URL): string | undefined;
  /** Whether a page of ours sent it, so that our cookie may count. */
  isOwn(request: Request, url: URL): boolean;
}

/**
 * `uri-host [":" port]` of RFC 9110 section 7.2, without the parts of RFC 3986's reg-name that no host name has
 * (percent-encoding, sub-delims). So nothing of userinfo, path or query gets into a URL made from it.
 */
const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{0,5})?$/i;

/**
 * The URL of a request. Deno joins it from `Host` and path unchecked: `Host: a/admin?` makes `/push` read as
 * `/admin?/push`, and `Host: a b` makes no URL at all. So a malformed `Host` is refused here.
 *
 * @throws {GongError} `bad_request` (RFC 9112 section 3.2).
 */
export function requestUrl(request: Request): URL {
  const host = request.headers.get("host");
  if (host !== null && !HOST.test(host)) throw malformedHost();
  try {
    return new URL(request.url);
  } catch (cause) {
    throw new GongError("bad_request", "The request's target is malformed.", { cause });
  }
}

/**
 * Origins are compared as the text that a browser sends (RFC 6454 section 6.2), never parsed: one that has
 * userinfo, a path, capitals, a dot at its end or a neighbour equals nothing. `Host` may be in any case and name the default port.
 *
 * @throws {TypeError} for a `publicUrl` that is no URL.
 */
export function createOrigins(config: OriginSettings): Origins {
  const scheme = config.cert === "" ? "http" : "https";
  const publicUrl = config.publicUrl === "" ? undefined : new URL(config.publicUrl);
  // A page that comes from the admin page's own address is ours; of an address that means all of them nobody comes.
  const admin = config.adminListen === "" ? [] : [parseListenAddress(config.adminListen).host].filter(isOneAddress);
  const names = new Set([...config.allowHost, ...admin].map(canonicalName));
  const allowed = new Set(config.allowOrigin.map(canonicalOrigin));
  // Sandboxed frames and files of any site say `null`, so it can name nobody.
  allowed.delete("null");

  function isOwnOrigin(origin: string, host: string): boolean {
    if (origin === "null") return false;
    if (origin === publicUrl?.origin) return true;
    return names.has(nameOf(host)) && origin === originOf(scheme, host);
  }

  function checkHost(request: Request, url: URL): void {
    const host = hostOf(request, url);
    if (!HOST.test(host)) throw malformedHost();
    // A name that resolves to us but is not ours is DNS rebinding: the browser takes us for another site.
    const name = nameOf(host);
    if (config.dev && !names.has(name) && name !== publicUrl?.hostname) throw new GongError("misdirected");
  }

  function isAllowed(origin: string, request: Request, url: URL): boolean {
    return allowed.has(origin) || isOwnOrigin(origin, hostOf(request, url));
  }

  return {
    checkHost,
    checkOrigin(request, url, required = config.requireOrigin) {
      checkHost(request, url);
      const origin = request.headers.get("origin");
      if (origin === null) {
        if (!required || isSameOriginRead(request)) return;
        throw new GongError("forbidden", "An `Origin` header is required here.", { field: "Origin" });
      } else if (!isAllowed(origin, request, url)) {
        throw new GongError("forbidden", "This origin is not allowed.", { field: "Origin" });
      }
    },
    allowed(request, url) {
      const origin = request.headers.get("origin");
      return origin !== null && isAllowed(origin, request, url) ? origin : undefined;
    },
    isOwn(request, url) {
      const origin = request.headers.get("origin");
      if (origin !== null) return isOwnOrigin(origin, hostOf(request, url));
      // Browsers leave `Origin` out only of GET and HEAD, and tell by another header what led to them.
      const site = request.headers.get("sec-fetch-site") ?? "none";
      return ["GET", "HEAD"].includes(request.method) && ["same-origin", "none"].includes(site);
    },
  };
}

/**
 * Browsers send no `Origin` with what a page reads from its own server, but for a WebSocket; they say so instead, in a
 * header that no page can set (Fetch Metadata, section 2).
 */
function isSameOriginRead({ method, headers }: Request): boolean {
  return ["GET", "HEAD"].includes(method) && !headers.has("upgrade") && headers.get("sec-fetch-site") === "same-origin";
}

/** HTTP/2 has `:authority` instead, which is in the URL. */
function hostOf(request: Request, url: URL): string {
  return request.headers.get("host") ?? url.host;
}

function isOneAddress(host: string): boolean {
  return host !== "0.0.0.0" && host !== "::";
}

function nameOf(host: string): string {
  return canonicalName(host.replace(/:\d*$/, ""));
}

/** Lower case; an IPv6 address as a URL has it. Nothing else: `127.1` is not `127.0.0.1` here. */
function canonicalName(name: string): string {
  const bare = name.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return bare.includes(":") ? parseOrNull(`http://[${bare}]`)?.hostname ?? bare : bare;
}

/** A scheme that browsers know no origin for (`capacitor://localhost`) stays as it is written. */
function canonicalOrigin(origin: string): string {
  const parsed = parseOrNull(origin)?.origin;
  return parsed === undefined || parsed === "null" ? origin : parsed;
}

function originOf(scheme: string, host: string): string | undefined {
  return parseOrNull(`${scheme}://${host}`)?.origin;
}

function parseOrNull(url: string): URL | null {
  return URL.canParse(url) ? new URL(url) : null;
}

function malformedHost(): GongError {
  return new GongError("bad_request", "The `Host` header is malformed.", { field: "Host" });
}
