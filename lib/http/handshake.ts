/**
 * The opening handshake of a WebSocket, before it is answered.
 *
 * @module
 */
import { GongError } from "../errors.ts";

/** Base64 of 16 bytes, as long as it is; its bits past the 128th are anybody's. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~A-Za-z0-9-]+$/;
/** Subprotocols that a client may offer. */
const MAX_PROTOCOLS = 32;

/**
 * The opening handshake as RFC 6455 section 4.2.1 asks for it, of which Deno checks only a part: it upgrades a
 * missing or wrong version. Nothing else of the request is looked at; neither its origin nor its path.
 *
 * A request over HTTP/2 has neither `Upgrade` nor `Connection` (RFC 9113 section 8.2.2), so it is refused as one that
 * is no handshake.
 *
 * @throws {GongError} `bad_request`: no `Upgrade: websocket`, whatever the method; no `Connection: Upgrade`; a key that
 * is missing or not 16 bytes. `method_not_allowed`: not GET. `upgrade_required`: a version other than 13; the
 * answer has to carry `Sec-WebSocket-Version: 13` (section 4.4).
 */
export function checkUpgrade(request: Request): void {
  const { headers } = request;
  if (!hasToken(headers, "upgrade", "websocket")) {
    throw new GongError("bad_request", "Expected a WebSocket handshake: a GET request with `Upgrade: websocket`.");
  }
  if (request.method !== "GET") {
    throw new GongError("method_not_allowed", "A WebSocket handshake is a GET request.");
  }
  if (!hasToken(headers, "connection", "upgrade")) {
    throw new GongError("bad_request", "A WebSocket handshake needs `Connection: Upgrade`.", { field: "Connection" });
  }
  if (!KEY.test(headers.get("sec-websocket-key") ?? "")) {
    throw new GongError("bad_request", "`Sec-WebSocket-Key` has to be 16 bytes in base64.", {
      field: "Sec-WebSocket-Key",
    });
  }
  if (headers.get("sec-websocket-version") !== "13") {
    throw new GongError("upgrade_required", "The WebSocket version has to be 13.", { field: "Sec-WebSocket-Version" });
  }
}

/**
 * The subprotocols that the client offers, those it prefers first (RFC 6455 section 4.1, 10.). Several headers are one list
 * (section 11.3.4), and an empty element is none (RFC 9110 section 5.6.1.2).
 *
 * @throws {GongError} `bad_request` for more than 32, or what is no list of tokens: section 4.2.1 lets nobody overlook that
 */
export function readProtocols({ headers }: Request): readonly string[] {
  const value = headers.get("sec-websocket-protocol");
  if (value === null) return [];
  // Empty ones count here, so that nobody has thousands of them looked at.
  const parts = value.split(",", MAX_PROTOCOLS + 1).map((part) => part.trim());
  if (parts.length > MAX_PROTOCOLS) throw wrongProtocols(`has at most ${MAX_PROTOCOLS} subprotocols`);
  const protocols = parts.filter((part) => part !== "");
  if (protocols.every((part) => TOKEN.test(part))) return protocols;
  throw wrongProtocols("has to be a list of tokens");
}

function wrongProtocols(what: string): GongError {
  return new GongError("bad_request", `\`Sec-WebSocket-Protocol\` ${what}.`, { field: "Sec-WebSocket-Protocol" });
}

/** Whether a header that is a list of tokens has this one, in whatever case (RFC 9110 section 5.6.1). */
function hasToken(headers: Headers, name: string, token: string): boolean {
  const value = headers.get(name);
  return value !== null && value.split(",").some((part) => part.trim().toLowerCase() === token);
}
