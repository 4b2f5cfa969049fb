/** Each version of the real client, by each way to the server: events, acknowledgements, bytes, rooms. */
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../../support/gong.ts";
import { plain, shape } from "../../support/socketio/plain.ts";
import { connectSocket, SPEAKERS } from "../../support/socketio/mod.ts";

const MAX_MESSAGE = 64 * 1024;

let gong: Gong;
let place = 0;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2", "--eio3", "--max-message", "64KiB"]);
});
Deno.test.afterAll(() => gong.kill());

/** A namespace that no other test uses, and its channel. */
function newPlace(): { namespace: string; channel: string } {
  const channel = `events-${++place}`;
  return { namespace: `/${channel}`, channel };
}

for (const { name, library, transports, last } of SPEAKERS) {
  const options = { library, transports };

  Deno.test(`${name} is heard by everybody in its namespace, itself too, in order, and by nobody in another`, async () => {
    const { namespace } = newPlace();
    await using one = await connectSocket(gong, { ...options, namespace });
    await using beside = await connectSocket(gong, { ...options, namespace: newPlace().namespace, beside: one });
    await using other = await connectSocket(gong, { ...options, namespace });
    assertEquals(new Set([one.socket.id, other.socket.id]).size, 2);
    await one.uses(last);

    const args = [{ a: [1, "2", null], "__proto__x": {} }, "你好", 0.5, true, null];
    one.emit("mixed", ...args);
    for (let n = 1; n <= 50; n++) one.emit("count", n);
    one.emit("nothing");
    const expected = [["mixed", ...args], ...Array.from({ length: 50 }, (_, n) => ["count", n + 1]), ["nothing"]];
    for (const client of [one, other]) assertEquals(await client.nextFew(52), expected);
    beside.emit("mark");
    assertEquals(await beside.nextFew(1), [["mark"]]);
    assertEquals([one.heard.length, other.heard.length, beside.heard.length], [52, 52, 1]);
  });

  Deno.test(`${name} is told where its event stands, and why one is refused`, async () => {
    const { namespace, channel } = newPlace();
    await using client = await connectSocket(gong, { ...options, namespace });
    const [first] = await client.ask("hello", "a");
    const [second] = await client.ask("hello", { b: 1 });
    assertEquals([first.channel, first.offset, second.offset], [channel, 1, 2]);
    assertEquals(first.epoch, second.epoch);
    const history = await (await fetch(`${gong.url}/api/history?channel=${channel}`)).json();
    assertEquals(history.epoch, first.epoch);
    for (const event of ["$mine", "x".repeat(129), "a\u0001b"]) {
      const [{ error }] = await client.ask(event);
      assert(typeof error.message === "string" && error.code === "bad_request", JSON.stringify(error));
    }
    assertEquals(await client.nextFew(2), [["hello", "a"], ["hello", { b: 1 }]]);
    assertEquals(client.heard.length, 2);
  });

  Deno.test(`${name} sends and gets bytes, wherever they are among the arguments, and has them acknowledged`, async () => {
    const { namespace } = newPlace();
    await using one = await connectSocket(gong, { ...options, namespace });
    await using other = await connectSocket(gong, { ...options, namespace });
    const [few, all, none] = [
      new Uint8Array([1, 0, 255]),
      Uint8Array.from({ length: 256 }, (_, n) => n),
      new Uint8Array(),
    ];
    const bytes = library.toBytes;
    const sent = [[few], ["before", few, "after"], [{ deep: [{ bytes: all }, none], same: few }, all], ["text"], [
      none,
    ]];
    for (const args of sent.slice(0, 2)) one.emit("bytes", ...shape(args, bytes));
    const [position] = await one.ask("bytes", ...shape(sent[2]!, bytes));
    assertEquals(position.offset, 3);
    for (const args of sent.slice(3)) one.emit("bytes", ...shape(args, bytes));
    for (const client of [one, other]) {
      const came = await client.nextFew(5);
      assertEquals(came.map(plain), sent.map((args) => ["bytes", ...args]));
    }
  });

  Deno.test(`${name} is in rooms that it joins, hears what goes to them, and leaves them`, async () => {
    const { namespace, channel } = newPlace();
    await using one = await connectSocket(gong, { ...options, namespace });
    await using other = await connectSocket(gong, { ...options, namespace });
    const [joined] = await one.ask("join", "the room/1");
    assertEquals([joined.channel, joined.offset, typeof joined.epoch], [`${channel}/the%20room/1`, 0, "string"]);
    const [position] = await other.ask("to", "the room/1", "news", 1, { two: 2 });
    assertEquals(position, { ...joined, offset: 1 });
    assertEquals(await one.nextFew(1), [["news", 1, { two: 2 }]]);
    assertEquals(await other.ask("join", "the room/1"), [{ ...joined, offset: 1 }]);
    one.emit("to", "the room/1", "news", library.toBytes(new Uint8Array([7])));
    for (const client of [one, other]) assertEquals(plain(await client.nextFew(1)), [["news", new Uint8Array([7])]]);
    assertEquals(await one.ask("leave", "the room/1"), [{}]);
    await other.ask("to", "the room/1", "news", "last");
    assertEquals(await other.nextFew(1), [["news", "last"]]);
    // What everybody hears comes after what it would have heard.
    await other.ask("all");
    assertEquals(await one.nextFew(1), [["all"]]);
  });

  Deno.test(`${name} sends and gets messages up to the largest, and what is larger ends nobody else's connection`, async () => {
    const { namespace } = newPlace();
    await using one = await connectSocket(gong, { ...options, namespace });
    await using other = await connectSocket(gong, { ...options, namespace });
    await one.uses(last);
    const large = [
      "x".repeat(MAX_MESSAGE - 100),
      "你".repeat(Math.floor(MAX_MESSAGE / 3) - 100),
      Uint8Array.from({ length: Math.floor(MAX_MESSAGE * 3 / 4) - 200 }, (_, n) => n * 7),
    ];
    // One after the other: the older versions put into one POST whatever there is.
    for (const data of large) await one.ask("large", typeof data === "string" ? data : library.toBytes(data));
    assertEquals(plain(await other.nextFew(3)), large.map((data) => ["large", data]));
    one.emit("large", "x".repeat(2 * MAX_MESSAGE));
    await one.connected(2);
    assert(one.ends.length > 0);
    one.emit("small");
    assertEquals(await other.nextFew(1), [["small"]]);
    assertEquals(other.ends, []);
  });

  if (library.protocol === 4) {
    Deno.test(`${name} is in the rooms that it names when it connects`, async () => {
      const { namespace } = newPlace();
      await using one = await connectSocket(gong, { ...options, namespace, auth: { rooms: ["a", "b/c"] } });
      await using other = await connectSocket(gong, { ...options, namespace });
      await other.ask("to", "a", "to a");
      await other.ask("to", "b/c", "to b");
      await other.ask("to", "b", "to nobody");
      await other.ask("all");
      assertEquals((await one.nextFew(3)).toSorted(), [["all"], ["to a"], ["to b"]]);
      assertEquals(await other.nextFew(1), [["all"]]);
    });

    Deno.test(`${name} keeps until it is connected what is not volatile, and sends what is when it is`, async () => {
      const { namespace } = newPlace();
      await using other = await connectSocket(gong, { ...options, namespace });
      await using one = await connectSocket(gong, { ...options, namespace, later: true });
      one.socket.volatile.emit("volatile", 1);
      one.emit("kept", 2);
      assertEquals(await other.nextFew(1), [["kept", 2]]);
      await one.uses(last);
      await one.ask("asked", 3);
      one.socket.volatile.emit("volatile", 4);
      assertEquals(await other.nextFew(2), [["asked", 3], ["volatile", 4]]);
    });
  }
}
