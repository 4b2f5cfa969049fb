import { assert, assertEquals } from "@std/assert";
import { Client, Versions } from "@stomp/stompjs";
import { type Gong, startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { connectStomp, textOf } from "../../support/stomp.ts";
import { legacy } from "../../support/stompjs/legacy.ts";
import { protocolOf } from "../../support/stompjs/library.ts";
import { bodies, ended, SPEAKERS } from "../../support/stompjs/mod.ts";
import { until } from "../../support/until.ts";

let gong: Gong;
Deno.test.beforeAll(async () => {
  gong = await startGong(["--isolates", "2", "--max-message", "1048576", "--outbox", "8MiB"]);
});
Deno.test.afterAll(() => gong.kill());

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, at) => at);
/** Leaves 1 KiB of a MiB to the headers. */
const LARGE = 1_047_552;

/** A text of so many bytes, in which no part is like another. */
function large(bytes: number): string {
  const lines = Array.from({ length: bytes / 8 }, (_, at) => `${at.toString(36).padStart(7, ".")}\n`);
  return lines.join("");
}

for (const version of ["1.0", "1.1", "1.2"]) {
  Deno.test(`@stomp/stompjs sends and hears every byte, small and large, in STOMP ${version}`, async () => {
    const heard: { headers: Record<string, string>; bytes: Uint8Array }[] = [];
    let isSubscribed = false;
    const client = new Client({
      webSocketFactory: () => new WebSocket(`${gong.ws}/ws`, protocolOf(version)),
      stompVersions: new Versions([version]),
      reconnectDelay: 0,
      onUnhandledReceipt: () => void (isSubscribed = true),
      onConnect: () => {
        client.subscribe("/topic/bytes", ({ headers, binaryBody: bytes }) => void heard.push({ headers, bytes }), {
          receipt: "subscribed",
        });
      },
    });
    client.activate();
    await until(() => isSubscribed);
    const destination = "/topic/bytes";
    client.publish({ destination, binaryBody: EVERY_BYTE });
    client.publish({ destination, binaryBody: EVERY_BYTE, headers: { "content-type": "image/png" } });
    const whole = Uint8Array.from({ length: LARGE }, (_, at) => at * 31 >> 3);
    client.publish({ destination, binaryBody: whole });
    await until(() => heard.length === 3, () => `${heard.length} of 3`);
    const types = heard.map(({ headers }) => headers["content-type"]);
    assertEquals(types, ["application/octet-stream", "image/png", "application/octet-stream"]);
    assertEquals(heard[0]!.bytes, EVERY_BYTE);
    assertEquals(heard[1]!.bytes, EVERY_BYTE);
    assert(equal(heard[2]!.bytes, whole), "the large body has changed");
    await client.deactivate();
  });
}

Deno.test("stompjs 2.3.3, which knows only text, sends every character up to U+00FF, and hears every byte but 0", async () => {
  await using client = await legacy.connect(gong, { version: "1.1" });
  await using listener = await connectStomp(gong);
  await listener.subscribe("/topic/old");
  const subscription = client.subscribe("/topic/old", { receipt: "subscribed" });
  await client.receipt("subscribed");
  const text = String.fromCharCode(...EVERY_BYTE);
  client.send("/topic/old", text);
  assertEquals(textOf(await listener.next("MESSAGE")), text);
  // It takes a NUL for the end of a frame, whatever the content-length is.
  await bodies(subscription, 1);
  await publish(gong, [{ channel: "old", data: EVERY_BYTE.subarray(1), contentType: "application/octet-stream" }]);
  const heard = await bodies(subscription, 2);
  assertEquals(heard.at(-1), text.slice(1));
});

for (const { library, version, name } of SPEAKERS) {
  for (const cut of [undefined, 1024, 65_536]) {
    const how = cut === undefined ? "as the library does it by itself" : `cut into messages of ${cut}`;
    Deno.test(`${name}: a text of ${LARGE} bytes goes and comes whole, ${how}`, async () => {
      await using client = await library.connect(gong, { version, ...(cut === undefined ? {} : { cut }) });
      const topic = `/topic/large-${crypto.randomUUID()}`;
      const subscription = client.subscribe(topic, { receipt: "subscribed" });
      await client.receipt("subscribed");
      const text = large(LARGE);
      client.send(topic, text, { receipt: "sent" });
      await client.receipt("sent");
      const [heard] = await bodies(subscription, 1);
      assert(heard === text, "the large text has changed");
    });
  }
}

Deno.test("a body over --max-message is refused with too_large, whichever library it comes from", async () => {
  for (const { library, version, name } of SPEAKERS) {
    await using client = await library.connect(gong, { version });
    client.send("/topic/large", "x".repeat(1_048_577));
    const { code } = await ended(client);
    assertEquals([client.error?.code, code], ["too_large", 1009], name);
  }
});

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
