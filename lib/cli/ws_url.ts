/**
 * WebSocket addresses as people type them.
 *
 * @module
 */

import { UsageError } from "../flags.ts";

/** Where a command connects to when nothing else is said. */
export const DEFAULT_WS_URL = "ws://127.0.0.1:8998/push";

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/**
 * Completes an address: without a scheme it is `ws`, without a host 127.0.0.1, without a port 80 or (`wss`) 443,
 * without a path `/push`. `:8998` is `ws://127.0.0.1:8998/push`.
 *
 * @returns a URL of scheme `ws:` or `wss:` with nothing in it that a request could not carry
 * @throws {UsageError} when it is no such address; what stood there is repeated, but never a password
 */
export function parseWsUrl(text: string): URL {
  const trimmed = text.trim();
  const scheme = SCHEME.exec(trimmed)?.[1]?.toLowerCase() ?? "ws";
  if (scheme === "http" || scheme === "https") {
    const right = scheme === "http" ? "ws" : "wss";
    throw new UsageError(`${scheme}:// is not a WebSocket address; write ${right}:// instead`);
  }
  if (scheme !== "ws" && scheme !== "wss") {
    throw new UsageError(`${scheme}:// is not a WebSocket address; only ws:// and wss:// are`);
  }
  // By hand, because URL takes the path of "ws:///push" for the host.
  const rest = trimmed.replace(SCHEME, "").replace(/^\/\//, "");
  const at = rest.search(/[/?#]/);
  const authority = at === -1 ? rest : rest.slice(0, at);
  const target = at === -1 ? "" : rest.slice(at);
  if (authority.includes("@")) {
    throw new UsageError("a name or password in the address is not sent; give the key by --api-key or GONG_API_KEY");
  }
  // URL takes a bare number for an IPv4 address.
  if (/^\d+$/.test(authority)) {
    throw new UsageError(`${authority} is not a host; as a port it is written :${authority}`);
  }
  const host = authority === "" || authority.startsWith(":") ? `127.0.0.1${authority}` : authority;
  const path = target.startsWith("/") ? target : `/push${target}`;
  if (path.includes("#")) throw new UsageError("an address of a WebSocket has no #fragment (RFC 6455 section 3)");
  try {
    return new URL(`${scheme}://${host}${path}`);
  } catch {
    throw new UsageError(`${text}: not an address; one looks like ${DEFAULT_WS_URL}`);
  }
}
