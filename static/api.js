/**
 * Requests to the server that served the page, and its refusals in words.
 *
 * @module
 */

/** A refusal: `application/problem+json` (RFC 9457), or no answer at all (`status` 0). */
export class Refused extends Error {
  constructor(status, problem = {}, retryAfter = null) {
    const text = problem.detail || problem.title || (status ? `The server answered ${status}.` : "No answer came.");
    super(text + (retryAfter && /^\d+$/.test(retryAfter) ? ` Try again in ${retryAfter} s.` : ""));
    this.status = status;
    this.code = problem.code;
    this.field = problem.field;
  }
}

/** Asks and gives the answer's JSON, or undefined when there is none. @throws {Refused} */
export async function call(method, path, body) {
  return (await ask(method, path, body)).value;
}

/** As {@linkcode call}, with the `text` that the answer's JSON was: no digit of it is lost. @throws {Refused} */
export async function ask(method, path, body) {
  const options = { method, cache: "no-store", signal: AbortSignal.timeout(15_000) };
  if (body !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response, text, value;
  try {
    response = await fetch(path, options);
    text = await response.text();
    if (/\bjson\b/.test(response.headers.get("content-type") ?? "")) value = JSON.parse(text);
  } catch {
    throw new Refused(response?.status ?? 0);
  }
  if (!response.ok) throw new Refused(response.status, value, response.headers.get("retry-after"));
  return { text, value };
}
