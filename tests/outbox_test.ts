import { assert, assertEquals } from "@std/assert";
import { handedCost, Outbox, windowOf } from "../lib/outbox.ts";
import type { Data } from "../lib/types.ts";

/** An outbox of 16 frames of 1,000 bytes beside the cost of one; its socket may hold half of that. */
const BOUND = 16 * handedCost(1000);
const FRAME = "x".repeat(1000);

class StalledSocket {
  readonly sent: Data[] = [];
  pending = 0;

  send(data: Data): void {
    this.sent.push(data);
    this.pending += data.length;
  }
}

function stalled(): { socket: StalledSocket; outbox: Outbox } {
  const socket = new StalledSocket();
  return { socket, outbox: new Outbox(socket, BOUND) };
}

Deno.test("Outbox.pass() hands over until the socket holds half of what may wait, and again when all was taken", () => {
  const { socket, outbox } = stalled();
  let passed = 0;
  while (outbox.pass(FRAME, 1000)) passed++;
  assertEquals([passed, socket.sent.length], [8, 8]);
  assert(handedCost(1000) * 9 > windowOf(BOUND));
  socket.pending = 7001;
  assert(!outbox.pass(FRAME, 1000), "seven were taken, but how much of that is kept beside the eighth, nobody says");
  socket.pending = 1;
  assert(outbox.pass(FRAME, 1000));
  assertEquals([outbox.sent, outbox.held], [9000, 1 + 8 * handedCost(0) + handedCost(1000)]);
  socket.pending = 0;
  assertEquals(outbox.cost, 0);
});

Deno.test("Outbox.pass() counts what the engine takes for each frame, however small it is", () => {
  const { socket, outbox } = stalled();
  while (outbox.pass("x", 1));
  assertEquals(socket.sent.length, Math.floor(windowOf(BOUND) / handedCost(1)));
});

Deno.test("Outbox.pass() hands a frame of any size within the bound to a socket that holds nothing, and none past it", () => {
  const { socket, outbox } = stalled();
  assert(outbox.pass("x".repeat(BOUND), BOUND));
  assert(!outbox.pass("y", 1));
  socket.pending = 0;
  assert(!outbox.pass("x".repeat(BOUND + 1), BOUND + 1));
  assert(!outbox.add("x".repeat(BOUND + 1), BOUND + 1));
});

Deno.test("Outbox.add() takes frames up to the bound, and then one more as soon as the socket holds nothing", () => {
  const { socket, outbox } = stalled();
  while (outbox.pass(FRAME, 1000));
  let added = 0;
  while (outbox.add(FRAME, 1000)) added++;
  // Here a frame costs less than in the socket.
  assertEquals([added, outbox.pending], [15, 23_000]);
  assert(outbox.cost <= handedCost(BOUND));
  assert(!outbox.pass("", 0), "it would come before the others");
  socket.pending = 0;
  assert(outbox.hasRoomFor([1000]));
  assert(!outbox.hasRoomFor([1000, 1000]));
  assert(outbox.add(FRAME, 1000));
});

Deno.test("Outbox.add() leaves room for what frames cost more in the socket", () => {
  for (const size of [0, 1, 100, 1000, 10_000]) {
    const { outbox } = stalled();
    let added = 0;
    while (outbox.add("x".repeat(size), size)) added++;
    outbox.flush(undefined);
    assert(added > 2 && outbox.cost <= handedCost(BOUND), `${added} frames of ${size} bytes cost ${outbox.cost}`);
    assert(!outbox.hasRoomFor(Array(20).fill(size + 1000)));
  }
});

Deno.test("Outbox.flush() hands over in order what the socket may hold", () => {
  const { socket, outbox } = stalled();
  const frames = Array.from({ length: 12 }, (_, n) => String(n).padEnd(1000));
  for (const frame of frames) assert(outbox.add(frame, 1000));
  assert(!outbox.flush(undefined));
  assertEquals(socket.sent, frames.slice(0, 8));
  assert(!outbox.flush(undefined), "nothing was taken");
  assertEquals([socket.sent.length, outbox.pending], [8, 12_000]);
  socket.pending = 0;
  assert(outbox.flush(undefined));
  assertEquals(socket.sent, frames);
  assertEquals([outbox.isEmpty, outbox.pending, outbox.cost], [true, 4000, 4 * handedCost(1000)]);
});

Deno.test("Outbox.flush() joins what goes into one frame, as far as the socket may hold it", () => {
  const { socket, outbox } = stalled();
  const frames = Array.from({ length: 16 }, (_, n) => String(n).padEnd(1000));
  for (const frame of frames) assert(outbox.add(frame, 1000));
  assert(!outbox.flush("\n"));
  assertEquals(socket.sent, [frames.slice(0, 15).join("\n")]);
  assertEquals([outbox.sent, outbox.held], [15_014, handedCost(15_014)]);
  assert(outbox.held <= windowOf(BOUND));
  socket.pending = 0;
  assert(outbox.flush("\n"));
  assertEquals(socket.sent.at(-1), frames.at(-1));
});

Deno.test("Outbox.drop() forgets what the socket was not handed", () => {
  const { socket, outbox } = stalled();
  while (outbox.pass(FRAME, 1000));
  assert(outbox.add(FRAME, 1000));
  outbox.drop();
  assertEquals([outbox.isEmpty, outbox.pending], [true, 8000]);
  socket.pending = 0;
  assert(outbox.flush(undefined));
  assertEquals([outbox.cost, socket.sent.length], [0, 8]);
});

Deno.test("Outbox.flush() survives a socket that has everything dropped while it is handed a frame", () => {
  for (const words of [undefined, "bye"]) {
    const sent: unknown[] = [];
    const outbox: Outbox = new Outbox({
      pending: 0,
      send(data) {
        sent.push(data);
        if (sent.length > 1) return;
        outbox.drop();
        if (words !== undefined) outbox.add(words, words.length);
      },
    }, BOUND);
    for (const frame of ["a", "b", "c"]) outbox.add(frame, 1);
    assertEquals([outbox.flush(undefined), outbox.pending, sent], [words === undefined, words?.length ?? 0, ["a"]]);
    assert(outbox.flush(undefined));
    assertEquals(sent, words === undefined ? ["a"] : ["a", words]);
  }
});
