import { assert, assertEquals } from "@std/assert";
import type { Transport } from "../../static/gong.d.ts";
import { Heard } from "./client.ts";
import { FakeGong, type Fault, type Path } from "./fake.ts";

const TRANSPORTS: readonly Transport[] = ["websocket", "sse", "polling"];
const PATHS: Record<Transport, Path> = {
  websocket: "push",
  sse: "sse",
  polling: "poll",
};
const NOT_HERE: Fault = { status: 404 };

for (const transport of TRANSPORTS) {
  Deno.test(`Gong hears and publishes over ${transport}, text, JSON and bytes`, async () => {
    await using server = new FakeGong();
    using heard = new Heard(server.url, { transports: [transport] });
    await heard.listen("a");
    for (const data of ["text", { n: [1, null, "é"] }, 0, false]) {
      await heard.gong.publish("a", data);
    }
    server.publish(
      "a",
      "AP8Q",
      { encoding: "base64", contentType: "image/png" } as object,
    );
    server.publish("b", "of another channel");
    await heard.count(5);
    assertEquals(heard.data, [
      "text",
      { n: [1, null, "é"] },
      0,
      false,
      new Uint8Array([0, 255, 16]),
    ]);
    assertEquals(heard.messages.map(({ contentType }) => contentType), [
      "text/plain",
      ...Array(3).fill("application/json"),
      "image/png",
    ]);
    assertEquals(heard.messages.map(({ offset }) => offset), [1, 2, 3, 4, 5]);
    assertEquals(heard.states, [
      `connecting ${transport}`,
      `open ${transport}`,
    ]);
  });

  Deno.test(`Gong resumes over ${transport} where it was, and drops what it has heard`, async () => {
    await using server = new FakeGong();
    using heard = new Heard(server.url, { transports: [transport] });
    await heard.listen("a");
    server.publish("a", 1);
    await heard.count(1);
    server.faults.set(PATHS[transport], { status: 503 });
    server.hangUp();
    await heard.reaches("waiting");
    for (let n = 2; n <= 50; n++) server.publish("a", n);
    server.faults.clear();
    heard.gong.connect();
    await heard.count(50);
    server.publish("a", 51);
    await heard.count(51);
    assertEquals(heard.data, Array.from({ length: 51 }, (_, at) => at + 1));
    assertEquals(heard.lost, []);
  });

  Deno.test(`Gong tells over ${transport} what could not be recovered, and goes on from there`, async () => {
    await using server = new FakeGong();
    using heard = new Heard(server.url, { transports: [transport] });
    await heard.listen("a");
    await heard.listen("b");
    server.publish("a", 1);
    await heard.count(1);
    server.faults.set(PATHS[transport], { status: 503 });
    server.hangUp();
    await heard.reaches("waiting");
    server.publish("a", 2);
    server.publish("b", "kept");
    server.forget("a");
    server.faults.clear();
    const told = heard.event("subscribed", ({ recovered }) => !recovered);
    heard.gong.connect();
    await told;
    server.publish("a", 3);
    await heard.count(3);
    assertEquals(heard.data, [1, "kept", 3]);
    assertEquals(heard.lost, [{ channel: "a", epoch: "e", offset: 2 }]);
  });

  Deno.test(`Gong follows a new numbering over ${transport}`, async () => {
    await using server = new FakeGong();
    using heard = new Heard(server.url, { transports: [transport] });
    await heard.listen("a", { since: "old:7" });
    server.publish("a", "new");
    await heard.count(1);
    assertEquals(heard.lost, [{ channel: "a", epoch: "e", offset: 0 }]);
    assertEquals(heard.messages[0]?.offset, 1);
  });

  Deno.test(`Gong begins over ${transport} where each channel is told to, by history and since`, async () => {
    await using server = new FakeGong();
    for (const channel of ["a", "b", "c", "d"]) {
      for (let n = 1; n <= 9; n++) server.publish(channel, channel + n);
    }
    using heard = new Heard(server.url, { transports: [transport] });
    heard.gong.subscribe("a", heard.hear, { history: 2 });
    heard.gong.subscribe("b", heard.hear, { since: "e:8" });
    heard.gong.subscribe("d", heard.hear, { history: 3 });
    await heard.listen("c");
    await heard.count(6);
    assertEquals(heard.data.toSorted(), ["a8", "a9", "b9", "d7", "d8", "d9"]);
    server.publish("c", "live");
    await heard.count(7);
  });
}

