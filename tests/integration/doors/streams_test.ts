import { assert, assertEquals } from "@std/assert";
import { SSE, STREAMS } from "../../support/doors/mod.ts";
import { DoorClient } from "../../support/doors/door_client.ts";
import { stream } from "../../support/doors/http.ts";
import type { Heard } from "../../support/doors/wire.ts";
import { startGong } from "../../support/gong.ts";
import { numbered, publish, type Published } from "../../support/publish.ts";
import { until, untilSessions } from "../../support/until.ts";

const CHANNEL = "open.a";
const WISH = { channels: [CHANNEL] };

function textOf({ data }: Heard): string {
  return "text" in data ? data.text : "";
}

function textsOf(published: readonly Published[]): unknown[] {
  return published.map(({ data }) => data);
}

for (const { name, open, target } of STREAMS) {
  Deno.test(`${target} says that it lives whenever it has been silent for a ping`, async () => {
    await using gong = await startGong(["--isolates", "1", "--ping", "0.2"]);
    await using client = await DoorClient.open(open, gong, WISH);
    const start = performance.now();
    await client.until("heartbeat");
    await client.until("heartbeat");
    const took = performance.now() - start;
    assert(took > 150 && took < 5000, `two heartbeats within ${took} ms`);
    await publish(gong, [{ channel: CHANNEL, data: "still there" }]);
    assertEquals(textOf(await client.next()), "still there");
  });

  Deno.test(`${target} ends with too_old after --max-stream-age, and goes on from the cursor without a loss`, async () => {
    await using gong = await startGong(["--isolates", "2", "--max-stream-age", "1"]);
    let isOver = false;
    const published: Published[] = [];
    async function publishOn(): Promise<void> {
      for (let n = 0; !isOver; n++) {
        published.push(...await publish(gong, numbered([CHANNEL], 3, `${n} `)));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    const publishing = publishOn();
    const heard: string[] = [];
    let since: string | undefined;
    await until(() => published.length > 0);
    const first = published[0]!.position;
    since = `${CHANNEL}@${first.epoch}:${first.offset - 1}`;
    for (let streams = 0; streams < 3; streams++) {
      await using client = await DoorClient.open(open, gong, { ...WISH, since });
      assertEquals(client.recovered, true, `from ${since}`);
      for (;;) {
        const item = await client.either("publication", "end");
        if (item.kind === "publication") {
          heard.push(textOf(item.heard));
          continue;
        }
        assertEquals(item.end.code, "too_old");
        assertEquals(client.cursor, item.end.cursor, "the cursor of the notice is where the client stands");
        since = item.end.cursor;
        break;
      }
    }
    isOver = true;
    await publishing;
    await using last = await DoorClient.open(open, gong, { ...WISH, since });
    heard.push(...(await last.take(published.length - heard.length)).map(textOf));
    assertEquals<unknown[]>(heard, textsOf(published));
  });

  Deno.test(`${target} ends with going_away at shutdown`, async () => {
    await using gong = await startGong(["--isolates", "2"]);
    const clients = await Promise.all([1, 2, 3, 4].map(() => DoorClient.open(open, gong, WISH)));
    const [published] = await publish(gong, [{ channel: CHANNEL, data: "last" }]);
    for (const client of clients) await client.next();
    const stopped = gong.stop();
    for (const client of clients) {
      const { code, cursor } = await client.end();
      assertEquals([code, cursor], ["going_away", `${CHANNEL}@${published!.position.epoch}:1`]);
      await client[Symbol.asyncDispose]();
    }
    assertEquals(await stopped, 0);
  });

  Deno.test(`${target} leaves no session when its client is gone`, async () => {
    await using gong = await startGong(["--isolates", "2"]);
    const clients = await Promise.all([1, 2, 3, 4].map(() => DoorClient.open(open, gong, WISH)));
    await untilSessions(gong, 4, name);
    clients[0]!.drop();
    await untilSessions(gong, 3, name);
    for (const client of clients) client.drop();
    await untilSessions(gong, 0);
  });

  Deno.test(`${target} ends with forbidden when the operator closes the session`, async () => {
    await using gong = await startGong(["--isolates", "2"]);
    await using client = await DoorClient.open(open, gong, WISH);
    const list = await (await fetch(`${gong.url}/api/sessions`)).json();
    assertEquals(list.sessions.map(({ door, channels }: { door: string; channels: string[] }) => [door, channels]), [
      [name, [CHANNEL]],
    ]);
    const [{ id }] = list.sessions;
    if (client.session !== undefined) assertEquals(client.session, id);
    const response = await fetch(`${gong.url}/api/sessions/${id}`, { method: "DELETE" });
    assertEquals(response.status, 204);
    assertEquals((await client.end()).code, "forbidden");
    await untilSessions(gong, 0);
  });

  Deno.test(`${target} brings a signal to its session`, async () => {
    await using gong = await startGong(["--isolates", "2"]);
    await using client = await DoorClient.open(open, gong, WISH);
    assert(client.session, "it was told its id");
    const response = await fetch(`${gong.url}/api/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sessions: [client.session], data: { a: "\u2028</script>" } }),
    });
    assertEquals(await response.json(), { reached: 1 });
    assertEquals((await client.until("signal")).signal.data, { json: { a: "\u2028</script>" } });
  });
}

Deno.test("/sse begins with retry, and says where it stands as soon as it is subscribed", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const [first] = await publish(gong, [{ channel: CHANNEL, data: "x" }]);
  const { read, drop } = await stream(gong, SSE.target);
  let text = "";
  while (!/\$subscribed[^]*\n\n/.test(text)) text += await read();
  drop();
  assert(text.startsWith("retry: 1000\n"), text);
  assert(text.includes(`\nid: ${CHANNEL}@${first!.position.epoch}:1\n`), text);
});

Deno.test("/sse resumes from Last-Event-ID, which wins over since", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const published = await publish(gong, numbered([CHANNEL], 5));
  const { epoch } = published[0]!.position;
  const at = (offset: number) => `${CHANNEL}@${epoch}:${offset}`;
  const rows: [string | undefined, string | undefined, number][] = [
    [at(3), undefined, 3],
    [at(3), at(1), 3],
    [at(1), at(3), 1],
    [`${epoch}:2`, at(3), 2],
    ["", at(2), 2],
    [undefined, at(2), 2],
  ];
  for (const [id, since, offset] of rows) {
    const headers = id === undefined ? {} : { "last-event-id": id };
    await using client = await DoorClient.open(SSE.open, gong, { ...WISH, since, headers });
    assertEquals(client.recovered, true);
    assertEquals((await client.take(5 - offset)).map(textOf), textsOf(published.slice(offset)));
  }
});

Deno.test("/sse refuses a Last-Event-ID that is no cursor", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  for (const id of ["nonsense", "open.a@e:x", "secret channel@e:1", "x".repeat(10_000)]) {
    const { status, body } = await DoorClient.open(SSE.open, gong, { ...WISH, headers: { "last-event-id": id } })
      .then(() => ({ status: 200, body: "" }), (refused) => refused);
    assertEquals([status, JSON.parse(body).code], [400, "bad_request"], body);
  }
});
