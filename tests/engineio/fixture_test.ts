import { assert, assertEquals } from "@std/assert";
import { serveFixture } from "../fixtures/socketio/server.ts";
import { ask, Poller, Wire } from "../support/engine_client.ts";

// Times of the suites have to be as they are; here they are longer, since machines stand still.
const TIMES = { pingInterval: 5000, pingTimeout: 4000 };

/** The fixture, and where its echo is. */
async function withFixture(
  test: (url: string) => Promise<void>,
  settings: Parameters<typeof serveFixture>[1] = TIMES,
): Promise<void> {
  const listener = serveFixture(0, { allowEio3: true, ...settings });
  try {
    await test(`http://127.0.0.1:${listener.addr.port}/engine.io/`);
  } finally {
    await listener.shutdown();
  }
}

Deno.test("the fixture opens sessions with what the suites expect", () =>
  withFixture(async (url) => {
    const { handshake } = await Poller.open(url);
    const { sid: _, ...rest } = handshake;
    assertEquals(rest, { upgrades: ["websocket"], pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 });
    const { wire, handshake: { upgrades } } = await Wire.begin(url);
    assertEquals(upgrades, []);
    await wire.close();
  }, {}));

Deno.test("the fixture answers other paths with 404, and its own without the slash too", () =>
  withFixture(async (url) => {
    assertEquals((await ask(url.replace("engine.io", "other"), {})).status, 404);
    assertEquals((await ask(url.slice(0, -1), {})).status, 400);
  }));

for (const protocol of [4, 3] as const) {
  const pack = (packet: string) => protocol === 4 ? packet : `${packet.length}:${packet}`;

  Deno.test(`the fixture says everything of ${protocol} again, over polling, a WebSocket and both`, () =>
    withFixture(async (url) => {
      const client = await Poller.open(url, protocol);
      assertEquals((await client.post(pack("4hello"))).text, "ok");
      assertEquals((await client.poll()).text, pack("4hello"));
      const { wire } = await Wire.begin(url, protocol);
      wire.send("4hello");
      assertEquals(await wire.next(), "4hello");
      await wire.close();
      const upgraded = await client.upgrade();
      upgraded.send("2probe");
      assertEquals(await upgraded.next(), "3probe");
      assertEquals((await client.poll()).text, pack("6"));
      upgraded.send("5");
      upgraded.send("4hello");
      assertEquals(await upgraded.next(), "4hello");
      await upgraded.close();
    }));
}

Deno.test("a GET behind a probe and an upgrade that nobody waited for is refused", () =>
  withFixture(async (url) => {
    for (let i = 0; i < 20; i++) {
      const client = await Poller.open(url);
      const wire = await client.upgrade();
      wire.send("2probe");
      wire.send("5");
      assertEquals((await client.poll()).status, 400);
      wire.send("4hello");
      assertEquals([await wire.next(), await wire.next()], ["3probe", "4hello"]);
      await wire.close();
    }
  }));

Deno.test("the fixture pings, hears answers, and ends whoever gives none", () =>
  withFixture(async (url) => {
    const client = await Poller.open(url);
    const { wire } = await Wire.begin(url);
    for (let i = 0; i < 2; i++) {
      assertEquals((await client.poll()).text, "2");
      assertEquals((await client.post("3")).text, "ok");
      assertEquals(await wire.next(), "2");
      wire.send("3");
    }
    const asked = performance.now();
    assertEquals(await wire.next(), "2");
    await wire.end();
    assert(performance.now() - asked > 4000);
    assertEquals((await client.poll()).status, 400);
  }, { pingInterval: 300, pingTimeout: 4500 }));
