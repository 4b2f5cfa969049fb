import { assertEquals } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { pythonTest, runPython } from "../support/python_stomp.ts";
import { connectStomp, textOf } from "../support/stomp.ts";
import { TcpBridge } from "../support/tcp_bridge.ts";

for (const version of ["1.0", "1.1", "1.2"] as const) {
  pythonTest(
    `stomp.py speaks STOMP ${version} with the server: receipts, transactions, a queue, heart-beats`,
    async () => {
      await using gong = await startGong(["--isolates", "2", "--ping", "4s"]);
      await using bridge = new TcpBridge(`${gong.ws}/ws`);
      await using listener = await connectStomp(gong);
      await listener.subscribe("/topic/py");
      assertEquals(await runPython([String(bridge.port), version, "py"]), [
        { connected: true },
        { hello: "你好,世界!", type: "text/plain", tag: null },
        { tagged: "a: b\\c", tag: "with: colon" },
        { transactions: ["before the commit", "first", "second"] },
        { queue: ["one", "two", "three"] },
        { again: "two", redelivered: String(version !== "1.0") },
        { beating: true },
        { end: "disconnected" },
      ]);
      const heard = await listener.texts(5);
      assertEquals(heard, ["你好,世界!", "a: b\\c", "before the commit", "first", "second"]);
      // Nothing is left in the queue.
      await listener.subscribe("/queue/py", { ack: "client" });
      listener.send("SEND", { destination: "/queue/py" }, "last");
      assertEquals(textOf(await listener.next("MESSAGE")), "last");
    },
  );
}

pythonTest(
  "a connection of TCP that ends takes its session with it, and one of the server that of the client",
  async () => {
    await using gong = await startGong(["--isolates", "1"]);
    await using bridge = new TcpBridge(`${gong.ws}/ws`);
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: bridge.port });
    await conn.write(new TextEncoder().encode("CONNECT\naccept-version:1.2\nhost:gong\n\n\0NONSENSE\n\n\0"));
    const said = await new Response(conn.readable).text();
    assertEquals(said.match(/(?<=^|\0)\w+$/gm), ["CONNECTED", "ERROR"]);
  },
);
