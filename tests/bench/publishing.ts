import { DIALECTS } from "./http/dialects.ts";
import { Exchange } from "./http/exchange.ts";

const SIZE = 128;
const decoder = new TextDecoder();

/** What came of publishing. */
export interface Published {
  readonly acknowledged: number;
  readonly seconds: number;
  readonly fault: string | undefined;
}

/** Publishes for so long over so many connections, on each of them POST after POST; every offset has to come once. */
export async function publishAll(url: URL, connections: number, seconds: number): Promise<Published> {
  const { before, after } = DIALECTS.gong.post(url, SIZE);
  const request = new TextEncoder().encode(before + "x".repeat(SIZE) + after);
  const exchanges = await Promise.all(Array.from({ length: connections }, () => Exchange.open(url)));
  const offsets: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1000;
  async function publish(exchange: Exchange): Promise<void> {
    while (performance.now() < end) {
      const { status, body } = await exchange.ask(request);
      if (status !== 200) throw new Error(`a publication was answered with ${status}`);
      offsets.push(Number(/"offset":(\d+)/.exec(decoder.decode(body))?.[1]));
    }
  }
  try {
    await Promise.all(exchanges.map(publish));
  } finally {
    for (const { tcp } of exchanges) tcp.close();
  }
  const elapsed = (performance.now() - begun) / 1000;
  offsets.sort((a, b) => a - b);
  const isWhole = offsets.every((offset, index) => index === 0 || offset === offsets[index - 1]! + 1);
  return { acknowledged: offsets.length, seconds: elapsed, fault: isWhole ? undefined : "offsets are not in a row" };
}
