/** Coming back: who was cut off has its id and its rooms again, and each message once and in order. */
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { inFolder } from "../../support/folder.ts";
import { Counter, countsOf, heardAll } from "../../support/socketio/counts.ts";
import { connectSocket, LIBRARY_3, type SocketClient, WAYS } from "../../support/socketio/mod.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { until } from "../../support/until.ts";

const TIMES = 5;
const LIMITS = ["--history-count", "100000", "--api-rate", "100000", "--request-rate", "100000"];
/** Within the time in which a machine may stand still, and still soon: of a cut connection of polling only pings tell. */
const PINGS = ["--ping", "4s", "--ping-timeout", "4s"];

let gong: Gong;
let place = 0;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2", ...LIMITS, ...PINGS]);
});
Deno.test.afterAll(() => gong.kill());

function newChannel(): string {
  return `recovery-${++place}`;
}

/** It has always recovered, after the first time, and is who it was. */
function assertRecovered(client: SocketClient, times = TIMES): void {
  assertEquals(client.connects, [false, ...Array(times).fill(true)]);
  assertEquals(new Set(client.ids).size, 1, "its id is the same");
}

for (const { way, transports, last } of WAYS) {
  Deno.test(`a client whose transport ends comes back to where it was, ${way}, over and over while messages come`, async () => {
    const channel = newChannel();
    await using client = await connectSocket(gong, { transports, namespace: `/${channel}` });
    await client.ask("join", "r");
    await using counter = new Counter(gong, channel);
    await using inRoom = new Counter(gong, `${channel}/r`);
    for (let times = 1; times <= TIMES; times++) {
      await client.uses(last);
      await counter.more(5);
      await client.drop();
      await client.connected(times + 1);
    }
    const lasts = await Promise.all([counter.stop(), inRoom.stop()]);
    // Both channels count: each in its own order.
    await until(() => countsOf(client).length >= lasts[0] + lasts[1], () => `${countsOf(client).length} of ${lasts}`);
    const sorted = countsOf(client).toSorted((a, b) => a - b);
    assertEquals(sorted, lasts.flatMap((last) => Array.from({ length: last }, (_, n) => n + 1)).sort((a, b) => a - b));
    assertRecovered(client);
  });

  Deno.test(`a client whose network is cut comes back to where it was, ${way}, in all its namespaces`, async () => {
    const [one, two] = [newChannel(), newChannel()];
    await using proxy = new TcpProxy(gong);
    await using first = await connectSocket(proxy, { transports, namespace: `/${one}` });
    await using second = await connectSocket(proxy, { namespace: `/${two}`, beside: first });
    await using counts = new Counter(gong, one);
    await using others = new Counter(gong, two);
    for (let times = 1; times <= TIMES; times++) {
      await first.uses(last);
      await Promise.all([counts.more(5), others.more(5)]);
      // Between two polls there may be no connection to be cut; one that is back must not be.
      await until(() => {
        if (first.ends.length >= times) return true;
        proxy.cut();
        return false;
      });
      await Promise.all([first.connected(times + 1), second.connected(times + 1)]);
    }
    await heardAll(first, await counts.stop());
    await heardAll(second, await others.stop());
    for (const client of [first, second]) assertRecovered(client);
  });

  Deno.test(`a client of a server that is killed, over and over, comes back to where it was, ${way}: rooms, id, and all that came`, () =>
    inFolder(async (dir) => {
      const args = ["--isolates", "2", "--broker", "sqlite:gong.db", ...LIMITS, ...PINGS];
      let server = await startGong(args, { dir });
      const { port } = server;
      try {
        await using client = await connectSocket(server, {
          transports,
          namespace: "/chat",
          auth: { rooms: ["named"] },
        });
        await client.ask("join", "joined");
        await using counter = new Counter(server, "chat");
        const rooms: string[] = [];
        for (let times = 1; times <= TIMES; times++) {
          await client.uses(last);
          await counter.more(5);
          await server.kill();
          server = await startGong([...args, "--port", String(port)], { dir });
          // Before it is back, or after.
          for (const room of ["named", "joined"]) {
            const data = `${room} ${times}`;
            await publish(server, [{ channel: `chat/${room}`, data: [data], event: "room" }]);
            rooms.push(data);
          }
          await client.connected(times + 1);
        }
        await heardAll(client, await counter.stop());
        await until(() => client.heard.filter(({ event }) => event === "room").length >= rooms.length);
        const heard = client.heard.filter(({ event }) => event === "room").map(({ args: [data] }) => data);
        assertEquals(heard.toSorted(), rooms.toSorted());
        assertRecovered(client);
      } finally {
        await server.kill();
      }
    }));
}

