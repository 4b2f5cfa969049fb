import { assertEquals, assertThrows } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import type { Door } from "../../lib/door.ts";
import { grantWish, type Wish } from "../../lib/doors/query.ts";
import { json } from "../../lib/doors/json.ts";
import { plain } from "../../lib/doors/plain.ts";
import type { Visitor } from "../../lib/edge/waiting.ts";
import { GongError } from "../../lib/errors.ts";
import { Session } from "../../lib/session.ts";
import { FakeSocket, Stage, type StageEdge } from "../support/stage.ts";

const USER: Grant = {
  name: "user:42",
  scopes: [],
  user: { id: "42", subscribe: (channel) => channel === "a", publish: () => true },
};

interface WaitOptions {
  readonly door?: Door;
  readonly channels?: readonly string[];
  readonly address?: string;
}

/** A socket that waits, and what decides whose it is. */
function wait({ edge, auth }: StageEdge, { door = json, channels = ["a"], address = "::1" }: WaitOptions = {}) {
  const { promise: who, resolve: know, reject: doubt } = Promise.withResolvers<Grant>();
  const socket = new FakeSocket();
  const refused: string[] = [];
  const wish: Wish = { channels, starts: new Map(), echo: true, formerly: [] };
  const sessions: Session[] = [];
  const visitor: Visitor = {
    address,
    carrier: socket,
    door,
    begin(grant) {
      const granted = grantWish(auth, grant, wish, { most: 10 });
      const id = edge.registry.newId();
      const session = new Session(edge, {
        ...granted,
        id,
        door,
        carrier: socket,
        address,
        userAgent: "",
        grant,
      });
      edge.begin(session);
      sessions.push(session);
      return session;
    },
    refused: ({ code }) => void refused.push(code),
  };
  edge.waiting.admit(visitor, who);
  return { socket, know: () => know(USER), doubt, refused, sessions };
}

function stage(): Stage {
  return new Stage({ config: { dev: false, publicChannels: [], maxMessage: 1000, messageRate: 5 } });
}

Deno.test("WaitingRoom begins the session when it is known whose it is, and hands it what was said, in order", async () => {
  await using world = stage();
  const { socket, know, sessions } = wait(world.edge);
  socket.open();
  socket.say('{"id":1,"publish":{"channel":"a","data":"one"}}');
  socket.say('{"id":2,"publish":{"channel":"a","data":"two"}}\n{"id":3,"ping":{}}');
  assertEquals([world.edge.edge.waiting.size, sessions.length, socket.sent], [1, 0, []]);
  know();
  const [one, two] = [await socket.answer(1), await socket.answer(2)];
  assertEquals([one.ok.offset, two.ok.offset], [1, 2]);
  assertEquals(socket.ofType("welcome")[0].user, "42");
  assertEquals([world.edge.edge.waiting.size, world.edge.edge.registry.size], [0, 1]);
});

Deno.test("WaitingRoom begins a session whose socket opens later", async () => {
  await using world = stage();
  const { socket, know } = wait(world.edge);
  know();
  await Promise.resolve();
  socket.open();
  await socket.subscribed(2);
  assertEquals(socket.ofType("subscribed").map(({ channel }) => channel).sort(), ["$user/42", "a"]);
});

Deno.test("WaitingRoom tells a refusal by the socket's end, as soon as the socket can be told", async () => {
  await using world = stage();
  for (const isOpen of [true, false]) {
    const { socket, doubt, refused } = wait(world.edge);
    if (isOpen) socket.open();
    doubt(new GongError("unauthorized", "The token is not valid."));
    await Promise.resolve().then(() => {});
    if (!isOpen) {
      assertEquals(socket.closed, undefined);
      socket.open();
    }
    assertEquals(await socket.end(), { code: 4401, reason: "The token is not valid." });
    assertEquals(refused, ["unauthorized"]);
  }
  assertEquals(world.edge.log.events.filter(({ event }) => event.startsWith("session.")), []);
});

Deno.test("WaitingRoom refuses who has not the right, and admits nobody of them at the hub", async () => {
  await using world = stage();
  const { socket, know, refused } = wait(world.edge, { channels: ["b"] });
  socket.open();
  know();
  assertEquals((await socket.end()).code, 4403);
  assertEquals([refused, world.edge.edge.registry.size], [["forbidden"], 0]);
});

