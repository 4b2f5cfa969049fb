import { assertEquals } from "@std/assert";
import type { ReadRequest } from "../../lib/edge/hosting.ts";
import { ReadAhead } from "../../lib/edge/read_ahead.ts";
import { GongError } from "../../lib/errors.ts";
import type { History, Start } from "../../lib/types.ts";

/** A channel of so many publications, read two at a time, and what was asked. */
function setUp(length: number) {
  const log = { top: length, epoch: "e" };
  const asked: string[] = [];
  const clock = { now: 0, hasRoom: true };
  function read(kind: string, start: Start | undefined): Promise<History> {
    const offset = start && "offset" in start ? start.offset : 0;
    asked.push(`${kind} ${offset}`);
    const { epoch, top } = log;
    if (kind === "peek" && offset === 6) return Promise.reject(new GongError("restarting"));
    const publications = [1, 2].map((n) => offset + n).filter((offset) => offset <= top).map((offset) => ({
      ...{ channel: "a", epoch, offset, time: 0, data: `${offset}`, contentType: "text/plain" },
    }));
    return Promise.resolve({ top: { epoch, offset: top }, publications, recovered: true });
  }
  const ahead = new ReadAhead({
    read: ({ start }, begin) => (begin(), read("read", start)),
    peek: ({ start }) => read("peek", start),
    most: 2500,
    mayPeek: () => clock.hasRoom,
    now: () => clock.now,
  });
  return { ahead, asked, log, clock };
}

function request(offset: number): ReadRequest {
  return { channel: "a", start: { epoch: "e", offset }, after: 0, limit: { count: 2, bytes: 1000 } };
}

/** All pages from the beginning. */
async function readAll(ahead: ReadAhead): Promise<number[]> {
  const offsets: number[] = [];
  for (;;) {
    const { top, publications } = await ahead.read(request(offsets.length), () => true);
    for (const { offset } of publications) offsets.push(offset);
    if (offsets.length === top.offset) return offsets;
  }
}

Deno.test("ReadAhead.read() has asked for the next page before it is asked, and asks again where that failed", async () => {
  const { ahead, asked } = setUp(10);
  assertEquals(await readAll(ahead), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assertEquals(asked, ["read 0", "peek 2", "peek 4", "peek 6", "read 6", "peek 8", "read 8"]);
  ahead.close();
});

Deno.test("ReadAhead.read() reads the last page when it is asked for it: it says where the channel stands now", async () => {
  const { ahead, asked, log } = setUp(4);
  await ahead.read(request(0), () => true);
  log.top = 5;
  const page = await ahead.read(request(2), () => true);
  assertEquals([page.top.offset, page.publications.map(({ offset }) => offset)], [5, [3, 4]]);
  assertEquals(asked.slice(0, 3), ["read 0", "peek 2", "read 2"]);
  ahead.close();
});

Deno.test("ReadAhead.read() gives a page to one who asks, and none that has waited too long", async () => {
  const { ahead, asked, clock } = setUp(100);
  await ahead.read(request(0), () => true);
  await Promise.all([ahead.read(request(2), () => true), ahead.read(request(2), () => true)]);
  assertEquals(asked.filter((one) => one.endsWith(" 2")), ["peek 2", "read 2"]);
  clock.now += 1001;
  await ahead.read(request(4), () => true);
  assertEquals(asked.filter((one) => one.endsWith(" 4")).at(-1), "read 4");
  ahead.close();
});

Deno.test("ReadAhead.read() asks at once for what is not there, and for nothing where there is no room", async () => {
  const { ahead, asked, clock } = setUp(10);
  clock.hasRoom = false;
  let begun = 0;
  const page = ahead.read(request(0), () => ++begun > 0);
  assertEquals([begun, asked], [1, ["read 0"]], "before anything else can be said");
  await page;
  assertEquals(asked, ["read 0"]);
  ahead.close();
});

Deno.test("ReadAhead.read() reads no more ahead than it may hold", async () => {
  const { ahead, asked } = setUp(100);
  for (const offset of [0, 20, 40]) {
    await ahead.read({ ...request(offset), channel: `c${offset}` }, () => true);
  }
  assertEquals(asked, ["read 0", "peek 2", "read 20", "peek 22", "read 40"]);
  await ahead.read({ ...request(2), channel: "c0" }, () => true);
  assertEquals(asked.at(-1), "peek 4", "in the place of the one that was taken");
  ahead.close();
});
