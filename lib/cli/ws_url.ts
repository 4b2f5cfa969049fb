/**
 * Addresses of servers as people type them.
 *
 * @module
 */

import { UsageError } from "../flags.ts";

/** Where the console and the benchmark connect to when nothing else is said. */
export const DEFAULT_WS_URL = "ws://127.0.0.1:8998/push";

/** Where HTTP requests go when nothing else is said. */
export const DEFAULT_HTTP_URL = "http://127.0.0.1:8998";

/** What kind of address is meant, and what stands for what is missing. */
interface Kind {
  /** Without and with TLS. The first is meant where none is given. */
  readonly schemes: readonly [string, string];
  /** Schemes of the other kind, in the same order: a slip that is told how to write it. */
  readonly slips: readonly [string, string];
  readonly path: string;
  readonly name: string;
  readonly example: string;
}

const WEBSOCKET: Kind = {
  schemes: ["ws", "wss"],
  slips: ["http", "https"],
  path: "/push",
  name: "a WebSocket address",
  example: DEFAULT_WS_URL,
};

const HTTP: Kind = {
  schemes: ["http", "https"],
  slips: ["ws", "wss"],
  path: "/",
  name: "an HTTP address",
  example: DEFAULT_HTTP_URL,
};

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/**
 * Completes the address of a WebSocket: without a scheme it is `ws`, without a host 127.0.0.1, without a port 80 or
 * (`wss`) 443, without a path `/push` unless said. `:8998` is `ws://127.0.0.1:8998/push`.
 *
 * @throws {UsageError} when it is no such address; what stood there is repeated, but never a password
 */
export function parseWsUrl(text: string, path = WEBSOCKET.path): URL {
  return parse(text, { ...WEBSOCKET, path });
}

/** Completes the address of a server in the same way: `http`, 127.0.0.1, 80 or 443, `/`. @throws {UsageError} */
export function parseHttpUrl(text: string): URL {
  return parse(text, HTTP);
}

function parse(text: string, kind: Kind): URL {
  const trimmed = text.trim();
  const scheme = SCHEME.exec(trimmed)?.[1]?.toLowerCase() ?? kind.schemes[0];
  if (!kind.schemes.includes(scheme)) {
    const [plain, secure] = kind.schemes;
    const slip = kind.slips.indexOf(scheme);
    const advice = slip === -1 ? `only ${plain}:// and ${secure}:// are` : `write ${kind.schemes[slip]}:// instead`;
    throw new UsageError(`${scheme}:// is not ${kind.name}; ${advice}`);
  }
  // By hand, because URL takes the path of "ws:///push" for the host.
  const rest = trimmed.replace(SCHEME, "").replace(/^\/\//, "");
  const at = rest.search(/[/\\?#]/);
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
  const path = /^[/\\]/.test(target) ? target : `${kind.path}${target}`;
  // RFC 6455 section 3, RFC 9110 section 7.1.
  if (path.includes("#")) throw new UsageError("a #fragment is not sent to a server; write %23 for the character");
  try {
    return new URL(`${scheme}://${host}${path}`);
  } catch {
    throw new UsageError(`${authority}: not an address; one looks like ${kind.example}`);
  }
}
