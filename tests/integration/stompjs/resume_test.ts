import { assert, assertEquals } from "@std/assert";
import { Client, type IMessage } from "@stomp/stompjs";
import { type Gong, startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { legacy } from "../../support/stompjs/legacy.ts";
import { inFolder } from "../../support/folder.ts";
import { until } from "../../support/until.ts";

/** Who listens to a topic, and goes on from the last position whenever it is connected again. */
class Listener implements AsyncDisposable {
  readonly client: Client;
  readonly heard: string[] = [];
  /** Headers of each RECEIPT of a SUBSCRIBE. */
  readonly told: Record<string, string>[] = [];
  readonly codes: number[] = [];
  session = "";
  #since: string | undefined;

  constructor(gong: Pick<Gong, "ws">, destination: string) {
    this.client = new Client({
      brokerURL: `${gong.ws}/ws`,
      reconnectDelay: 20,
      onConnect: ({ headers }) => {
        this.session = headers.session!;
        const since = this.#since === undefined ? {} : { since: this.#since };
        this.client.subscribe(destination, (message) => this.#hear(message), { receipt: "subscribed", ...since });
      },
      onUnhandledReceipt: ({ headers }) => {
        this.told.push(headers);
        this.#since = headers.position!;
      },
      onWebSocketClose: ({ code }) => void this.codes.push(code),
    });
    this.client.activate();
  }

  async subscribed(times: number): Promise<void> {
    await until(() => this.told.length >= times, () => `${this.told.length} of ${times}, ${this.codes}`);
  }

  async hears(count: number): Promise<void> {
    await until(() => this.heard.length >= count, () => `${this.heard.length} of ${count}, ${this.codes}`);
  }

  #hear({ headers, body }: IMessage): void {
    this.heard.push(body);
    this.#since = headers.position!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.deactivate();
  }
}

/** Publishes all the time until it is stopped; `stop` resolves to the number of texts, which are `1`, `2` ... */
function stream(gong: Pick<Gong, "url">, channel: string): { stop(): Promise<number> } {
  let isOver = false;
  let last = 0;
  const running = (async () => {
    while (!isOver) {
      await publish(gong, [1, 2, 3].map((step) => ({ channel, data: String(last + step) })));
      last += 3;
    }
  })();
  return {
    async stop() {
      isOver = true;
      await running;
      return last;
    },
  };
}

function texts(last: number): string[] {
  return Array.from({ length: last }, (_, at) => String(at + 1));
}

Deno.test("@stomp/stompjs goes on from its last position, whoever ends the connection: nothing is lost, nothing twice", async () => {
  await using gong = await startGong(["--isolates", "2", "--history-count", "100000", "--api-rate", "100000"]);
  await using listener = new Listener(gong, "/topic/a");
  await listener.subscribed(1);
  const running = stream(gong, "a");
  for (let times = 2; times <= 7; times++) {
    const before = listener.heard.length;
    await listener.hears(before + 5);
    if (times % 2 === 0) await end(gong, listener.session);
    else listener.client.webSocket!.close();
    await listener.subscribed(times);
  }
  const last = await running.stop();
  await listener.hears(last);
  assertEquals(listener.heard, texts(last));
  assertEquals(listener.told.slice(1).map(({ recovered }) => recovered), Array(6).fill("true"));
  assertEquals(listener.codes.filter((code) => code === 4403).length, 3);
});

Deno.test("@stomp/stompjs goes on over a restart of a server that keeps channels in a file", () =>
  inFolder(async (dir) => {
    const args = ["--isolates", "2", "--broker", "sqlite:gong.db"];
    const first = await startGong(args, { dir });
    await using listener = new Listener(first, "/topic/a");
    await listener.subscribed(1);
    await publish(first, texts(3).map((data) => ({ channel: "a", data })));
    await listener.hears(3);
    await first.stop();
    await using second = await startGong([...args, "--port", String(first.port)], { dir });
    await publish(second, texts(6).slice(3).map((data) => ({ channel: "a", data })));
    await listener.hears(6);
    assertEquals(listener.heard, texts(6));
    assertEquals(listener.told.at(-1)!.recovered, "true");
    assert(listener.codes.includes(1001), `${listener.codes}`);
  }));

Deno.test("@stomp/stompjs is told that what came meanwhile is lost, and hears what is live", async () => {
  const first = await startGong(["--isolates", "1"]);
  await using listener = new Listener(first, "/topic/a");
  await listener.subscribed(1);
  await publish(first, [{ channel: "a", data: "before" }]);
  await listener.hears(1);
  await first.stop();
  await using second = await startGong(["--isolates", "1", "--port", String(first.port)]);
  await listener.subscribed(2);
  assertEquals(listener.told[1]!.recovered, "false");
  await publish(second, [{ channel: "a", data: "after" }]);
  await listener.hears(2);
  assertEquals(listener.heard, ["before", "after"]);
});

Deno.test("stompjs 2.3.3 goes on from its last position, which it gives back as it got it", async () => {
  await using gong = await startGong(["--isolates", "2", "--history-count", "100000", "--api-rate", "100000"]);
  const running = stream(gong, "a");
  const heard: string[] = [];
  let since: Record<string, string> = { history: "10000" };
  for (let times = 1; times <= 5; times++) {
    const client = await legacy.connect(gong, { version: times % 2 === 0 ? "1.0" : "1.1" });
    const { messages } = client.subscribe("/topic/a", since);
    await until(() => messages.length >= 5);
    if (times === 5) {
      const last = await running.stop();
      await until(() => heard.length + messages.length >= last);
    }
    await end(gong, client.connected.session!);
    await client.ended;
    heard.push(...messages.map(({ body }) => body));
    // In 1.1 its colon is escaped; in 1.0 there is no such thing.
    since = { since: messages.at(-1)!.headers.position!.replace("\\c", ":") };
  }
  assertEquals(heard, texts(heard.length));
});

async function end(gong: Pick<Gong, "url">, session: string): Promise<void> {
  const response = await fetch(`${gong.url}/api/sessions/${session}`, { method: "DELETE" });
  await response.body?.cancel();
  assertEquals(response.status, 204);
}
