/**
 * The text of HTTP/1.1 requests, as they are written to a socket.
 *
 * @module
 */

/** Header fields; an empty value leaves that one out. */
export type Fields = Readonly<Record<string, string>>;

const HANDSHAKE: Fields = {
  "Upgrade": "websocket",
  "Connection": "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

/** A request of any method; without `Host` among the fields it is `127.0.0.1`. */
export function request(method: string, target: string, fields: Fields = {}, body = ""): string {
  const lines = Object.entries({ "Host": "127.0.0.1", ...fields })
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${target} HTTP/1.1`, ...lines, "", body].join("\r\n");
}

export function get(target: string, fields?: Fields): string {
  return request("GET", target, fields);
}

/** A POST of JSON, with its length. */
export function post(target: string, body: string, fields: Fields = {}): string {
  const length = String(new TextEncoder().encode(body).length);
  return request("POST", target, { "Content-Type": "application/json", "Content-Length": length, ...fields }, body);
}

/** The opening handshake of a WebSocket (RFC 6455 section 4.1). */
export function handshake(target: string, fields: Fields = {}, method = "GET"): string {
  return request(method, target, { ...HANDSHAKE, ...fields });
}