Deno.test("WaitingRoom lets no more wait than a message has bytes, and so many frames as come in a burst", async () => {
  await using world = stage();
  const table: [frames: string[], code: number][] = [
    [["x".repeat(1001)], 1009],
    [["x".repeat(600), "x".repeat(600)], 4429],
    [Array.from({ length: 11 }, () => ""), 4429],
  ];
  for (const [frames, code] of table) {
    const { socket, know, sessions } = wait(world.edge, { door: plain });
    socket.open();
    for (const frame of frames) socket.say(frame);
    assertEquals((await socket.end()).code, code);
    know();
    await Promise.resolve();
    assertEquals([sessions, world.edge.edge.waiting.size], [[], 0]);
  }
  const { socket, know } = wait(world.edge);
  socket.open();
  socket.say("x".repeat(400));
  socket.say(" ".repeat(600));
  know();
  assertEquals((await socket.end()).code, 4400);
});

Deno.test("WaitingRoom lets a frame have beside a message what its door allows, and no more", async () => {
  await using world = stage();
  const door: Door = { ...plain, overhead: 500 };
  const table: [frames: string[], code: number][] = [
    [["x".repeat(1501)], 1009],
    [["x".repeat(1000), "x".repeat(501)], 4429],
  ];
  for (const [frames, code] of table) {
    const { socket } = wait(world.edge, { door });
    socket.open();
    for (const frame of frames) socket.say(frame);
    assertEquals((await socket.end()).code, code);
  }
  for (const frames of [["x".repeat(1500)], ["x".repeat(1000), "x".repeat(500)]]) {
    const { socket, know } = wait(world.edge, { door });
    socket.open();
    for (const frame of frames) socket.say(frame);
    know();
    assertEquals(await socket.frames(frames.length), frames);
  }
});

Deno.test("WaitingRoom says a refusal in the door's last words before it closes, as soon as the socket can be told", async () => {
  await using world = stage();
  const door: Door = { ...plain, farewell: ({ code, message, retry }) => `${code}|${message}|${retry}` };
  for (const isOpen of [true, false]) {
    const { socket, doubt } = wait(world.edge, { door });
    if (isOpen) socket.open();
    doubt(new GongError("unauthorized", "The token is not valid."));
    await Promise.resolve().then(() => {});
    if (!isOpen) {
      assertEquals(socket.sent, []);
      socket.open();
    }
    assertEquals(await socket.end(), { code: 4401, reason: "The token is not valid." });
    assertEquals(socket.sent, ["unauthorized|The token is not valid.|false"]);
  }
  const { socket } = wait(world.edge, { door });
  socket.open();
  world.edge.edge.waiting.close();
  assertEquals((await socket.end()).code, 1001);
  assertEquals(socket.sent, ["going_away|The server is going away.|true"]);
});

Deno.test("WaitingRoom lets all together say 16 MiB, and has room again when one is known or leaves", async () => {
  await using world = new Stage({ config: { dev: false, publicChannels: [], maxMessage: 2 ** 20, outbox: 2 ** 22 } });
  const waiting = Array.from({ length: 17 }, () => wait(world.edge, { door: plain }));
  for (const { socket } of waiting) {
    socket.open();
    socket.say("x".repeat(2 ** 20));
  }
  assertEquals((await waiting[16]!.socket.end()).code, 4429);
  waiting[0]!.socket.vanish();
  waiting[1]!.know();
  await waiting[1]!.socket.frames(1);
  const late = [wait(world.edge), wait(world.edge), wait(world.edge)];
  for (const { socket } of late) {
    socket.open();
    socket.say("x".repeat(2 ** 20));
  }
  assertEquals(late.map(({ socket }) => socket.closed?.code), [undefined, undefined, 4429]);
});

Deno.test("WaitingRoom forgets who leaves, and begins nothing for it", async () => {
  await using world = stage();
  const { socket, know, sessions, refused } = wait(world.edge);
  socket.open();
  socket.say("something");
  socket.vanish();
  assertEquals(world.edge.edge.waiting.size, 0);
  know();
  await Promise.resolve();
  assertEquals([sessions, refused], [[], []]);
});

Deno.test("WaitingRoom.check() refuses the one too many until another is known", async () => {
  await using world = stage();
  const { waiting } = world.edge.edge;
  const first = wait(world.edge);
  first.socket.open();
  const refusal = (address: string) => assertThrows(() => waiting.check(address), GongError).code;
  for (let n = 1; n < 4000; n++) {
    const address = n < 1000 ? "::1" : String(n);
    waiting.check(address);
    wait(world.edge, { address });
    if (n === 999) assertEquals(refusal("::1"), "too_many");
  }
  assertEquals(refusal("another"), "overloaded");
  first.know();
  await first.socket.subscribed();
  waiting.check("::1");
});

Deno.test("WaitingRoom.close() sends everybody away who waits, and counts whose socket does not go", async () => {
  await using world = stage();
  const { socket, refused } = wait(world.edge);
  socket.answers = false;
  socket.open();
  const drained = world.edge.edge.methods().drain(60);
  assertEquals([(await socket.end()).code, refused], [1001, ["going_away"]]);
  socket.vanish(true);
  await drained;
});
