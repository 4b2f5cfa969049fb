import { assertEquals } from "@std/assert";
import { connect } from "../support/client.ts";
import { startGong } from "../support/gong.ts";

Deno.test("gong serve tells a client that floods it why it is closed, however much is under way", async () => {
  await using gong = await startGong(["--message-rate", "100"]);
  for (const frames of [400, 2000, 20_000]) {
    const client = await connect(`${gong.ws}/push?echo=false`);
    for (let i = 0; i < frames; i++) client.send("x");
    const { code } = await client.closed;
    assertEquals({ frames, code }, { frames, code: 4429 });
  }
});
