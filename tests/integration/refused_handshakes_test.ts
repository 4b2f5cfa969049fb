import { refusals, type Row, TEXT } from "../support/refusals.ts";
import { get, handshake, post } from "../support/requests.ts";

const HANDSHAKES: Row[] = [
  {
    title: "no Upgrade header: 400 as text that says what was expected",
    send: get("/push"),
    status: 400,
    headers: TEXT,
    body: "WebSocket",
  },
  { title: "no Upgrade header, and POST", send: post("/push", "{}"), status: 400, headers: TEXT, body: "WebSocket" },
  { title: "no Upgrade header, JSON door", send: get("/push?format=json"), status: 400, headers: TEXT },
  { title: "Upgrade to something else", send: handshake("/push", { Upgrade: "h2c" }), status: 400, headers: TEXT },
  {
    title: "a handshake by POST",
    send: handshake("/push", {}, "POST"),
    status: 405,
    headers: { ...TEXT, allow: /^GET$/ },
  },
  { title: "no Connection header", send: handshake("/push", { Connection: "" }), status: 400, headers: TEXT },
  {
    title: "Connection without upgrade",
    send: handshake("/push", { Connection: "keep-alive" }),
    status: 400,
    headers: TEXT,
  },
  {
    title: "no key",
    send: handshake("/push", { "Sec-WebSocket-Key": "" }),
    status: 400,
    headers: TEXT,
    body: "Sec-WebSocket-Key",
  },
  {
    title: "a key of 15 bytes",
    send: handshake("/push", { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA" }),
    status: 400,
    body: "Sec-WebSocket-Key",
  },
  {
    title: "a key that is not base64",
    send: handshake("/push", { "Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!==" }),
    status: 400,
    body: "Sec-WebSocket-Key",
  },
  ...["", "8", "12", "013", "13, 8", "thirteen"].map((version): Row => ({
    title: `WebSocket version "${version}"`,
    send: handshake("/push", { "Sec-WebSocket-Version": version }),
    status: 426,
    headers: { ...TEXT, "sec-websocket-version": /^13$/ },
  })),
  { title: "an unknown path", send: get("/nothing"), status: 404 },
  { title: "a handshake on an unknown path", send: handshake("/nothing"), status: 404 },
  { title: "a path below the door", send: handshake("/push/more"), status: 404 },
  {
    title: "a foreign origin",
    send: handshake("/push", { Origin: "https://evil.example" }),
    status: 403,
    headers: TEXT,
    body: "origin",
  },
  {
    title: "a foreign origin that begins like ours",
    send: handshake("/push", { Origin: "http://127.0.0.1.evil.example" }),
    status: 403,
  },
  {
    title: "another port of our host",
    send: handshake("/push", { Host: "127.0.0.1:8000", Origin: "http://127.0.0.1:9000" }),
    status: 403,
  },
  { title: "Origin: null", send: handshake("/push", { Origin: "null" }), status: 403, headers: TEXT },
  {
    title: "a host name that is not ours",
    send: handshake("/push", { Host: "rebound.example", Origin: "http://rebound.example" }),
    status: 421,
    headers: TEXT,
  },
  { title: "a malformed Host", send: handshake("/push", { Host: "a/admin?" }), status: 400 },
  { title: "a malformed channel", send: handshake("/push?channel=a%20b"), status: 400, headers: TEXT, body: "channel" },
  { title: "an empty channel", send: handshake("/push?channel="), status: 400, body: "channel" },
  { title: "a channel of 129 characters", send: handshake(`/push?channel=${"x".repeat(129)}`), status: 400 },
  { title: "an unknown format", send: handshake("/push?format=xml"), status: 400, headers: TEXT, body: "format" },
  ...[["sinse=a@e:1", "sinse", "since"], ["Channel=a", "Channel", "channel"], [
    "format=json&ecco=false",
    "ecco",
    "echo",
  ]]
    .map(([query, name, nearest]): Row => ({
      title: `an unknown parameter, ?${query}`,
      send: handshake(`/push?${query}`),
      status: 400,
      headers: TEXT,
      body: `"${name}"; the nearest is \`${nearest}\``,
    })),
  { title: "echo that is neither true nor false", send: handshake("/push?echo=2"), status: 400, body: "echo" },
];

refusals("malformed handshakes", [], {}, HANDSHAKES);

refusals("no Origin where one is required", ["--require-origin"], {}, [
  { title: "no Origin", send: handshake("/push"), status: 403, headers: TEXT, body: "origin" },
]);
