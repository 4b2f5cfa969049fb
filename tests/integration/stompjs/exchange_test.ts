import { assertEquals, assertMatch } from "@std/assert";
import { connect as connectPlain } from "../../support/client.ts";
import { type Gong, startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { bodies, ended, type LibraryClient, SPEAKERS } from "../../support/stompjs/mod.ts";
import { until, untilSessions } from "../../support/until.ts";

let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2"]);
});
Deno.test.afterAll(() => gong.kill());

/** Each test of a speaker has channels and queues of its own. */
let count = 0;
const fresh = () => `c${++count}`;

/** A position as 1.1 has it for libraries that do not unescape. */
const POSITION = /^[\w-]+(?::|\\c)\d+$/;

/** Subscribes, and is sure that the subscription is in force. */
async function subscribed(client: LibraryClient, destination: string, headers: Record<string, string> = {}) {
  const receipt = crypto.randomUUID();
  const subscription = client.subscribe(destination, { ...headers, receipt });
  return { ...subscription, told: await client.receipt(receipt) };
}

for (const { library, version, name } of SPEAKERS) {
  Deno.test(`${name}: it connects, and every frame that asks for a receipt gets it`, async () => {
    const topic = `/topic/${fresh()}`;
    const client = await library.connect(gong, { version });
    assertEquals(client.connected.version, version);
    assertMatch(client.connected.server!, /^gong\//);
    const { messages, told } = await subscribed(client, topic);
    assertMatch(told.position!, POSITION);
    client.send(topic, "hello", { receipt: "sent" });
    const sent = await client.receipt("sent");
    await bodies({ messages, unsubscribe() {} }, 1);
    const [{ headers }] = messages as [typeof messages[0]];
    assertEquals([headers.destination, headers.position], [topic, sent.position]);
    assertEquals(headers["message-id"], sent.position);
    await client.disconnect();
    await ended(client);
    await untilSessions(gong, 0, "stomp");
    assertEquals(client.error, undefined);
  });

  Deno.test(`${name}: what it sends before DISCONNECT is not lost`, async () => {
    const channel = fresh();
    const client = await library.connect(gong, { version });
    for (let at = 1; at <= 50; at++) client.send(`/topic/${channel}`, `text ${at}`);
    await client.disconnect();
    const kept = async (): Promise<string[]> => {
      const response = await fetch(`${gong.url}/api/history?channel=${channel}&limit=100`);
      return (await response.json()).publications.map(({ data }: { data: string }) => data);
    };
    // The older library waits for nothing.
    await until(async () => (await kept()).length === 50);
    assertEquals(await kept(), numbers(50, "text "));
  });

  Deno.test(`${name}: COMMIT brings all of a transaction in its order, ABORT nothing`, async () => {
    const topic = `/topic/${fresh()}`;
    await using client = await library.connect(gong, { version });
    const subscription = await subscribed(client, topic);
    client.begin("lost");
    client.begin("kept");
    for (const [text, transaction] of [["a", "lost"], ["b", "kept"], ["c", "lost"], ["d", "kept"]] as const) {
      client.send(topic, text, { transaction });
    }
    client.send(topic, "at once", { receipt: "at once" });
    await client.receipt("at once");
    assertEquals(await bodies(subscription, 1), ["at once"]);
    client.abort("lost");
    client.commit("kept");
    client.send(topic, "last");
    assertEquals(await bodies(subscription, 4), ["at once", "b", "d", "last"]);
  });

  Deno.test(`${name}: headers of its own come with the message, and those of the server stay the server's`, async () => {
    const topic = `/topic/${fresh()}`;
    await using client = await library.connect(gong, { version });
    const { messages } = await subscribed(client, topic);
    const own = { priority: "9", "x-name": "a:b", event: "greeting", "content-type": "application/json" };
    client.send(topic, '{"n":1}', { ...own, from: "somebody else", position: "x:1" });
    await bodies({ messages, unsubscribe() {} }, 1);
    const [{ headers, body }] = messages as [typeof messages[0]];
    const { priority, event, from, position } = headers;
    assertEquals([body, priority, event, from], ['{"n":1}', "9", "greeting", client.connected.session]);
    // What 1.1 has escaped the libraries leave so.
    assertMatch(headers["x-name"]!, version === "1.1" ? /^a\\cb$/ : /^a:b$/);
    assertMatch(position!, POSITION);
  });

  Deno.test(`${name}: each of several subscriptions to one destination gets each message, until it is ended`, async () => {
    const topic = `/topic/${fresh()}`;
    await using client = await library.connect(gong, { version });
    const first = await subscribed(client, topic);
    const second = await subscribed(client, topic);
    client.send(topic, "to both");
    await bodies(first, 1);
    await bodies(second, 1);
    first.unsubscribe();
    client.send(topic, "to one");
    assertEquals(await bodies(second, 2), ["to both", "to one"]);
    assertEquals(await bodies(first, 1), ["to both"]);
    const ids = [first, second].map(({ messages }) => new Set(messages.map(({ headers }) => headers.subscription)));
    assertEquals(ids.map(({ size }) => size), [1, 1]);
    assertEquals(ids[0]!.union(ids[1]!).size, 2);
  });

  Deno.test(`${name}: a queue gives each message to one, and again what is not acknowledged`, async () => {
    const queue = `/queue/${fresh()}`;
    const first = await library.connect(gong, { version });
    const given = await subscribed(first, queue, { ack: "client-individual" });
    for (const text of ["one", "two", "three"]) first.send(queue, text, { receipt: text });
    for (const text of ["one", "two", "three"]) await first.receipt(text);
    assertEquals(await bodies(given, 3), ["one", "two", "three"]);
    assertEquals(given.messages.map(({ headers }) => headers.redelivered), ["false", "false", "false"]);
    given.messages[1]!.ack({ receipt: "acked" });
    await first.receipt("acked");
    if (version !== "1.0") {
      given.messages[0]!.nack();
      assertEquals((await bodies(given, 4))[3], "one");
      assertEquals(given.messages[3]!.headers.redelivered, "true");
    }
    await first.disconnect();
    await using second = await library.connect(gong, { version });
    const rest = await subscribed(second, queue, { ack: "client" });
    assertEquals(await bodies(rest, 2), ["one", "three"]);
    assertEquals(rest.messages.map(({ headers }) => headers.redelivered), ["true", "true"]);
    // With `client` all up to this one.
    rest.messages[1]!.ack({ receipt: "all" });
    await second.receipt("all");
    await using third = await library.connect(gong, { version });
    const none = await subscribed(third, queue);
    third.send(queue, "new");
    await until(() => none.messages.length + rest.messages.length === 3);
    assertEquals([...none.messages, ...rest.messages.slice(2)].map(({ body }) => body), ["new"]);
  });

  Deno.test(`${name}: what is published over HTTP it hears, and what it sends the JSON door hears`, async () => {
    const channel = fresh();
    await using client = await library.connect(gong, { version });
    const subscription = await subscribed(client, `/topic/${channel}`);
    await using json = await connectPlain(`${gong.ws}/push?format=json&channel=${channel}`);
    await until(async () => (await json.nextText()).includes('"subscribed"'));
    const [{ position }] = await publish(gong, [{ channel, data: "你好,世界!", tags: { lang: "zh" } }]) as [
      Awaited<ReturnType<typeof publish>>[0],
    ];
    assertEquals(await bodies(subscription, 1), ["你好,世界!"]);
    const { headers } = subscription.messages[0]!;
    assertEquals([headers.lang, headers.position!.split(/:|\\c/)], ["zh", [position.epoch, String(position.offset)]]);
    client.send(`/topic/${channel}`, '{"a":[1,"ü"]}', { "content-type": "application/json", lang: "de" });
    const lines: string[] = [];
    while (lines.length < 2) lines.push(...(await json.nextText()).split("\n"));
    const [, { data, tags, from }] = lines.map((line) => JSON.parse(line)) as [unknown, Record<string, unknown>];
    assertEquals([data, tags, from], [{ a: [1, "ü"] }, { lang: "de" }, client.connected.session]);
  });

  Deno.test(`${name}: what is wrong ends it with an ERROR that has a code, and with the close code of that`, async () => {
    await using client = await library.connect(gong, { version });
    client.send("/elsewhere", "text", { receipt: "wrong" });
    const { code } = await ended(client);
    assertEquals([client.error?.code, client.error?.["receipt-id"], code], ["not_found", "wrong", 4404]);
  });
}

function numbers(count: number, before: string): string[] {
  return Array.from({ length: count }, (_, at) => `${before}${at + 1}`);
}
