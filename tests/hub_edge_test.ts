import { assert, assertEquals } from "@std/assert";
import type { Door } from "../lib/door.ts";
import { setImmediate } from "node:timers";
import { openBroker } from "../lib/brokers/mod.ts";
import { json } from "../lib/doors/json.ts";
import { plain } from "../lib/doors/plain.ts";
import type { Broker } from "../lib/types.ts";
import { type Client, END, numbered, publishAll, Stage } from "./support/stage.ts";

/** A door that counts how often it encodes. */
function counting(door: Door): Door & { count: number } {
  const counted = {
    ...door,
    count: 0,
    codec: {
      ...door.codec,
      encode(publication: Parameters<Door["codec"]["encode"]>[0]) {
        counted.count++;
        return door.codec.encode(publication);
      },
    },
  };
  return counted;
}

Deno.test("what is published reaches every session of every edge once, in order, as the plain door has it", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = [1, 2, 3].flatMap(() => stage.edges.map((edge) => edge.plain()));
  const elsewhere = stage.edge.plain({ channels: ["b"] });
  await publishAll(stage, "a", numbered(300), clients);
  for (const { socket } of clients) assertEquals(socket.sent, [...numbered(300), END], "one frame each");
  assertEquals(elsewhere.socket.sent, []);
  assertEquals(await stage.figure("gong_published_total"), 301);
  assertEquals(await stage.figure("gong_delivered_total"), 6 * 301);
});

Deno.test("what one turn brings reaches a JSON session in one send", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = stage.edges.map((edge) => edge.json({ channels: ["a", "b"] }));
  for (const { socket } of clients) {
    await socket.subscribed(2);
    assertEquals(socket.lines.map((line) => JSON.parse(line).type), ["welcome", "subscribed", "subscribed"]);
    socket.sent.length = 0;
  }
  const drafts = numbered(100).map((data, n) => ({
    channel: n % 3 === 0 ? "b" : "a",
    data,
    contentType: "text/plain",
  }));
  await stage.edge.hub.publish(drafts);
  for (const { socket } of clients) {
    await socket.frames(1);
    assertEquals(socket.sent.length, 1);
    assertEquals(socket.publications.map(({ data }) => data), numbered(100));
  }
});

Deno.test("a publication is encoded once per codec in each edge, however many sessions hear it", async () => {
  await using stage = new Stage({ edges: 2 });
  const [lines, frames] = [counting(json), counting(plain)];
  const clients = Array.from({ length: 40 }, (_, n) => {
    const door = n % 4 < 2 ? lines : frames;
    return stage.edges[n % 2]!.connect({ door, channels: n % 8 === 0 ? ["a", "b"] : ["a"] });
  });
  await publishAll(stage, "a", numbered(10), clients);
  assertEquals([lines.count, frames.count], [2 * 11, 2 * 11]);
});

Deno.test("sessions that have nothing else pending share the very same bytes", async () => {
  await using stage = new Stage();
  const clients = [
    stage.edge.plain(),
    stage.edge.plain({ channels: ["a", "b"] }),
    stage.edge.plain(),
  ];
  await publishAll(stage, "a", [Uint8Array.of(1, 2, 3)], clients);
  const [first] = clients[0]!.socket.sent;
  assertEquals(first, Uint8Array.of(1, 2, 3));
  for (const { socket } of clients) assert(socket.sent[0] === first);
});

Deno.test("what a session has pending goes before what its channels bring, in one send", async () => {
  await using stage = new Stage();
  const { socket, session } = stage.edge.json();
  await socket.subscribed();
  socket.sent.length = 0;
  // Something is pending whenever the batch comes.
  let isDone = false;
  (function write() {
    session.write('{"type":"x"}');
    if (!isDone) setImmediate(write);
  })();
  await stage.publish("a", "1", "2");
  await socket.until(() => socket.publications.length > 0);
  isDone = true;
  const frame = socket.sent.find((data) => String(data).includes("offset"))!;
  assertEquals(String(frame).split("\n").map((line) => JSON.parse(line).data), [undefined, "1", "2"]);
});

Deno.test("a session that is open hears everything from then on, before the hub has answered where that is", async () => {
  const draft = (data: string) => ({ channel: "a", data, contentType: "text/plain" });
  let broker!: Broker;
  let late: string | undefined;
  await using stage = new Stage({
    openBroker(config, announce) {
      broker = openBroker(config, announce);
      const read = broker.read.bind(broker);
      return Object.assign(broker, {
        async read(...args: Parameters<typeof read>) {
          // Announced, and not yet on the bus when the hub answers.
          const text = late;
          late = undefined;
          if (text !== undefined) await broker.publish([draft(text)]);
          return await read(...args);
        },
      });
    },
  });
  await broker.publish([draft("before")]);
  const first = stage.edge.plain({ channels: ["b"] });
  await publishAll(stage, "b", [], [first]);
  const clients = [stage.edge.plain(), stage.edge.json()];
  // The edge has not asked yet; when it does, this is on the bus.
  await broker.publish([draft("1"), draft("2")]);
  late = "3";
  await publishAll(stage, "a", ["4"], clients);
  assertEquals(clients[0]!.socket.sent, ["1", "2", "3", "4", END]);
  assertEquals(clients[1]!.socket.ofType("subscribed").map(({ offset }) => offset), [1]);
  assertEquals(clients[1]!.socket.publications.map(({ offset }) => offset), [2, 3, 4, 5, 6]);
});

Deno.test("a session hears itself, unless it does not want to; others hear it either way", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = [stage.edge.plain(), stage.edge.plain({ echo: false }), stage.edges[1]!.plain()];
  const [hearing, deaf] = clients as [Client, Client];
  deaf.socket.say("from the deaf");
  await hearing.socket.frames(1);
  hearing.socket.say("from the hearing");
  await publishAll(stage, "a", [], clients);
  const all = ["from the deaf", "from the hearing", END];
  assertEquals(clients.map(({ socket }) => socket.sent), [all, all.slice(1), all]);
});

Deno.test("a publication says which session it comes from, whatever the session claims", async () => {
  await using stage = new Stage();
  const [one, two] = [stage.edge.json(), stage.edge.json()];
  one.socket.say('{"id":1,"publish":{"channel":"a","data":"x","from":"me"}}');
  assertEquals((await one.socket.answer(1)).error.code, "bad_request");
  one.socket.say('{"id":2,"publish":{"channel":"a","data":"x"}}');
  const { ok } = await one.socket.answer(2);
  await two.socket.until(() => two.socket.publications.length > 0);
  const [{ from, epoch, offset }] = two.socket.publications;
  assertEquals([from, { epoch, offset }], [one.id, ok]);
});
