import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../support/gong.ts";
import { until } from "../support/until.ts";
import { Follower, readAll } from "./follower.ts";

/** How often, and by how many. */
export interface KillOptions {
  /** Default 20. */
  readonly kills?: number;
  /** Default 16. */
  readonly publishers?: number;
  /** Default 6. */
  readonly followers?: number;
  /** Publications acknowledged between two kills, at least. Default 500. */
  readonly between?: number;
}

const CHANNELS = ["one", "two"] as const;
/** Milliseconds for what is acknowledged between two kills. */
const WITHIN = 60_000;
const LIMITS = [
  ...["--history-count", "1000000", "--history-bytes", "1GiB", "--history-budget", "1GiB", "--history-age", "1h"],
  ...["--api-rate", "1000000", "--request-rate", "1000000", "--max-message", "1KiB"],
];

/** What a publisher was told. */
export interface Acknowledged {
  readonly channel: string;
  readonly epoch: string;
  readonly offset: number;
}

/**
 * The process is killed under load, over and over: what it had acknowledged is there afterwards, once, in the numbering
 * that it had, and who follows it sees each offset once over all the kills.
 */
export async function proveKill(options: KillOptions = {}): Promise<string> {
  const { kills = 20, publishers = 16, followers = 6, between = 500 } = options;
  const dir = await Deno.makeTempDir({ prefix: "gong-kill-" });
  const acknowledged = new Map<string, Acknowledged>();
  /** Answered as published before, and not answered at all. */
  let repeats = 0;
  let unanswered = 0;
  let ended = false;
  const start = (port: number) => {
    const flags = ["--isolates", "2", "--broker", "sqlite:gong.db", "--port", String(port), ...LIMITS];
    return startGong(flags, { dir });
  };

  async function publish(url: string, publisher: number): Promise<void> {
    const channel = CHANNELS[publisher % CHANNELS.length]!;
    for (let n = 0; !ended; n++) {
      const id = `${publisher}-${n}`;
      const position = await persist(() => url, { channel, data: id, id }, () => unanswered++);
      if (position.repeated) repeats++;
      acknowledged.set(id, position);
    }
  }

  let gong: Gong = await start(0);
  try {
    const { url, ws, port } = gong;
    const following = CHANNELS.flatMap((channel) => {
      return Array.from({ length: followers / CHANNELS.length }, () => new Follower(`${ws}/push?format=json`, channel));
    });
    await Promise.all(following.map((follower) => follower.isUp()));
    const publishing = Array.from({ length: publishers }, (_, publisher) => publish(url, publisher));
    for (let kill = 0; kill < kills; kill++) {
      const before = acknowledged.size;
      await until(() => acknowledged.size >= before + between, () => `${acknowledged.size} acknowledged`, WITHIN);
      // Each hears this one too.
      await until(() => following.every(({ connections }) => connections > kill));
      await gong.kill();
      gong = await start(port);
    }
    const before = acknowledged.size;
    await until(() => acknowledged.size >= before + between, () => `${acknowledged.size} acknowledged`, WITHIN);
    ended = true;
    await Promise.all(publishing);
    for (const channel of CHANNELS) {
      const top = await persist(() => url, { channel, data: "the last", id: "the last" }, () => {});
      acknowledged.set(`the last of ${channel}`, top);
      const own = [...acknowledged].filter(([, position]) => position.channel === channel);
      assertEquals([...new Set(own.map(([, { epoch }]) => epoch))], [top.epoch], "one numbering over all the kills");
      const kept = await readAll(`${ws}/push?format=json`, channel, top);
      assertEquals(kept.map(({ offset }) => offset), kept.map((_, index) => index + 1), "no offset is missing");
      assertEquals(kept.length, own.length, "nothing is there twice, and nothing that was not acknowledged");
      for (const [id, { offset }] of own) {
        const { data } = kept[offset - 1]!;
        assert(data === id || offset === top.offset, `${id} was acknowledged at ${offset}, where ${data} is`);
      }
    }
    for (const follower of following) {
      const own = [...acknowledged.values()].filter(({ channel }) => channel === follower.channel);
      await follower.reaches(own.length);
      follower.close();
      assert(follower.connections > kills, `it was connected ${follower.connections} times`);
    }
    assert(unanswered > 0, "no publication was under way when it was killed");
    return `${kills} kills, ${acknowledged.size} acknowledged and there, none twice; ` +
      `${unanswered} tries without an answer, ${repeats} answered as repeats; ` +
      `${following.length} followers saw each offset once`;
  } finally {
    ended = true;
    await gong.kill();
    await Deno.remove(dir, { recursive: true });
  }
}

/** How long nothing may be acknowledged, in milliseconds. */
const PATIENCE = 120_000;

/** Publishes until it is acknowledged, under the same id. */
export async function persist(
  url: () => string,
  body: object,
  onFailure: () => void,
): Promise<Acknowledged & { repeated?: true }> {
  for (const end = Date.now() + PATIENCE; Date.now() < end;) {
    try {
      const response = await fetch(`${url()}/api/publish`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const answer = await response.json();
      if (response.ok) return answer.positions[0];
      assert(response.status === 503, `${response.status} ${JSON.stringify(answer)}`);
    } catch (error) {
      // The server is away, or went away before it answered.
      if (!(error instanceof TypeError) && !(error instanceof SyntaxError)) throw error;
    }
    onFailure();
    await delay(20);
  }
  throw new Error(`${JSON.stringify(body)} was not acknowledged`);
}
