/**
 * The fixture, asked by the clients that pages use, and message by message.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { io } from "socket.io-client";
import { serveFixture } from "../fixtures/socketio/server.ts";
import { Wire } from "../support/engine_client.ts";

// Times of the suite have to be as they are; here they are longer, since machines stand still.
const TIMES = { pingInterval: 5000, pingTimeout: 4000, connectTimeout: 60_000 };

async function withFixture(
  test: (url: string) => Promise<void>,
  settings: Parameters<typeof serveFixture>[1] = {},
): Promise<void> {
  const listener = serveFixture(0, { ...TIMES, ...settings });
  try {
    await test(`http://127.0.0.1:${listener.addr.port}`);
  } finally {
    await listener.shutdown();
  }
}

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  Deno.test(`a client of version 4 talks with the fixture over ${transports.join(" and ")}`, () =>
    withFixture(async (url) => {
      const main = io(url, { transports, forceNew: true, auth: { token: "123" } });
      const custom = main.io.socket("/custom", { auth: {} });
      const unknown = main.io.socket("/random");
      const next = <T = unknown[]>(socket: typeof main, event: string) =>
        new Promise<T>((resolve) => socket.once(event, (...args) => resolve(args as T)));
      try {
        const auth = next(main, "auth");
        const refused = next<[Error]>(unknown, "connect_error");
        custom.connect();
        unknown.connect();
        assertEquals(await auth, [{ token: "123" }]);
        assertEquals((await refused)[0].message, "Invalid namespace");
        if (transports.length === 2 && main.io.engine.transport.name !== "websocket") {
          await new Promise((resolve) => main.io.engine.once("upgrade", resolve));
        }
        const bytes = new Uint8Array([1, 2, 3]);
        for (const socket of [main, custom]) {
          const back = next(socket, "message-back");
          socket.emit("message", 1, { a: [true] }, bytes);
          const [first, second, third] = await back;
          assertEquals([first, second, Array.from(third as Uint8Array)], [1, { a: [true] }, [1, 2, 3]]);
          assertEquals(await socket.emitWithAck("message-with-ack", "é"), "é");
        }
        custom.disconnect();
        assertEquals(await main.emitWithAck("message-with-ack", "still here"), "still here");
      } finally {
        main.disconnect();
        custom.disconnect();
        unknown.disconnect();
      }
    }));
}

Deno.test("the fixture closes who says nothing, who says what is no packet, and nobody else", () =>
  withFixture(async (url) => {
    const path = `${url}/socket.io/`;
    const { wire: connected } = await Wire.begin(path);
    connected.send("40");
    await connected.next();
    assertEquals(await connected.next(), '42["auth",{}]');
    const { wire: silent } = await Wire.begin(path);
    await silent.end();
    connected.send('42["message","still here"]');
    assertEquals(await connected.next(), '42["message-back","still here"]');
    for (const invalid of ["4abc", "42{}", '42abc["message-with-ack",1]']) {
      const { wire } = await Wire.begin(path);
      wire.send("40");
      await wire.next();
      wire.send(invalid);
      while (!wire.closed) await wire.next().catch(() => {});
      assert(wire.closed);
    }
    await connected.close();
  }, { connectTimeout: 4000 }));
