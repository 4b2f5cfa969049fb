import { assert, assertEquals } from "@std/assert";
import { EventSource } from "eventsource";
import { inFolder } from "../../support/folder.ts";
import { startGong } from "../../support/gong.ts";
import { numbered, publish, type Published } from "../../support/publish.ts";
import { until } from "../../support/until.ts";

/** What an `EventSource` was told. */
class Listener implements Disposable {
  readonly source: EventSource;
  readonly heard: { readonly data: string; readonly id: string; readonly type: string }[] = [];
  readonly notices: Record<string, unknown>[] = [];

  constructor(url: string, types: readonly string[] = []) {
    this.source = new EventSource(url);
    for (const type of ["message", ...types]) {
      this.source.addEventListener(type, ({ data, lastEventId: id, type }) => void this.heard.push({ data, id, type }));
    }
    for (const type of ["$welcome", "$subscribed", "$close"]) {
      this.source.addEventListener(type, ({ data }) => void this.notices.push(JSON.parse(data)));
    }
  }

  of(type: string): Record<string, unknown>[] {
    return this.notices.filter((notice) => notice.type === type);
  }

  async subscribed(count = 1): Promise<void> {
    await until(() => this.of("subscribed").length >= count, () => JSON.stringify(this.notices));
  }

  async hears(count: number): Promise<void> {
    await until(
      () => this.heard.length >= count,
      () => `${this.heard.length} of ${count}: ${JSON.stringify(this.notices)}`,
    );
  }

  [Symbol.dispose](): void {
    this.source.close();
  }
}

const texts = ({ heard }: Listener) => heard.map(({ data }) => data);

Deno.test("eventsource hears publications with their names, and where it stands", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  using listener = new Listener(`${gong.url}/sse?channel=a`, ["greeting"]);
  await listener.subscribed();
  const published = await publish(gong, [
    { channel: "a", data: "one\ntwo" },
    { channel: "a", data: "", event: "greeting" },
    { channel: "a", data: { n: 1 } },
  ]);
  await listener.hears(3);
  const ids = published.map(({ position }) => `a@${position.epoch}:${position.offset}`);
  assertEquals(listener.heard, [
    { data: "one\ntwo", id: ids[0]!, type: "message" },
    { data: "", id: ids[1]!, type: "greeting" },
    { data: '{"n":1}', id: ids[2]!, type: "message" },
  ]);
});

Deno.test("eventsource goes on by itself after --max-stream-age, and loses nothing", async () => {
  await using gong = await startGong(["--isolates", "2", "--max-stream-age", "1"]);
  using listener = new Listener(`${gong.url}/sse?channel=a`);
  await listener.subscribed();
  const published: Published[] = [];
  // One ends and another begins, twice, while something is published all the time.
  while (listener.of("welcome").length < 3) {
    published.push(...await publish(gong, [{ channel: "a", data: `text ${published.length}` }]));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await listener.hears(published.length);
  assertEquals<unknown[]>(texts(listener), published.map(({ data }) => data));
  assert(listener.of("close").every(({ code }) => code === "too_old"));
  assert(listener.of("subscribed").every(({ recovered }) => recovered));
});

Deno.test("eventsource comes back after a restart, is told what is lost, and hears what is live", async () => {
  const first = await startGong(["--isolates", "2"]);
  const listeners = [1, 2, 3, 4].map(() => new Listener(`${first.url}/sse?channel=a`));
  try {
    for (const listener of listeners) await listener.subscribed();
    await publish(first, numbered(["a"], 3, "before "));
    for (const listener of listeners) await listener.hears(3);
    await first.stop();
    await using second = await startGong(["--isolates", "2", "--port", String(first.port)]);
    for (const listener of listeners) {
      await listener.subscribed(2);
      assertEquals(listener.of("close").map(({ code }) => code), ["going_away"]);
      assertEquals(listener.of("subscribed")[1]!.recovered, false);
    }
    await publish(second, numbered(["a"], 3, "after "));
    for (const listener of listeners) {
      await listener.hears(6);
      assertEquals(texts(listener).slice(3), ["after a 1", "after a 2", "after a 3"]);
    }
    for (const listener of listeners) listener[Symbol.dispose]();
  } finally {
    for (const listener of listeners) listener[Symbol.dispose]();
    await first.kill();
  }
});

Deno.test("eventsource goes on over a restart of a server that keeps channels in a file, and loses nothing", () =>
  inFolder(async (dir) => {
    const args = ["--isolates", "2", "--broker", "sqlite:gong.db"];
    const first = await startGong(args, { dir });
    using listener = new Listener(`${first.url}/sse?channel=a`);
    await listener.subscribed();
    const published = await publish(first, numbered(["a"], 3, "before "));
    await listener.hears(3);
    await first.stop();
    await using second = await startGong([...args, "--port", String(first.port)], { dir });
    // Before it has come back.
    published.push(...await publish(second, numbered(["a"], 3, "meanwhile ")));
    await listener.subscribed(2);
    published.push(...await publish(second, numbered(["a"], 3, "after ")));
    await listener.hears(9);
    assertEquals<unknown[]>(texts(listener), published.map(({ data }) => data));
    assertEquals(listener.of("subscribed").map(({ recovered }) => recovered), [true, true]);
  }));
