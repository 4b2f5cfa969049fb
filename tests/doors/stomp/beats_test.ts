import { assertEquals } from "@std/assert";
import { Stage } from "../../support/stage.ts";
import { Clock, StompPeer } from "../../support/stomp_stage.ts";

/** Connected with these beats, on a server that wants to hear from its clients every 10 s. */
async function connect(stage: Stage, clock: Clock, beats: string): Promise<StompPeer> {
  const peer = new StompPeer(stage.edge, { clock });
  peer.say("CONNECT", { "accept-version": "1.2", "heart-beat": beats });
  assertEquals((await peer.next("CONNECTED")).headers.get("heart-beat"), "1000,10000");
  return peer;
}

/** Heart-beats that came since. */
function beatsSince(peer: StompPeer, sent: number): number {
  return peer.client.socket.sent.slice(sent).filter((data) => data === "\n").length;
}

Deno.test("the server beats as often as the client wants, once a second at most, and only when it says nothing else", async () => {
  await using stage = new Stage({ config: { ping: 10 } });
  const clock = new Clock();
  const [fast, slow, never] = [
    await connect(stage, clock, "0,100"),
    await connect(stage, clock, "0,5000"),
    await connect(stage, clock, "0,0"),
  ];
  const before = [fast, slow, never].map((peer) => peer.client.socket.sent.length);
  for (let second = 0; second < 60; second++) {
    clock.pass(1000);
    await flushed();
  }
  const [often, seldom, none] = [fast, slow, never].map((peer, index) => beatsSince(peer, before[index]!));
  assertEquals(
    [often! >= 55 && often! <= 80, seldom! >= 11 && seldom! <= 13, none],
    [true, true, 0],
    `${often} ${seldom}`,
  );
});

/** A turn of the edge: what was queued in it has been sent. */
async function flushed(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("a beat stands by itself, and is not sent where something waits", async () => {
  await using stage = new Stage({ config: { ping: 10 } });
  const clock = new Clock();
  const { client: { session, socket } } = await connect(stage, clock, "0,1000");
  const before = socket.sent.length;
  clock.pass(1000);
  session.write("RECEIPT\nreceipt-id:1\n\n\0");
  clock.pass(1000);
  await flushed();
  assertEquals(socket.sent.slice(before), ["\n", "RECEIPT\nreceipt-id:1\n\n\0"]);
});

Deno.test("a client whose beats stop is closed after twice the time agreed upon, whatever else happens", async () => {
  await using stage = new Stage({ config: { ping: 10 } });
  const clock = new Clock();
  const [silent, beating, talking, mute] = [
    await connect(stage, clock, "10000,0"),
    await connect(stage, clock, "1000,0"),
    await connect(stage, clock, "30000,0"),
    await connect(stage, clock, "0,0"),
  ];
  for (let second = 0; second < 19; second++) {
    clock.pass(1000);
    beating.sayRaw("\n");
  }
  assertEquals(silent.client.socket.closed, undefined);
  clock.pass(1500);
  const { error, close } = await silent.end();
  assertEquals([error!.code, close], ["timeout", 4408]);
  assertEquals(beating.client.socket.closed, undefined);
  clock.pass(35_000);
  assertEquals(talking.client.socket.closed, undefined, "thirty seconds were agreed upon");
  assertEquals((await beating.end()).close, 4408);
  clock.pass(600_000);
  assertEquals((await talking.end()).close, 4408);
  assertEquals(mute.client.socket.closed, undefined);
});

Deno.test("a heart-beat that is no pair of numbers ends the connection", async () => {
  await using stage = new Stage();
  for (const beats of ["", "1", "1,", "a,b", "-1,0", "1,2,3", "1.5,2", "9999999999,0"]) {
    const peer = new StompPeer(stage.edge);
    peer.say("CONNECT", { "accept-version": "1.2", "heart-beat": beats });
    const { error, close } = await peer.end();
    assertEquals([error!.code, close], ["bad_request", 4400], beats);
  }
});
