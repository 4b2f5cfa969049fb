/**
 * SIGHUP: what is in the files now counts, and nobody is dropped for it but whom it takes the right to be there.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { rawRequest } from "../support/raw.ts";
import { handshake } from "../support/requests.ts";
import { until } from "../support/until.ts";

const OLD = "reload-old-0123456789";
const NEW = "reload-new-0123456789";
const OPS = "reload-ops-0123456789";

const SETTINGS = { publicChannels: ["broadcast", "news"], rule: ["chat/* subscribe=everyone publish=everyone"] };

async function start(): Promise<Gong> {
  return await startGong(["--config", "gong.json", "--api-key-file", "keys.txt", "--isolates", "2"], {
    dev: false,
    files: { "gong.json": JSON.stringify(SETTINGS), "keys.txt": `shop:publish:${OLD}\nops:admin:${OPS}\n` },
  });
}

/** Resolves to the events of the log with that name, as soon as there are so many. */
async function events(gong: Gong, event: string, count: number): Promise<Record<string, unknown>[]> {
  const find = () =>
    gong.output().split("\n").filter((line) => line.includes(`"${event}"`)).map((line) => JSON.parse(line));
  await until(() => find().length >= count);
  return find();
}

async function publish(gong: Gong, key: string, channel = "broadcast"): Promise<number> {
  const response = await fetch(`${gong.url}/api/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ channel, data: "x" }),
  });
  await response.body?.cancel();
  return response.status;
}

Deno.test("SIGHUP: new keys, rules and origins count at every edge, and who keeps the right stays", async () => {
  await using gong = await start();
  const listeners = await Promise.all(
    Array.from(
      { length: 8 },
      () => connect(`${gong.ws}/push?format=json&channel=broadcast&channel=news&channel=chat/1`),
    ),
  );
  const keyed = await Promise.all(
    Array.from(
      { length: 4 },
      () => connect(`${gong.ws}/push?format=json`, { headers: { authorization: `Bearer ${OLD}` } }),
    ),
  );
  const plain = await connect(`${gong.ws}/push?channel=news`);
  for (const client of listeners) for (let heard = 0; heard < 3;) heard += count(await client.nextText(), "subscribed");
  const foreign = async () =>
    (await rawRequest(gong.port, handshake("/push", { Origin: "https://app.example.com" }))).status;
  assertEquals(await foreign(), 403);

  await Deno.writeTextFile(
    `${gong.dir}/gong.json`,
    JSON.stringify({
      publicChannels: ["broadcast"],
      rule: ["chat/2 subscribe=everyone"],
      allowOrigin: ["https://app.example.com"],
      messageRate: 7,
      logLevel: "debug",
    }),
  );
  await Deno.writeTextFile(`${gong.dir}/keys.txt`, `shop:publish:${NEW}\nops:admin:${OPS}\n`);
  gong.signal("SIGHUP");
  const [reloaded] = await events(gong, "config.reloaded", 1);
  assertEquals(
    new Set(reloaded!.changed as string[]),
    new Set(["allowOrigin", "apiKey", "publicChannels", "rule", "logLevel"]),
  );
  const [needed] = await events(gong, "config.restart_needed", 1);
  assertEquals(needed!.settings, ["messageRate"]);
  for (const secret of [OLD, NEW, OPS]) assert(!gong.output().includes(secret), "a secret in the log");

  // Each is told of each channel that it may not hear any more, and goes on with the other.
  for (const client of listeners) {
    const lost: string[] = [];
    while (lost.length < 2) {
      for (const line of (await client.nextText()).split("\n").map((line) => JSON.parse(line))) {
        if (line.type === "unsubscribed") lost.push(line.channel);
      }
    }
    assertEquals(lost.toSorted(), ["chat/1", "news"]);
  }
  assertEquals((await plain.closed).code, 4403);
  for (const client of keyed) assertEquals((await client.closed).code, 4401);
  assertEquals([await publish(gong, OLD), await publish(gong, NEW)], [401, 200]);
  for (const client of listeners) assertStringIncludes(await client.nextText(), '"data":"x"');
  assertEquals(await foreign(), 101);

  const refused = await rawRequest(gong.port, handshake("/push?channel=chat/1"));
  assertEquals(refused.status, 403);
  for (const client of listeners) await client.close();
});

Deno.test("SIGHUP with wrong files keeps what was, says why, and the next one counts again", async () => {
  await using gong = await start();
  await using client = await connect(`${gong.ws}/push?channel=news`);
  await Deno.writeTextFile(`${gong.dir}/gong.json`, '{"rule":["chat/* subscribe=nobody"],"publicChannels":[]}');
  await Deno.writeTextFile(`${gong.dir}/keys.txt`, `shop:publish:${NEW}\n`);
  gong.signal("SIGHUP");
  const [kept] = await events(gong, "config.kept", 1);
  assertStringIncludes(String(kept!.reason), '"rule" in gong.json');
  await Deno.writeTextFile(`${gong.dir}/gong.json`, JSON.stringify(SETTINGS));
  await Deno.writeTextFile(`${gong.dir}/keys.txt`, "short\n");
  gong.signal("SIGHUP");
  const [, short] = await events(gong, "config.kept", 2);
  assert(!String(short!.reason).includes("short\n"), String(short!.reason));
  assertEquals([await publish(gong, OLD, "news"), await publish(gong, NEW, "news")], [200, 401]);
  assertEquals(await client.nextText(), "x");

  await Deno.writeTextFile(`${gong.dir}/keys.txt`, `shop:publish:${OLD}\nshop2:publish:${NEW}\n`);
  gong.signal("SIGHUP");
  assertEquals((await events(gong, "config.reloaded", 1))[0]!.changed, ["apiKey"]);
  assertEquals([await publish(gong, OLD, "news"), await publish(gong, NEW, "news")], [200, 200]);
  gong.signal("SIGHUP");
  assertEquals((await events(gong, "config.reloaded", 2))[1]!.changed, []);
  assertEquals([await client.nextText(), await client.nextText()], ["x", "x"]);
});

Deno.test("SIGHUP: rules that say how much is kept need a restart, and stay as they are", async () => {
  await using gong = await start();
  const rule = ["chat/* subscribe=keys count=5"];
  await Deno.writeTextFile(`${gong.dir}/gong.json`, JSON.stringify({ ...SETTINGS, rule }));
  gong.signal("SIGHUP");
  assertEquals((await events(gong, "config.restart_needed", 1))[0]!.settings, ["rule"]);
  assertEquals((await events(gong, "config.reloaded", 1))[0]!.changed, []);
  assertEquals((await rawRequest(gong.port, handshake("/push?channel=chat/1"))).status, 101);
});

function count(text: string, type: string): number {
  return text.split("\n").filter((line) => line.includes(`"type":"${type}"`)).length;
}

Deno.test("SIGHUP: a new certificate needs a restart, and open connections know nothing of it", async () => {
  const read = (name: string) => Deno.readTextFileSync(new URL(`../fixtures/${name}`, import.meta.url));
  await using gong = await startGong(["--cert", "cert.pem", "--key", "key.pem", "--isolates", "1"], {
    files: { "cert.pem": read("localhost.pem"), "key.pem": read("localhost.key") },
  });
  using client = Deno.createHttpClient({ caCerts: [read("authority.pem")] });
  const url = gong.url.replace("127.0.0.1", "localhost");
  const stream = await fetch(`${url}/stream?channel=broadcast`, { client });
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes('"subscribed"');) text += (await reader.read()).value;
  await Deno.writeTextFile(`${gong.dir}/cert.pem`, read("self_signed.pem"));
  await Deno.writeTextFile(`${gong.dir}/key.pem`, read("self_signed.key"));
  gong.signal("SIGHUP");
  const [needed] = await events(gong, "config.restart_needed", 1);
  assertEquals(needed!.settings, ["cert", "key"]);
  const published = await fetch(`${url}/api/publish`, {
    client,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channel: "broadcast", data: "still the old one" }),
  });
  await published.body?.cancel();
  assertEquals(published.status, 200);
  for (let text = ""; !text.includes("still the old one");) text += (await reader.read()).value;
  await reader.cancel();
});
