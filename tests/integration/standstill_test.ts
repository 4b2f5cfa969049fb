/** A process that stands still for a while, as with a machine that is paused or moved, is none that hangs. */
import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { connectStomp } from "../support/stomp.ts";

/** Longer than `--hang`, and than twice a heart-beat, in milliseconds. */
const STANDSTILL = 6000;
const FLAGS = ["--isolates", "2", "--hang", "5s", "--ping", "2s"];
/** Heart-beats of the client alone. */
const BEATS = { connect: { "heart-beat": "2000,0" } };

Deno.test("a server that stood still goes on, and takes nobody for silent who has beaten meanwhile", async () => {
  await using gong = await startGong(FLAGS);
  await using beating = await connectStomp(gong, BEATS);
  await using silent = await connectStomp(gong, BEATS);
  const beats = setInterval(() => beating.raw("\n"), 200);
  try {
    {
      using _paused = gong.pause();
      await delay(STANDSTILL);
    }
    // Whoever was judged right after it, and whoever is later.
    assertEquals((await silent.fails()).closed.code, 4408);
    await using later = await connectStomp(gong, BEATS);
    assertEquals((await later.fails()).closed.code, 4408);
    await beating.ask("SEND", { destination: "/topic/a" }, "still there");
    assert(!gong.output().includes("edge.hangs"), gong.output());
  } finally {
    clearInterval(beats);
  }
});
