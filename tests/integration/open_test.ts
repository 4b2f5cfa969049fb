import { assertEquals } from "@std/assert";
import { connect } from "../support/client.ts";
import { startGong } from "../support/gong.ts";

Deno.test("gong serve: a client whose handshake is answered hears everything published from then on", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  for (let round = 0; round < 20; round++) {
    // A new channel each time, so that no edge hosts it already.
    const url = `${gong.ws}/push?channel=round-${round}`;
    const clients = await Promise.all([1, 2, 3, 4].map(() => connect(url)));
    clients[0]?.send("hello");
    const heard = await Promise.all(clients.map((client) => client.nextText(2000).catch(() => "nothing")));
    assertEquals(heard, ["hello", "hello", "hello", "hello"]);
    await Promise.all(clients.map((client) => client.close()));
  }
});
