import { assertEquals } from "@std/assert";
import { type Gong as Server, startGong } from "../support/gong.ts";
import { Heard } from "./client.ts";

const TRANSPORTS = ["websocket", "sse", "polling"] as const;
const KEY = "correct-horse-battery";

let server: Server;
Deno.test.beforeAll(async () => {
  server = await startGong(["--isolates", "2", "--history-count", "5", "--ping", "500ms"]);
});
Deno.test.afterAll(async () => await server.kill());

for (const transport of TRANSPORTS) {
  const transports = [transport];

  Deno.test(`a server gives over ${transport} history, what follows a position, and what is published`, async () => {
    using publisher = new Heard(server.url);
    for (let n = 1; n <= 5; n++) await publisher.gong.publish(`${transport}:h`, n);
    const { epoch } = await publisher.gong.publish(`${transport}:s`, 1);
    for (let n = 2; n <= 3; n++) await publisher.gong.publish(`${transport}:s`, n);
    using heard = new Heard(server.url, { transports });
    heard.gong.subscribe(`${transport}:s`, heard.hear, { since: `${epoch}:1` });
    await heard.listen(`${transport}:h`, { history: 2 });
    await heard.count(4);
    assertEquals(heard.data.toSorted(), [2, 3, 4, 5]);
    const bytes = new Uint8Array([0, 255, 16]);
    const details = { event: "e", tags: { t: "1" }, id: `${transport} id` };
    const { offset } = await heard.gong.publish(`${transport}:h`, bytes, details);
    await heard.count(5);
    const { messageId, event, tags, data, contentType, offset: at } = heard.messages[4]!;
    assertEquals({ event, tags, id: messageId }, details);
    assertEquals([data, contentType, at], [bytes, "application/octet-stream", offset]);
    assertEquals(heard.lost, []);
  });

  Deno.test(`a server says over ${transport} what is lost, and the client goes on`, async () => {
    const channel = `${transport}:l`;
    using publisher = new Heard(server.url);
    const { epoch } = await publisher.gong.publish(channel, 1);
    for (let n = 2; n <= 9; n++) await publisher.gong.publish(channel, n);
    using heard = new Heard(server.url, { transports });
    await heard.listen(channel, { since: `${epoch}:1` });
    assertEquals(heard.lost, [{ channel, epoch, offset: 9 }]);
    await publisher.gong.publish(channel, 10);
    await heard.count(1);
    assertEquals(heard.data, [10]);
  });

  Deno.test(`a server lets a client hear itself over ${transport}, or not`, async () => {
    using publisher = new Heard(server.url);
    using deaf = new Heard(server.url, { transports, echo: false });
    using heard = new Heard(server.url, { transports });
    for (const each of [deaf, heard]) await each.listen(`${transport}:e`);
    for (const each of [deaf, heard]) await each.gong.publish(`${transport}:e`, each === deaf ? "deaf" : "hearing");
    await publisher.gong.publish(`${transport}:e`, "foreign");
    await Promise.all([deaf.count(2), heard.count(3)]);
    assertEquals(deaf.data, ["hearing", "foreign"]);
    assertEquals(heard.data, ["deaf", "hearing", "foreign"]);
  });

  Deno.test(`a client over ${transport} that changes its mind hears what it wants in the end`, async () => {
    using heard = new Heard(server.url, { transports });
    const channel = `${transport}:m`;
    const { epoch } = await heard.gong.publish(channel, "first");
    for (let n = 0; n < 20; n++) heard.gong.subscribe(channel, heard.hear)();
    await heard.listen(`${transport}:other`);
    for (let n = 0; n < 20; n++) heard.gong.subscribe(channel, heard.hear, { since: `${epoch}:0` })();
    heard.gong.subscribe(channel, heard.hear, { since: `${epoch}:0` });
    await heard.count(1);
    await heard.gong.publish(channel, "second");
    await heard.count(2);
    assertEquals(heard.data, ["first", "second"]);
  });

  Deno.test(`a server refuses over ${transport} whom it has to, and takes a key`, async () => {
    await using closed = await startGong(["--isolates", "1", "--api-key", KEY, "--ping", "500ms"], { dev: false });
    using stranger = new Heard(closed.url, { transports });
    const refused = stranger.event("error");
    stranger.gong.subscribe("secret", stranger.hear);
    assertEquals((await refused).error.code, "forbidden");
    const unpublished = await stranger.gong.publish("secret", 1).catch(({ code, retry }) => [code, retry]);
    assertEquals(unpublished, ["unauthorized", false]);
    using friend = new Heard(closed.url, { transports, headers: { authorization: `Bearer ${KEY}` } });
    await friend.listen("secret");
    await friend.gong.publish("secret", "heard");
    await friend.count(1);
    using wrong = new Heard(closed.url, { transports, headers: { authorization: "Bearer wrong-wrong-wrong" } });
    wrong.gong.subscribe("secret", wrong.hear);
    if (transport === "websocket") await wrong.reaches("waiting");
    else assertEquals((await wrong.event("error")).error.status, 401);
  });
}
