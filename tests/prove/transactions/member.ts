import type { Random } from "../../support/random.ts";
import { RawStomp } from "../../support/raw_stomp.ts";

/** What became of a transaction, as far as its client knows; `unknown`: it said COMMIT and died before the RECEIPT. */
export type Outcome = "committed" | "aborted" | "unknown";

/** Where members take from, and where each transaction says the same thing. */
export const INPUT = "/queue/in";
export const OUTPUTS = ["/topic/a", "/queue/out", "/topic/b"] as const;

const ENDS = ["commits", "commits", "commits", "aborts", "dies", "dies committing", "leaves"] as const;

/**
 * Takes messages of a queue, each in a transaction that passes it on to two topics and another queue, until one kills it.
 *
 * @param note what became of each transaction, by what it says
 */
export async function passOn(
  port: number,
  options: { random: Random; name: string; isOver: () => boolean; note: (said: string, outcome: Outcome) => void },
): Promise<void> {
  const { random, name, isOver, note } = options;
  const client = await RawStomp.connect(port);
  try {
    client.send("SUBSCRIBE", { id: "s", destination: INPUT, ack: "client-individual", "prefetch-count": "3" });
    for (let n = 1; !isOver(); n++) {
      const { command, headers, body } = await client.next();
      if (command !== "MESSAGE") throw new Error(`${command} ${headers.get("message")}`);
      const said = `${new TextDecoder().decode(body)} by ${name}-${n}`;
      const transaction = `t${n}`;
      client.send("BEGIN", { transaction });
      const acknowledge = () => client.send("ACK", { id: headers.get("ack")!, transaction });
      const isFirst = random.int(2) === 0;
      if (isFirst) acknowledge();
      for (const destination of OUTPUTS) client.send("SEND", { destination, transaction }, said);
      if (!isFirst) acknowledge();
      const end = random.pick(ENDS);
      note(said, end.startsWith("commits") || end === "dies committing" ? "unknown" : "aborted");
      if (end === "dies") return;
      if (end === "leaves") {
        client.send("DISCONNECT", { receipt: "end" });
        return await client.receipt("end");
      }
      if (end === "aborts") {
        client.send("ABORT", { transaction });
        // It is with this one again.
        client.send("NACK", { id: headers.get("ack")! });
        continue;
      }
      client.send("COMMIT", { transaction, receipt: said });
      if (end === "dies committing") return;
      await client.receipt(said);
      note(said, "committed");
    }
  } finally {
    await client.drop();
  }
}
