/**
 * The end of a server that has clients, at every door.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../support/client.ts";
import { EventStreamParser, type StreamPart } from "../support/event_stream.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { openWebSocket, RawConnection, rawRequest } from "../support/raw.ts";
import { handshake } from "../support/requests.ts";
import { connectStomp, textOf } from "../support/stomp.ts";
import { untilSessions } from "../support/until.ts";

const CLIENTS = 200;

async function publish(gong: Gong, data: string): Promise<number> {
  const response = await fetch(`${gong.url}/api/publish`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channel: "broadcast", data }),
  });
  await response.body?.cancel();
  return response.status;
}

Deno.test("SIGTERM spreads 200 clients, refuses new ones, answers everything else, and ends when they are gone", async () => {
  await using gong = await startGong(["--isolates", "1", "--drain", "8"]);
  // Its client never answers the close, so that the drain takes as long as it may.
  using _stays = await openWebSocket(gong.port);
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => connect(`${gong.ws}/push?format=json&channel=broadcast`)),
  );
  await untilSessions(gong, CLIENTS + 1);
  const order: number[] = [];
  const closed = clients.map(async (client, number) => {
    const ending = await client.closed;
    order.push(number);
    return ending;
  });
  gong.signal("SIGTERM");
  await gong.line(/server\.drain/);

  const ready = await fetch(`${gong.url}/ready`);
  assertEquals([ready.status, (await ready.json()).reasons], [503, ["draining"]]);
  const refused = await rawRequest(gong.port, handshake("/push"));
  assertEquals(refused.status, 503);
  assertMatch(refused.headers.get("retry-after") ?? "", /^[1-8]$/);
  const polled = await fetch(`${gong.url}/poll?channel=broadcast`);
  assertEquals([polled.status, (await polled.json()).code], [503, "going_away"]);
  assertEquals(await publish(gong, "still here"), 200);

  for (const { code } of await Promise.all(closed)) assertEquals(code, 1001);
  const numbers = Array.from({ length: CLIENTS }, (_, number) => number);
  assertEquals(order.toSorted((a, b) => a - b), numbers);
  assert(order.join() !== numbers.join());
  const times = [...gong.output().matchAll(/^.*session\.close.*going_away.*$/gm)].map(([line]) =>
    Date.parse(JSON.parse(line).time)
  );
  assertEquals(times.length, CLIENTS + 1);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const early = times.filter((time) => time < first + (last - first) / 10).length;
  assert(early < CLIENTS / 2 && last > first, `${early} of them went in the first tenth`);
  for (const client of clients) {
    for (let line = "";;) {
      line = (await client.nextText()).split("\n").at(-1)!;
      const { type, code, retry, retryAfter, cursor } = JSON.parse(line);
      if (type !== "close") continue;
      assertEquals([code, retry, retryAfter], ["going_away", true, 1]);
      assertMatch(cursor, /^broadcast@/);
      break;
    }
  }
  assertEquals(await gong.finished, 0);
});

Deno.test("SIGTERM tells the clients of every door when to come back, in its own words", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const stream = await fetch(`${gong.url}/sse?channel=broadcast`);
  const lines = await fetch(`${gong.url}/stream?channel=broadcast`);
  const poll = fetch(`${gong.url}/poll?channel=broadcast&timeout=60`);
  const stomp = await connectStomp(gong);
  const plain = await connect(`${gong.ws}/push`);
  await untilSessions(gong, 5);
  const code = gong.stop();

  const parts: StreamPart[] = [...new EventStreamParser().feed(await stream.text())];
  const hints = parts.filter(({ kind }) => kind === "retry");
  assertEquals(hints.length, 2);
  const end = parts.at(-1)!;
  assert(end.kind === "event" && end.event === "$close", JSON.stringify(end));
  assertEquals(JSON.parse(end.data).retryAfter, 1);

  const last = JSON.parse((await lines.text()).trim().split("\n").at(-1)!);
  assertEquals([last.type, last.code, last.retryAfter], ["close", "going_away", 1]);

  const polled = await poll;
  assertEquals([polled.status, (await polled.json()).code], [503, "going_away"]);
  const after = Number(polled.headers.get("retry-after"));
  assert(after >= 1 && after <= 6, String(after));

  const error = await stomp.next("ERROR");
  assertEquals(error.headers.get("retry-after"), "1");
  assertMatch(textOf(error), /worth another try: yes, after 1 s/);

  const { code: close, reason } = await plain.closed;
  assertEquals([close, reason], [1001, "The server is going away."]);
  assertEquals(await code, 0);
});

Deno.test("SIGTERM ends a server without clients at once, and a second one whatever is left", async () => {
  await using idle = await startGong(["--isolates", "1", "--drain", "600"]);
  assertEquals(await idle.stop(), 0);
  await using busy = await startGong(["--isolates", "1", "--drain", "600"]);
  using _stays = await openWebSocket(busy.port);
  busy.signal("SIGTERM");
  await busy.line(/server\.drain/);
  busy.signal("SIGTERM");
  assertEquals(await busy.finished, 143);
});

Deno.test("SIGTERM leaves a publication that is under way its time", async () => {
  await using gong = await startGong(["--isolates", "1", "--drain", "20"]);
  using connection = await RawConnection.open(gong.port, { patience: 20_000 });
  const body = '{"channel":"broadcast","data":"slowly"}';
  const head = ["POST /api/publish HTTP/1.1", "host: localhost", "content-type: application/json"];
  await connection.write(`${[...head, `content-length: ${body.length}`].join("\r\n")}\r\n\r\n${body.slice(0, 10)}`);
  // Answered on the same isolate after the other has begun.
  await (await fetch(`${gong.url}/health`)).body?.cancel();
  gong.signal("SIGTERM");
  await gong.line(/server\.drain/);
  // Longer than a server that has nobody left takes to end.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await connection.write(body.slice(10));
  const answer = await connection.readResponse("POST");
  assertEquals([answer.status, JSON.parse(answer.body).positions[0].offset], [200, 1]);
  assertEquals(await gong.finished, 0);
});
