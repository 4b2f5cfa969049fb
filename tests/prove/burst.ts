import { assert, assertEquals } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { assertDeliveredOnce, runLoad } from "../support/load.ts";
import { figure, statsOf } from "./soak.ts";

/** How hard, and by which door. */
export interface BurstOptions {
  readonly format: "plain" | "json";
  /** Bursts of one server. Default 1. */
  readonly rounds?: number;
  /** Percent of the batches that the bus withholds from every edge; 100 is all, the last ones included. Default 0. */
  readonly busDrop?: number;
  /** Default 1000. */
  readonly subscribers?: number;
  /** Publications of one round. Default 300. */
  readonly count?: number;
  /** A second; 0, the default, is as fast as one WebSocket sends them. */
  readonly rate?: number;
}

/** Publications to subscribers on two edges: all delivered, none lost, doubled or out of order. */
export async function proveBurst(options: BurstOptions): Promise<string> {
  const { format, rounds = 1, busDrop = 0, subscribers = 1000, count = 300, rate = 0 } = options;
  await using gong = await startGong(["--isolates", "2", "--bus-drop", String(busDrop)]);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const report = await runLoad({ url: `${gong.ws}/push`, format, subscribers, rate, count });
    assertDeliveredOnce(report);
    assertEquals(report.delivered, subscribers * count);
    rates.push(report.messagesPerSecond);
  }
  const replayed = figure(await statsOf(gong.url), "gong_bus_replayed_total");
  if (busDrop > 0) assert(replayed > 0, "the bus lost nothing");
  const each = `${subscribers * count} delivered, 0 lost, 0 doubled, 0 out of order`;
  const fastest = Math.round(Math.max(...rates) / 1000);
  return `${rounds} × ${each}; up to ${fastest}k messages/s${busDrop > 0 ? `; ${replayed} batches repeated` : ""}`;
}
