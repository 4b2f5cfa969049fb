import { assertEquals } from "@std/assert";
import { Stage } from "../../support/stage.ts";
import { type Headers, StompPeer } from "../../support/stomp_stage.ts";

/** What a receipt may be called, and 1.0 cannot escape. */
const NAMES = { "1.0": "r/", "1.1": "r:\\\n", "1.2": "r:\\\n" } as const;

for (const version of ["1.0", "1.1", "1.2"] as const) {
  Deno.test(`every command in ${version} has the receipt that it asks for, once, and none that asks for none`, async () => {
    await using stage = new Stage();
    const peer = await StompPeer.connect(stage.edge, { version });
    let count = 0;
    /** Says the frame, and expects its receipt next. */
    const obeyed = async (command: string, headers: Headers = {}): Promise<Headers> => {
      const receipt = `${NAMES[version]}${++count}`;
      peer.say(command, { ...headers, receipt }, command === "SEND" ? "x" : "");
      const told = Object.fromEntries((await peer.next("RECEIPT")).headers);
      assertEquals(told["receipt-id"], receipt, command);
      return told;
    };
    const named = ({ headers }: { headers: Headers }): Headers =>
      version === "1.2"
        ? { id: headers.ack! }
        : { "message-id": headers["message-id"]!, subscription: headers.subscription! };
    const destinations = ["/topic/a", "/queue/q"];
    for (const [index, destination] of destinations.entries()) {
      await obeyed("SUBSCRIBE", { id: `${index}`, destination, ack: "client-individual" });
      for (const command of version === "1.0" ? ["ACK"] : ["ACK", "NACK"]) {
        peer.say("SEND", { destination }, "x");
        await obeyed(command, { ...named(await peer.message()), requeue: "false" });
      }
    }
    for (const [command, transaction] of [["BEGIN", "t"], ["BEGIN", "u"]] as const) {
      await obeyed(command, { transaction });
    }
    peer.say("SEND", { destination: "/queue/q" }, "x");
    const last = named(await peer.message());
    for (const destination of ["/topic/b", "/queue/b"]) await obeyed("SEND", { destination, transaction: "t" });
    await obeyed("ACK", { ...last, transaction: "t" });
    for (const [command, transaction] of [["COMMIT", "t"], ["ABORT", "u"]] as const) {
      await obeyed(command, { transaction });
    }
    for (const destination of ["/topic/c", "/queue/c", "/user/7/queue/c"]) await obeyed("SEND", { destination });
    for (const index of destinations.keys()) await obeyed("UNSUBSCRIBE", { id: `${index}` });
    await obeyed("DISCONNECT");
    assertEquals(await peer.end(), { error: undefined, close: 1000 });
    assertEquals(peer.frames.filter(({ command }) => command === "RECEIPT").length, count);
  });
}
