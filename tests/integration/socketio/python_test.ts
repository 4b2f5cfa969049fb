/** `python3-socketio` of Debian, a client that has nothing in common with those of JavaScript. */
import { assertEquals } from "@std/assert";
import { connect } from "../../support/client.ts";
import { startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { Python } from "../../support/python.ts";
import { WAYS } from "../../support/socketio/mod.ts";

const python = new Python("./socketio/client.py", ["socketio", "requests", "websocket"]);

for (const { way, transports, last } of WAYS) {
  python.test(`python3-socketio speaks with the server, ${way}: events, acknowledgements, rooms, bytes, a question`, async () => {
    await using gong = await startGong(["--isolates", "2", "--ping", "1s", "--ping-timeout", "4s"]);
    await using script = python.start([gong.url, transports.join(), "/py"]);
    const { connected, session } = await script.next();
    assertEquals([connected, typeof session], [last, "string"]);
    assertEquals(await script.next(), { position: ["py", 1], heard: ["hello", { a: 1 }, "你好", null] });
    assertEquals(await script.next(), { room: 1, heard: ["news", 1] });
    assertEquals(await script.next(), { joined: "py/second" });
    assertEquals(await script.next(), { heard: ["news", [2]] });
    assertEquals(await script.next(), { left: {} });
    assertEquals(await script.next(), { refused: "bad_request" });
    assertEquals(await script.next(), { heard: ["bytes", { bytes: [0, 255] }, { deep: [{ bytes: [] }, "text"] }] });

    await using asker = await connect(`${gong.ws}/push?format=json`);
    await asker.next();
    asker.socket.send(JSON.stringify({ id: 1, ask: { sessions: [session], data: "what?" } }));
    assertEquals(await script.next(), { asked: ["message", "what?"] });
    const { ok } = JSON.parse(String(await asker.next()));
    assertEquals(ok.data, { answer: [1, "two"] });

    // Whoever does not answer one gets no other.
    assertEquals(await script.next(), { pings: 3 });
    await publish(gong, [{ channel: "py", data: ["later"], event: "hello" }]);
    assertEquals(await script.next(), { beaten: ["hello", "later"] });
    assertEquals(await script.next(), { end: "disconnected" });
    assertEquals(await script.rest(), [{ refused: ["data", "message"] }]);
  });
}
