import { assert, assertEquals, assertRejects } from "@std/assert";
import { FrameReader } from "../../../lib/cli/bench/frames.ts";
import { SocketioReader } from "../../../lib/cli/bench/wires/socketio_reader.ts";
import { assertDeliveredOnce, runLoad } from "../../support/load.ts";
import { serveSocketio } from "./socketio_peer.ts";

const small = { subscribers: 6, rate: 0, count: 40, workers: 2, format: "socketio" } as const;
const decoder = new TextDecoder();

/** Tests with isolates: what the runtime keeps for them is not a leak of the test. */
function loadTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

loadTest("runLoad() of Socket.IO connects to the namespace / and sends the event message there", async () => {
  await using peer = serveSocketio();
  const report = await runLoad({ url: `${peer.url}?echo=true`, ...small, publishers: 2, size: 77, apiKey: "s3cret" });
  assertDeliveredOnce(report);
  assertEquals([report.format, report.publishers, report.delivered], ["socketio", 2, 240]);
  assertEquals(peer.said.filter((packet) => packet === "40").length, 8);
  const events = peer.said.filter((packet) => packet.startsWith("42"));
  assert(events.length >= 40);
  for (const event of events) {
    const [name, ...args] = JSON.parse(event.slice(2));
    assertEquals([name, args.length, args[0].length], ["message", 1, 77]);
  }
  assertEquals([...peer.keys], ["s3cret"]);
  assertEquals([...peer.queries], ["?echo=true&EIO=4&transport=websocket"]);
});

loadTest("runLoad() of Socket.IO takes the channel for the namespace", async () => {
  await using peer = serveSocketio();
  assertDeliveredOnce(await runLoad({ url: peer.url, ...small, channel: "chat1" }));
  assertEquals(new Set(peer.said.map((packet) => packet.slice(0, 9))), new Set(["40/chat1,", "42/chat1,"]));
});

loadTest(
  "runLoad() of Socket.IO tells the message of the CONNECT_ERROR that a subscriber was refused with",
  async () => {
    let asked = 0;
    await using peer = serveSocketio((packet, client) => {
      if (!packet.startsWith("40") || ++asked % 3 !== 0) return false;
      client.send('44/chat1,{"message":"Not for you.","data":{"code":"forbidden"}}');
      return true;
    });
    const report = await runLoad({ url: peer.url, ...small, channel: "chat1" });
    assertEquals(report.failed, { "Not for you.": 2 });
    assertEquals([report.connected, report.delivered, report.lost], [4, 160, 0]);
  },
);

loadTest("runLoad() of Socket.IO says CONNECT only when the server has opened the session", async () => {
  await using peer = serveSocketio(undefined, (client) => client.close(4403));
  const report = await runLoad({ url: peer.url, ...small, publishers: 0, duration: 0 });
  assertEquals(report.failed, { "closed before it was connected: 4403": 6 });
  assertEquals(peer.said, []);
});

loadTest("runLoad() of Socket.IO answers each ping", async () => {
  let pinged = 0;
  await using peer = serveSocketio((packet, publisher, clients) => {
    if (!packet.startsWith("42")) return false;
    for (const client of clients) {
      if (client === publisher) continue;
      pinged += 1;
      client.send("2");
    }
    return false;
  });
  assertDeliveredOnce(await runLoad({ url: peer.url, ...small }));
  assert(pinged >= 240);
  // Each ping came before an event that was awaited.
  assertEquals(peer.said.filter((packet) => packet === "3").length, pinged);
});

loadTest("runLoad() of Socket.IO counts refusals by the code of the event $error", async () => {
  await using peer = serveSocketio((packet, client) => {
    if (!packet.includes("00000000000003")) return false;
    client.send('42["$error",{"code":"overloaded","message":"Too much."}]');
    return true;
  });
  // What is lost is waited for, so long that a machine that stands still has not lost the rest too.
  const report = await runLoad({ url: peer.url, ...small, settle: 3 });
  assertEquals(report.refused, { overloaded: 1 });
  assertEquals(report.lost, 6);
});

Deno.test("SocketioReader takes the server's answers and pings for itself and gives on the rest, cut anywhere", async () => {
  const packets = ['0{"sid":"a"}', "2", '40/a,{"sid":"b"}', "2", '42/a,["message","2"]', "2", '42/a,["x",2]', "2"];
  const bytes = Uint8Array.from(
    packets.flatMap((packet) => [0x81, packet.length, ...new TextEncoder().encode(packet)]),
  );
  for (let cut = 0; cut <= bytes.length; cut++) {
    let pings = 0;
    let given = "";
    const reader = new SocketioReader((all, start, end) => {
      given += decoder.decode(all.subarray(start, end));
      return end;
    }, () => pings++);
    const frames = new FrameReader(reader.onData, () => {}, 8);
    frames.push(bytes.subarray(0, cut));
    frames.push(bytes.subarray(cut));
    await Promise.all([reader.opened, reader.connected]);
    assertEquals([given, pings], ['42/a,["message","2"]42/a,["x",2]', 4], `cut at ${cut}`);
  }
});

Deno.test("SocketioReader takes the last byte of a message for no ping", () => {
  let pings = 0;
  let given = "";
  const reader = new SocketioReader((all, start, end) => {
    given += decoder.decode(all.subarray(start, end));
    return end;
  }, () => pings++);
  const bytes = new TextEncoder().encode("40{}42");
  reader.onData(bytes, 0, 4, true);
  reader.onData(bytes, 4, 5, false);
  reader.onData(bytes, 5, 6, true);
  assertEquals([given, pings], ["42", 0]);
});

Deno.test("SocketioReader rejects with what a CONNECT_ERROR says, even if it says nothing", async () => {
  const reader = new SocketioReader((_bytes, _start, end) => end, () => {});
  const bytes = new TextEncoder().encode("44{}");
  reader.onData(bytes, 0, bytes.length, true);
  await assertRejects(() => reader.connected, Error, "44{}");
});
