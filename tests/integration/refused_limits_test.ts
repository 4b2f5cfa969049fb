import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OPCODE } from "../support/frames.ts";
import { startGong } from "../support/gong.ts";
import { openWebSocket, RawConnection, rawRequest, type RawResponse } from "../support/raw.ts";
import { check, RETRY, TEXT } from "../support/refusals.ts";
import { get, handshake, post } from "../support/requests.ts";

Deno.test("gong serve refuses new sessions above the memory watermark, and says so in /ready", async () => {
  await using gong = await startGong(["--isolates", "1", "--memory", "1"]);
  await gong.line(/memory\.watermark/);
  // Over the same port of the hub as the line that was waited for, but to the edge: ask until it has come through.
  let answer = await rawRequest(gong.port, handshake("/push"));
  for (let i = 0; i < 100 && answer.status === 101; i++) answer = await rawRequest(gong.port, handshake("/push"));
  check({ title: "", send: "", status: 503, headers: { ...TEXT, ...RETRY } }, answer);
  const ready = await rawRequest(gong.port, get("/ready"));
  assertEquals(ready.status, 503);
  assertStringIncludes(ready.body, "memory");
});

/** Asks again and again until it is refused with 429, which it has to be after two requests and one more a second. */
function exhauster(port: number): (send: string) => Promise<RawResponse[]> {
  const start = performance.now();
  let taken = 0;
  return async (send) => {
    const answers: RawResponse[] = [];
    for (;;) {
      const answer = await rawRequest(port, send);
      answers.push(answer);
      if (answer.status === 429) return answers;
      const seconds = (performance.now() - start) / 1000;
      assert(++taken <= 2 + seconds, `${answer.status} for the ${taken}th after ${seconds} s`);
    }
  };
}

Deno.test("gong serve refuses requests of an address over its rate with 429", async () => {
  await using gong = await startGong(["--isolates", "1", "--api-rate", "1"]);
  const answers = await exhauster(gong.port)(post("/api/publish", '{"channel":"a","data":1}'));
  assertEquals([...new Set(answers.map(({ status }) => status))], [200, 429]);
  assertMatch(answers.at(-1)!.headers.get("retry-after") ?? "", RETRY["retry-after"]);
});

Deno.test("gong serve refuses whatever an address over --request-rate asks with 429, and answers its balancer", async () => {
  await using gong = await startGong(["--isolates", "1", "--request-rate", "1"]);
  const [limited, problem] = [{ title: "", send: "", status: 429 }, { code: "rate_limited", headers: RETRY }];
  const rows: [string, object][] = [
    [get("/"), problem],
    [get("/session"), problem],
    [get("/admin/session"), problem],
    [get("/metrics"), problem],
    [get("/nothing", { Host: "a/health?" }), problem],
    [handshake("/push"), { headers: { ...TEXT, ...RETRY } }],
  ];
  const exhaust = exhauster(gong.port);
  await exhaust(get("/favicon.svg"));
  // A token comes back every second, and is taken by whichever request is next.
  for (const [send, row] of rows) check({ ...limited, ...row }, (await exhaust(send)).at(-1)!);
  for (const path of ["/health", "/ready"]) {
    for (let i = 0; i < 5; i++) assertEquals((await rawRequest(gong.port, get(path))).status, 200);
  }
});

/** An edge that the hub has not told yet that there is no room lets a client in, which is closed at once. */
async function refusedHandshake(port: number, close: number): Promise<RawResponse> {
  for (;;) {
    using connection = await RawConnection.open(port);
    await connection.write(handshake("/push"));
    const response = await connection.readResponse();
    if (response.status !== 101) return response;
    assertEquals(await connection.readClose(), close);
  }
}

/** Whoever hears itself through the hub has been counted there; of two edges either may have told the hub first. */
async function admitted(connection: RawConnection, text: string): Promise<void> {
  await connection.sendFrame(OPCODE.text, text);
  let heard: Uint8Array;
  do heard = (await connection.readFrameOf(OPCODE.text)).payload; while (new TextDecoder().decode(heard) !== text);
}

Deno.test("gong serve refuses a connection too many, and admits one again when one has gone", async (t) => {
  for (const [flag, status, close] of [["--max-connections", 503, 1013], ["--max-per-address", 429, 4429]] as const) {
    await t.step(flag, async () => {
      await using gong = await startGong(["--isolates", "2", flag, "2"]);
      const open = await Promise.all([1, 2].map(() => openWebSocket(gong.port)));
      await Promise.all(open.map((connection, index) => admitted(connection, String(index))));
      check({ title: "", send: "", status, headers: { ...TEXT, ...RETRY } }, await refusedHandshake(gong.port, close));
      open[0]?.close();
      let answer: number;
      const deadline = Date.now() + 10_000;
      do answer = (await rawRequest(gong.port, handshake("/push"))).status; while (
        answer !== 101 && Date.now() < deadline
      );
      assertEquals(answer, 101);
      open[1]?.close();
    });
  }
});