for (const [from, to] of [["websocket", "sse"], ["sse", "polling"]] as const) {
  const faults: [string, Fault][] = [["is refused", NOT_HERE], [
    "brings nothing",
    "swallow",
  ], ["fails", { status: 502 }]];
  for (const [what, fault] of faults) {
    Deno.test(`Gong passes from ${from} to ${to} when ${from} ${what}, and back when it works again`, async () => {
      await using server = new FakeGong();
      for (const each of TRANSPORTS.slice(0, TRANSPORTS.indexOf(to))) {
        server.faults.set(PATHS[each], fault);
      }
      using heard = new Heard(server.url, { timeout: 1_000 });
      await heard.listen("a");
      assertEquals(heard.states.at(-1), `open ${to}`);
      server.publish("a", 1);
      await heard.count(1);
      server.faults.clear();
      let sent = 1;
      const stream = setInterval(() => server.publish("a", ++sent), 1);
      await heard.reaches("open", "websocket");
      clearInterval(stream);
      server.publish("a", ++sent);
      await heard.count(sent);
      assertEquals(heard.data, Array.from({ length: sent }, (_, at) => at + 1));
      assert(
        !heard.states.some((state) => state.startsWith("waiting")),
        heard.states.join(),
      );
    });
  }
}

Deno.test("Gong keeps what works while it looks for something better in vain", async () => {
  await using server = new FakeGong();
  server.faults.set("push", "swallow");
  using heard = new Heard(server.url, { timeout: 400 });
  await heard.listen("a");
  const looks = () => server.requests.filter((request) => request.includes("/push")).length;
  while (looks() < 3) {
    const sent = server.publish("a", looks()).offset;
    await heard.count(sent);
  }
  assertEquals(heard.states, [
    "connecting websocket",
    "connecting sse",
    "open sse",
  ]);
  assertEquals(
    heard.messages.map(({ offset }) => offset),
    heard.messages.map((_, at) => at + 1),
  );
});

Deno.test("Gong reads an event stream however it is cut, with any line ends", async () => {
  await using server = new FakeGong();
  server.cut = (text) => [...text.replaceAll("\n", "\r\n")];
  using heard = new Heard(server.url, { transports: ["sse"] });
  await heard.listen("a");
  for (const data of ["a: b\n\nc", { "data:": "id: x@y:1" }]) {
    server.publish("a", data);
  }
  await heard.count(2);
  assertEquals(heard.data, ["a: b\n\nc", { "data:": "id: x@y:1" }]);
});

Deno.test("Gong makes one request for all channels of a turn, and the next with those that are left", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url, { transports: ["sse"] });
  const ends = ["a", "b", "c"].map((channel) => heard.gong.subscribe(channel, heard.hear));
  await heard.event("subscribed", ({ channel }) => channel === "c");
  assertEquals(server.requests, [
    "GET /sse?format=json&channel=a&channel=b&channel=c&echo=true",
  ]);
  const again = heard.event("subscribed", ({ channel }) => channel === "d");
  ends[1]?.();
  heard.gong.subscribe("d", heard.hear);
  await again;
  assertEquals(server.requests.slice(1), [
    "GET /sse?format=json&channel=a&channel=c&channel=d&since=a%40e%3A0%2Cc%40e%3A0&echo=true",
  ]);
  for (const end of [ends[0], ends[2]]) end?.();
  server.publish("d", "still heard");
  await heard.count(1);
});

Deno.test("Gong hears at most 32 channels without a WebSocket, and says so at once", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url, { transports: ["sse"] });
  for (let n = 0; n < 32; n++) heard.gong.subscribe(`c${n}`, heard.hear);
  let thrown: unknown;
  try {
    heard.gong.subscribe("one-more", heard.hear);
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof RangeError, String(thrown));
  await heard.event("subscribed");
  heard.gong.subscribe("c0", heard.hear);
});
