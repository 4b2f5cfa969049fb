import { assert, assertEquals } from "@std/assert";
import { type ErrorCode, ERRORS, GongError } from "../../lib/errors.ts";
import { plainProblem, problem } from "../../lib/http/problem.ts";

const CODES = Object.keys(ERRORS) as ErrorCode[];

Deno.test("problem() writes every kind of refusal as RFC 9457 has it", async () => {
  for (const code of CODES) {
    const response = problem(new GongError(code, "Told so.", { field: "/data" }));
    assertEquals(response.status, ERRORS[code].status);
    assertEquals(response.headers.get("content-type"), "application/problem+json");
    assertEquals(response.headers.get("cache-control"), "no-store");
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");
    const { title, ...rest } = await response.json();
    assert(typeof title === "string" && title.length > 0, code);
    assertEquals(rest, { type: "about:blank", status: ERRORS[code].status, detail: "Told so.", code, field: "/data" });
  }
});

Deno.test("problem() leaves out what the error does not have", async () => {
  const response = problem(new GongError("not_found"));
  assertEquals(Object.keys(await response.json()), ["type", "title", "status", "detail", "code"]);
  for (const name of ["retry-after", "www-authenticate", "allow", "connection", "upgrade"]) {
    assertEquals(response.headers.get(name), null, name);
  }
});

Deno.test("problem() never tells the cause", async () => {
  const error = GongError.from(new Error("secret stack", { cause: "secret cause" }));
  const response = problem(error);
  const text = await response.text() + JSON.stringify([...response.headers]);
  assert(!text.includes("secret"), text);
});

Deno.test("problem() gives Retry-After in whole seconds, at least 1, where a retry makes sense", () => {
  const retryAfter = (code: ErrorCode, seconds?: number) =>
    problem(new GongError(code, undefined, seconds === undefined ? {} : { retryAfter: seconds })).headers
      .get("retry-after");
  assertEquals(retryAfter("overloaded", 2.1), "3");
  assertEquals(retryAfter("overloaded", 0), "1");
  assertEquals(retryAfter("rate_limited"), "1");
  assertEquals(retryAfter("rate_limited", Infinity), "86400");
  assertEquals(retryAfter("going_away"), "1");
  assertEquals(retryAfter("conflict", 7), "7");
  assertEquals(retryAfter("conflict"), null);
});

Deno.test("problem() names the scheme of a missing key and the methods there are", () => {
  assertEquals(problem(new GongError("unauthorized")).headers.get("www-authenticate"), 'Bearer realm="gong"');
  const response = problem(new GongError("method_not_allowed"), { allow: ["GET", "HEAD"] });
  assertEquals(response.headers.get("allow"), "GET, HEAD");
});

Deno.test("plainProblem() is one sentence of text with the headers a handshake needs", async () => {
  const refused = plainProblem(new GongError("bad_request", "Expected a WebSocket upgrade."));
  assertEquals(refused.status, 400);
  assertEquals(refused.headers.get("content-type"), "text/plain; charset=utf-8");
  assertEquals(await refused.text(), "Expected a WebSocket upgrade.\n");

  const version = plainProblem(new GongError("upgrade_required"));
  assertEquals(version.status, 426);
  assertEquals(version.headers.get("sec-websocket-version"), "13");
  assertEquals(version.headers.get("upgrade"), "websocket");

  assertEquals(plainProblem(new GongError("method_not_allowed")).headers.get("allow"), "GET");
  assertEquals(plainProblem(new GongError("too_many", undefined, { retryAfter: 5 })).headers.get("retry-after"), "5");
});

Deno.test("plainProblem() crosses a real connection with its status and headers", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    return plainProblem(new GongError(url.endsWith("/slow") ? "timeout" : "upgrade_required"));
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  const version = await fetch(url);
  assertEquals([version.status, version.headers.get("sec-websocket-version")], [426, "13"]);
  assertEquals(await version.text(), "Another protocol version is required.\n");
  const slow = await fetch(`${url}/slow`);
  assertEquals([slow.status, await slow.text()], [408, "The request came too slowly.\n"]);
});
