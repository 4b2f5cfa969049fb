import { GongError } from "../../lib/errors.ts";
import { assert, assertEquals } from "@std/assert";
import { Heartbeat, LOOK } from "../../lib/engineio/heartbeat.ts";
import { openStage, SETTINGS, type Stage } from "../support/engine.ts";
import { Poller, type Wire } from "../support/engine_client.ts";
import { until } from "../support/until.ts";

/** Here, and where the WebSocket is on another edge than the session. */
const PLACES = [
  { where: "on its own edge", edges: 1, choose: () => 0 },
  { where: "on another edge", edges: 2, choose: ({ headers }: Request) => headers.has("upgrade") ? 1 : 0 },
];

/** A WebSocket that was granted the session. */
async function probe(client: Poller): Promise<Wire> {
  const wire = await client.upgrade();
  wire.send("2probe");
  assertEquals(await wire.next(), "3probe");
  return wire;
}

function sizes(stage: Stage): number[] {
  return stage.servers.map(({ size }) => size);
}

for (const { where, edges, choose } of PLACES) {
  Deno.test(`a session goes on with a WebSocket ${where}: first what was gathered, then the rest`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    await client.post("4a");
    const wire = await probe(client);
    // Nothing is taken from whom it still belongs to.
    assertEquals((await client.poll()).text, "4a");
    await client.post("4b");
    stage.host.last.say(new Uint8Array([1, 2]));
    wire.send("5");
    wire.send("4c");
    assertEquals(await wire.next(), "4b");
    assertEquals(await wire.next(), new Uint8Array([1, 2]));
    assertEquals(await wire.next(), "4c");
    assertEquals(stage.host.sessions.length, 1);
    const { last: heard } = stage.host;
    assertEquals(heard.said, ["a", "b", "c"]);
    assertEquals([heard.socket.sid, heard.socket.transport], [client.sid, "websocket"]);
    assert(heard.socket.outlet instanceof WebSocket);
    assertEquals(heard.changes, edges === 1 ? 1 : 0);
    assertEquals(sizes(stage), edges === 1 ? [1] : [0, 1]);
    assertEquals(stage.host.given.every(({ ended }) => ended === undefined), true);
    await wire.close();
    await until(() => heard.ended !== undefined);
    assertEquals(sizes(stage), edges === 1 ? [0] : [0, 0]);
  });

  Deno.test(`a client of 3 goes on with a WebSocket ${where}`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url, 3);
    await client.post("2:4a");
    const wire = await probe(client);
    assertEquals((await client.poll()).text, "2:4a1:6");
    stage.host.last.say(new Uint8Array([1, 2]));
    wire.send("5");
    wire.send("4b");
    assertEquals([await wire.next(), await wire.next()], [new Uint8Array([4, 1, 2]), "4b"]);
    assertEquals([stage.host.last.socket.protocol, stage.host.last.said], [3, ["a", "b"]]);
    await wire.close();
  });

  Deno.test(`a GET that waits is let go with \`6\` once a WebSocket ${where} was granted its session`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    const { begun: poll } = await stage.asked(() => client.poll());
    const wire = await probe(client);
    assertEquals((await poll).text, "6");
    assertEquals((await client.poll()).text, "6");
    wire.send("5");
    wire.send("4a");
    assertEquals(await wire.next(), "4a");
    await wire.close();
  });

  Deno.test(`what is sent without waiting for anything is heard in order by a WebSocket ${where}`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    const wire = await client.upgrade();
    for (const frame of ["2probe", "5", "4a", "4b", "4c"]) wire.send(frame);
    const heard = [];
    for (let i = 0; i < 4; i++) heard.push(await wire.next());
    assertEquals(heard, ["3probe", "4a", "4b", "4c"]);
    await wire.close();
  });

  Deno.test(`what the host says while its session moves goes along to a WebSocket ${where}`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    stage.host.giving = async (heard) => {
      heard.say("before");
      await Promise.resolve();
      assertEquals((await client.post("4late")).status, 400);
      assertEquals((await client.poll()).status, 400);
      heard.say("packed");
    };
    const wire = await probe(client);
    wire.send("5");
    if (edges === 1) assertEquals(stage.host.given, []);
    else assertEquals([await wire.next(), await wire.next()], ["4before", "4packed"]);
    wire.send("4a");
    assertEquals(await wire.next(), "4a");
    await wire.close();
  });

  Deno.test(`after an upgrade to a WebSocket ${where} requests with its sid are refused, and it goes on`, async () => {
    await using stage = openStage({ edges });
    const client = await Poller.open(stage.url);
    const wire = await probe(client);
    wire.send("5");
    wire.send("4a");
    assertEquals(await wire.next(), "4a");
    for (let i = 0; i < 4 * edges; i++) {
      const answers = [await client.poll(), await client.post("4x")];
      assertEquals(answers.map(({ status, text }) => [status, JSON.parse(text).code]), [[400, 3], [400, 3]]);
      const second = await client.upgrade();
      // Where the session is not, it is not known before it is asked for.
      if (!second.closed) second.send("2probe");
      await second.end();
    }
    wire.send("4b");
    assertEquals(await wire.next(), "4b");
    assertEquals(stage.host.last.said, ["a", "b"]);
    await wire.close();
  });

  Deno.test(`a WebSocket ${where} that does not upgrade leaves its session as it is`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    const wire = await probe(client);
    await wire.close();
    await client.post("4a");
    assertEquals((await client.poll()).text, "4a");
    // The server may hear of that later than its client.
    let next = wire;
    await until(
      async () => {
        next = await client.upgrade();
        next.send("2probe");
        return await next.next().then((frame) => frame === "3probe", () => false);
      },
      undefined,
      SETTINGS.upgradeTimeout - 2000,
    );
    next.send("5");
    next.send("4c");
    assertEquals(await next.next(), "4c");
    await next.close();
  });

  Deno.test(`a WebSocket ${where} that says anything but what is due is closed, and its session goes on`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    for (const frames of [["5"], ["4a"], ["2"], ["2probe", "4a"], [new Uint8Array([1])]]) {
      const wire = await client.upgrade();
      for (const frame of frames) wire.send(frame);
      assertEquals((await wire.end()).code, 4400);
    }
    await client.post("4b");
    assertEquals((await client.poll()).text, "4b");
    assertEquals(stage.host.last.said, ["b"]);
  });

  Deno.test(`a WebSocket ${where} that takes longer than \`upgradeTimeout\` is closed`, async () => {
    let now = 1000;
    const heartbeat = new Heartbeat({ now: () => now, timer: () => () => {} });
    await using stage = openStage({ edges, choose, heartbeat });
    const client = await Poller.open(stage.url);
    const wire = await probe(client);
    const pass = (milliseconds: number) => {
      for (const end = now + milliseconds; now < end; heartbeat.look()) now = Math.min(end, now + LOOK);
    };
    pass(SETTINGS.upgradeTimeout - 1);
    assertEquals(wire.closed, undefined);
    pass(1);
    assertEquals((await wire.end()).reason, "upgrade timeout");
    await client.post("4a");
    assertEquals((await client.poll()).text, "4a");
  });

  Deno.test(`a session whose ping was out when it got a WebSocket ${where} is pinged anew`, async () => {
    let now = 1000;
    const heartbeat = new Heartbeat({ now: () => now, timer: () => () => {} });
    await using stage = openStage({ edges, choose, heartbeat });
    const client = await Poller.open(stage.url);
    const pass = (milliseconds: number) => {
      for (const end = now + milliseconds; now < end; heartbeat.look()) now = Math.min(end, now + LOOK);
    };
    pass(SETTINGS.pingInterval);
    const wire = await probe(client);
    wire.send("5");
    assertEquals(await wire.next(), "2");
    pass(SETTINGS.pingInterval - 1);
    assert(stage.host.last.socket.isOpen);
    pass(1);
    assertEquals(await wire.next(), "2");
    await wire.close();
  });

  Deno.test(`one of two WebSockets ${where} may go on with a session, the other is closed`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    const wire = await probe(client);
    const other = await client.upgrade();
    assertEquals((await other.end()).code, 4409);
    wire.send("5");
    wire.send("4a");
    assertEquals(await wire.next(), "4a");
    await wire.close();
  });

  Deno.test(`a WebSocket ${where} is closed when its session has ended`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    const wire = await probe(client);
    await client.post("1");
    if (edges > 1) wire.send("5");
    assertEquals((await wire.end()).reason, edges > 1 ? "There is nothing here." : "");
    assertEquals(sizes(stage).every((size) => size === 0), true);
  });

  Deno.test(`close() of a session that is being upgraded ${where} closes its WebSocket`, async () => {
    await using stage = openStage({ edges, choose });
    const client = await Poller.open(stage.url);
    const { last: heard } = stage.host;
    const wire = await probe(client);
    heard.say("last");
    heard.socket.close(4403, "go");
    wire.send("5");
    assertEquals(await wire.next(), "4last");
    assertEquals(await wire.end(), { code: 4403, reason: "go" });
    await until(() => heard.ended !== undefined);
    assertEquals(sizes(stage).every((size) => size === 0), true);
  });
}

Deno.test("close() of a session on its way to another edge reaches its client, behind what was said before", async () => {
  await using stage = openStage(PLACES.find(({ edges }) => edges > 1)!);
  const client = await Poller.open(stage.url);
  const { last: heard } = stage.host;
  stage.host.giving = () => {
    heard.say("last");
    heard.socket.close(4403, "go");
    throw new GongError("not_found");
  };
  const wire = await probe(client);
  wire.send("5");
  assertEquals(await wire.next(), "4last");
  assertEquals(await wire.end(), { code: 4403, reason: "go" });
  await until(() => heard.ended !== undefined);
  assertEquals(heard.ended, { code: 4403, reason: "go", clean: true });
  assertEquals(sizes(stage).every((size) => size === 0), true);
});
