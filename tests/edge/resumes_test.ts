import { assert, assertEquals } from "@std/assert";
import type { ReadRequest } from "../../lib/edge/hosting.ts";
import { Resumes } from "../../lib/edge/resumes.ts";
import { GongError } from "../../lib/errors.ts";
import type { History } from "../../lib/types.ts";

function request(offset: number | undefined, channel = "a"): ReadRequest {
  return { channel, start: offset === undefined ? undefined : { epoch: "e", offset }, after: 0, limit: { count: 10 } };
}

/** The answer is wanted. */
const yes = () => true;

function historyOf({ channel, start }: ReadRequest): History {
  return {
    top: { epoch: channel, offset: start && "offset" in start ? start.offset : 0 },
    publications: [],
    recovered: true,
  };
}

/** Resumes of a rate, and what they have read. */
function setUp(rate: number) {
  const asked: ReadRequest[] = [];
  const counts = { refused: 0 };
  const resumes = new Resumes({
    rate,
    read: (request) => Promise.resolve((asked.push(request), historyOf(request))),
    onRefused: () => counts.refused++,
  });
  return { resumes, asked, counts };
}

Deno.test("Resumes.read() reads twice its rate at once and the rest in order, as time allows", async () => {
  const { resumes, asked } = setUp(100);
  const start = performance.now();
  const reads = Array.from({ length: 230 }, (_, n) => resumes.read(request(n), yes));
  assertEquals(asked.length, 200);
  const tops = (await Promise.all(reads)).map(({ top }) => top.offset);
  assertEquals(tops, Array.from({ length: 230 }, (_, n) => n));
  assertEquals(asked.map(({ start }) => start && "offset" in start && start.offset), tops, "first come first served");
  assert(performance.now() - start >= 250, "30 more take 0.3 s");
  resumes.close();
});

Deno.test("Resumes.read() serves those together who wait for the same", async () => {
  const { resumes, asked } = setUp(20);
  for (let n = 0; n < 40; n++) void resumes.read(request(n), yes);
  const same = Array.from({ length: 1000 }, () => resumes.read(request(7), yes));
  const other = resumes.read(request(7, "b"), yes);
  const answers = await Promise.all(same);
  assertEquals(new Set(answers.map(({ top }) => top.epoch)), new Set(["a"]));
  assertEquals((await other).top.epoch, "b");
  assertEquals(asked.length, 42);
  resumes.close();
});

Deno.test("Resumes.read() lets those through at once who missed nothing", async () => {
  const { resumes, asked } = setUp(1);
  for (let n = 0; n < 5; n++) void resumes.read(request(n), yes);
  assertEquals(asked.length, 2);
  await resumes.read(request(undefined), yes);
  assertEquals(asked.length, 3);
  resumes.close();
});

Deno.test("Resumes.read() refuses when too many wait, says when to come back, and counts it", async () => {
  const { resumes, counts } = setUp(1);
  for (let n = 0; n < 10_002; n++) void resumes.read(request(n), yes);
  const error = await resumes.read(request(20_000), yes).then(() => undefined, (error) => error);
  assert(error instanceof GongError && error.code === "overloaded" && error.retryAfter === 5, String(error));
  assertEquals(counts.refused, 1);
  resumes.close();
});

Deno.test("Resumes.read() passes on what reading failed with, to everybody who waited for it", async () => {
  const resumes = new Resumes({
    rate: 50,
    read: ({ channel }) =>
      channel === "b" ? Promise.reject(new GongError("lost")) : Promise.resolve(historyOf(request(0))),
    onRefused() {},
  });
  for (let n = 0; n < 100; n++) void resumes.read(request(n), yes);
  const failed = await Promise.allSettled([resumes.read(request(1, "b"), yes), resumes.read(request(1, "b"), yes)]);
  assertEquals(failed.map(({ status }) => status), ["rejected", "rejected"]);
  resumes.close();
});

Deno.test("Resumes.read() does not read what nobody wants any more when its turn comes, nor does that take the turn", async () => {
  const { resumes, asked } = setUp(20);
  for (let n = 0; n < 40; n++) void resumes.read(request(n), yes);
  let wants = true;
  const gone = Array.from({ length: 1000 }, (_, n) => resumes.read(request(n, "gone"), () => wants));
  const shared = [resumes.read(request(7, "b"), () => wants), resumes.read(request(7, "b"), yes)];
  wants = false;
  const start = performance.now();
  assertEquals((await Promise.all(shared)).map(({ top }) => top.epoch), ["b", "b"]);
  // Their turns would take 50 s.
  assert(performance.now() - start < 10_000);
  const codes = (await Promise.allSettled(gone)).map((result) => result.status === "rejected" && result.reason.code);
  assertEquals(new Set(codes), new Set(["conflict"]));
  assertEquals(asked.length, 41);
  resumes.close();
});

Deno.test("Resumes.read() reads what is urgent before everything that waits, also when too many do", async () => {
  const { resumes, asked } = setUp(20);
  for (let n = 0; n < 10_040; n++) void resumes.read(request(n), yes);
  const urgent = [1, 2].map((n) => resumes.read(request(n, "urgent"), yes, true));
  await Promise.all(urgent);
  assertEquals(asked.slice(40).map(({ channel }) => channel), ["urgent", "urgent"]);
  resumes.close();
});