Deno.test("a client's own last text is no place, and nothing that it lacks is passed over for it", async () => {
  const channel = newChannel();
  await using client = await connectSocket(gong, { namespace: `/${channel}` });
  await using other = await connectSocket(gong, { namespace: `/${channel}` });
  const hidden = client.socket as unknown as { _lastOffset?: string; _pid: string };
  const texts = ["text", "", `${channel}@e:999`, "off~AAAAAAAAAAAAAAAAAAAAAA"];
  for (const [times, text] of texts.entries()) {
    await other.ask("said", times, text);
    await client.drop();
    await other.ask("said", "meanwhile", text);
    await client.connected(times + 2);
    assertEquals(await client.nextFew(2), [["said", times, text], ["said", "meanwhile", text]]);
  }
  assertRecovered(client, texts.length);
  // What the server has not signed is not taken for a place: it begins anew, and hears what comes from then on.
  const { offset } = client.heard.at(-1)!;
  for (const [times, text] of ["text", offset!.replace(/\d/, (digit) => String(9 - Number(digit)))].entries()) {
    const { _pid: before } = hidden;
    hidden._lastOffset = text;
    await client.drop();
    await client.connected(texts.length + 2 + times);
    assertEquals(client.connects.at(-1), false, text);
    assert(hidden._pid !== before, "its secret is another");
  }
  await other.ask("said", "at last");
  assertEquals(await client.nextFew(1), [["said", "at last"]]);
});

Deno.test("a client that heard nothing, or joined a room after the last event, lacks nothing when it is back", async () => {
  const channel = newChannel();
  await using client = await connectSocket(gong, { namespace: `/${channel}` });
  await client.drop();
  await publish(gong, [{ channel, data: "nothing before" }]);
  await client.connected(2);
  assertEquals(await client.nextFew(1), [["message", "nothing before"]]);
  await client.ask("join", "late");
  await client.drop();
  await publish(gong, [{ channel: `${channel}/late`, data: "in the room" }]);
  await client.connected(3);
  assertEquals(await client.nextFew(1), [["message", "in the room"]]);
  await client.ask("leave", "late");
  await client.drop();
  await publish(gong, [{ channel: `${channel}/late`, data: "out of the room" }, { channel, data: "the last" }]);
  await client.connected(4);
  assertEquals(await client.nextFew(1), [["message", "the last"]]);
  assertRecovered(client, 3);
});

Deno.test("bytes that came meanwhile come whole", async () => {
  const channel = newChannel();
  await using client = await connectSocket(gong, { namespace: `/${channel}` });
  for (let times = 1; times <= 3; times++) {
    await client.drop();
    await publish(gong, [{ channel, data: new Uint8Array([times, 255]), event: "bytes" }]);
    await client.connected(times + 1);
    const { event, args: [bytes] } = await client.next();
    assertEquals([event, [...bytes]], ["bytes", [times, 255]]);
  }
  assertRecovered(client, 3);
});

Deno.test("who left by itself, or comes to a server that knows nothing of it, is new there, and hears what is live", async () => {
  const first = await startGong(["--isolates", "1"]);
  await using client = await connectSocket(first, { namespace: "/a" });
  await publish(first, [{ channel: "a", data: 1 }]);
  assertEquals(await client.nextFew(1), [["message", 1]]);
  client.socket.disconnect();
  await publish(first, [{ channel: "a", data: 2 }]);
  client.socket.connect();
  await client.connected(2);
  await publish(first, [{ channel: "a", data: 3 }]);
  assertEquals(await client.nextFew(1), [["message", 3]]);
  await first.stop();
  await using second = await startGong(["--isolates", "1", "--port", String(first.port)]);
  await publish(second, [{ channel: "a", data: 4 }]);
  await client.connected(3);
  await publish(second, [{ channel: "a", data: 5 }]);
  await until(() => client.heard.length >= 3);
  // It may have been back before the fourth.
  assertEquals(client.heard.at(-1)!.args, [5]);
  assertEquals([client.connects, new Set(client.ids).size], [[false, false, false], 3]);
});

Deno.test("with --recovery 0 nobody comes back, and events end with their own arguments", async () => {
  await using plain = await startGong(["--isolates", "1", "--recovery", "0"]);
  await using client = await connectSocket(plain, { namespace: "/a", offsets: false });
  await client.ask("said", 1, "text");
  assertEquals(await client.nextFew(1), [["said", 1, "text"]]);
  await client.drop();
  await client.connected(2);
  assertEquals(client.connects, [false, false]);
  await client.ask("said", 2);
  assertEquals(await client.nextFew(1), [["said", 2]]);
});

Deno.test("socket.io-client 3.1.3, which cannot come back, begins anew and hears what is live", async () => {
  const channel = newChannel();
  await using client = await connectSocket(gong, { library: LIBRARY_3, namespace: `/${channel}` });
  await publish(gong, [{ channel, data: 1 }]);
  await client.nextFew(1);
  await client.drop();
  await client.connected(2);
  await publish(gong, [{ channel, data: 2 }]);
  assertEquals(await client.nextFew(1), [["message", 2]]);
  assert(new Set(client.ids).size === 2);
});
