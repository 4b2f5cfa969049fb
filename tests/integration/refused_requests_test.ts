import { refusals, type Row } from "../support/refusals.ts";
import { get, post, request } from "../support/requests.ts";

const BAD_BODIES: Row[] = [
  { title: "a body that is not JSON", send: post("/api/publish", "{oops"), status: 400, code: "bad_request" },
  { title: "no body", send: post("/api/publish", ""), status: 400, code: "bad_request" },
  { title: "JSON that is no object", send: post("/api/publish", "[1]"), status: 400, code: "bad_request" },
  {
    title: "no channel",
    send: post("/api/publish", '{"data":1}'),
    status: 400,
    code: "bad_request",
    body: "`channel`",
  },
  { title: "no data", send: post("/api/publish", '{"channel":"a"}'), status: 400, field: "data" },
  {
    title: "a malformed channel",
    send: post("/api/publish", '{"channel":"a b","data":1}'),
    status: 400,
    field: "channel",
  },
  {
    title: "a channel that is a number",
    send: post("/api/publish", '{"channel":1,"data":1}'),
    status: 400,
    field: "channel",
  },
  {
    title: "a malformed one among several channels",
    send: post("/api/publish", '{"channels":["a",""],"data":1}'),
    status: 400,
    field: "channels",
  },
  {
    title: "an id of 65 bytes",
    send: post("/api/publish", JSON.stringify({ channel: "a", data: 1, id: "i".repeat(65) })),
    status: 400,
    field: "id",
  },
  {
    title: "base64 that is none",
    send: post("/api/publish", '{"channel":"a","data":"*","encoding":"base64"}'),
    status: 400,
    field: "data",
  },
  {
    title: "a content type with a line break",
    send: post("/api/publish", '{"channel":"a","data":"x","contentType":"a/b\\r\\nX: y"}'),
    status: 400,
    field: "contentType",
  },
  {
    title: "JSON nested too deeply",
    send: post("/api/publish", `{"channel":"a","data":${"[".repeat(100)}${"]".repeat(100)}}`),
    status: 400,
    code: "bad_request",
  },
  {
    title: "a reserved channel",
    send: post("/api/publish", '{"channel":"$admin","data":1}'),
    status: 403,
    code: "forbidden",
  },
  {
    title: "another media type",
    send: post("/api/publish", '{"channel":"a","data":1}', { "Content-Type": "text/plain" }),
    status: 415,
    code: "unsupported_type",
  },
  {
    title: "no media type",
    send: post("/api/publish", '{"channel":"a","data":1}', { "Content-Type": "" }),
    status: 415,
    code: "unsupported_type",
  },
  {
    title: "a compressed body",
    send: post("/api/publish", '{"channel":"a","data":1}', { "Content-Encoding": "gzip" }),
    status: 415,
    code: "unsupported_type",
  },
  {
    title: "a message of more than --max-message bytes",
    send: post("/api/publish", JSON.stringify({ channel: "a", data: "é".repeat(501) })),
    status: 413,
    code: "too_large",
  },
  {
    title: "a body that says it is too large",
    send: post("/api/publish", "", { "Content-Length": "100000" }),
    status: 413,
    code: "too_large",
  },
  {
    title: "a body without a length that becomes too large",
    send: request("POST", "/api/publish", { "Content-Type": "application/json", "Transfer-Encoding": "chunked" }) +
      `6000\r\n${"x".repeat(0x6000)}\r\n`,
    status: 413,
    code: "too_large",
  },
  {
    title: "a body that does not come",
    send: post("/api/publish", '{"chan', { "Content-Length": "100" }),
    status: 408,
    code: "timeout",
  },
];

const METHODS: Row[] = [
  ...["GET", "PUT", "DELETE"].map((method): Row => ({
    title: `${method} /api/publish`,
    send: request(method, "/api/publish"),
    status: 405,
    code: "method_not_allowed",
    headers: { allow: /POST/ },
  })),
  { title: "POST /health", send: post("/health", "{}"), status: 405, headers: { allow: /GET/ } },
  { title: "POST /metrics", send: post("/metrics", "{}"), status: 405, headers: { allow: /GET/ } },
  { title: "POST /", send: post("/", "{}"), status: 405, headers: { allow: /GET/ } },
  { title: "GET /admin/login", send: get("/admin/login"), status: 405, headers: { allow: /POST/ } },
  { title: "an unknown path of the API", send: get("/api/nothing"), status: 404, code: "not_found" },
  { title: "an unknown session", send: get("/api/sessions/nobody"), status: 404, code: "not_found" },
  { title: "a page of more than 500 sessions", send: get("/api/sessions?limit=501"), status: 400, field: "limit" },
];

refusals("malformed bodies", ["--max-message", "1000", "--body-timeout", "0.3"], {}, BAD_BODIES);
refusals("wrong methods and paths", [], {}, METHODS);
