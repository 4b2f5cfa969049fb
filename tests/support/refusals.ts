/**
 * Tables of refusals: what is sent over a socket, and what has to come back.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Gong, type GongOptions, startGong } from "./gong.ts";
import { rawRequest, type RawResponse } from "./raw.ts";
import { get } from "./requests.ts";

/** One line: what is sent, and what has to come back. */
export interface Row {
  title: string;
  send: string;
  status: number;
  /** Has to be in the body. Of a problem, `code` and `field` are checked by {@linkcode PROBLEM}. */
  body?: string;
  code?: string;
  field?: string;
  headers?: Record<string, RegExp>;
}

export const TEXT = { "content-type": /^text\/plain/ };
export const PROBLEM = { "content-type": /^application\/problem\+json/ };
export const RETRY = { "retry-after": /^[1-9]\d*$/ };

/** One test: a server of its own, a step a row, and at the end it still serves. */
export function refusals(title: string, args: string[], options: GongOptions, rows: readonly Row[]): void {
  Deno.test(`gong serve refuses: ${title}`, async (t) => {
    await using gong = await startGong(["--isolates", "1", ...args], options);
    for (const row of rows) {
      await t.step(row.title, async () => check(row, await rawRequest(gong.port, row.send)));
    }
    await assertServes(gong);
  });
}

/** @throws unless the answer is the one of the row */
export function check(row: Row, answer: RawResponse): void {
  assertEquals(answer.status, row.status, answer.body);
  if (row.body) assertStringIncludes(answer.body.toLowerCase(), row.body.toLowerCase());
  const isProblem = row.code !== undefined || row.field !== undefined;
  for (const [name, value] of Object.entries({ ...isProblem ? PROBLEM : {}, ...row.headers })) {
    assertMatch(answer.headers.get(name) ?? `no ${name}`, value);
  }
  if (!isProblem) return;
  const problem = JSON.parse(answer.body);
  assertEquals(problem.status, row.status);
  assertEquals(problem.code, row.code ?? problem.code);
  // A field is a JSON pointer or a name: `channel`, `/channels/1`.
  if (row.field) assertMatch(String(problem.field), new RegExp(`\\b${row.field}\\b`));
}

async function assertServes(gong: Gong): Promise<void> {
  assertEquals((await rawRequest(gong.port, get("/health"))).status, 200);
  assertEquals(await gong.stop(), 0);
}
