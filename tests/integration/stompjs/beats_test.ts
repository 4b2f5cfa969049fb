import { assert, assertEquals } from "@std/assert";
import { startGong } from "../../support/gong.ts";
import { ended, LIBRARIES } from "../../support/stompjs/mod.ts";
import { until } from "../../support/until.ts";

for (const library of LIBRARIES) {
  const version = library.versions.at(-1)!;

  Deno.test(`${library.name} and the server keep their heart-beats of four seconds, and stay connected`, async () => {
    await using gong = await startGong(["--isolates", "1", "--ping", "4s"]);
    await using client = await library.connect(gong, { version, beats: 4000 });
    assertEquals(client.connected["heart-beat"], "1000,4000");
    let isOver = false;
    void client.ended.then(() => isOver = true);
    // Longer than twice that, after which either would be taken for dead.
    await until(
      () => isOver || client.beats.in >= 3 && client.beats.out >= 3,
      () => JSON.stringify(client.beats),
      60_000,
    );
    assert(!isOver, "it was closed");
    // What is said counts as a heart-beat.
    client.send("/topic/a", "still there", { receipt: "sent" });
    await client.receipt("sent");
  });

  Deno.test(`${library.name} is closed with timeout when its heart-beats stop`, async () => {
    await using gong = await startGong(["--isolates", "1", "--ping", "4s"]);
    await using client = await library.connect(gong, { version, beats: 4000, isMute: true });
    const { code } = await ended(client);
    assertEquals([client.error?.code, code], ["timeout", 4408]);
    assert(client.beats.in >= 1, "the server's heart-beats have not come");
  });

  Deno.test(`${library.name} that agrees on no heart-beats is not asked for any`, async () => {
    await using gong = await startGong(["--isolates", "1", "--ping", "4s"]);
    await using client = await library.connect(gong, { version });
    await using other = await library.connect(gong, { version, beats: 4000, isMute: true });
    // Where that one is closed, this one would have been.
    await ended(other);
    client.send("/topic/a", "still there", { receipt: "sent" });
    await client.receipt("sent");
    assertEquals(client.beats, { in: 0, out: 0 });
  });
}
