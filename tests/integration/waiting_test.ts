import { assert, assertEquals } from "@std/assert";
import { connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { Issuer } from "../support/issuer.ts";

function start({ url }: Issuer): Promise<Gong> {
  return startGong(["--isolates", "1", "--token-jwks", url, "--max-message", "1KiB"], { dev: false });
}

Deno.test("what a client says before its token is checked waits, in order and no more than a message of it", async () => {
  await using issuer = await Issuer.open();
  await using gong = await start(issuer);
  const token = await issuer.sign({ channels: ["a"], publish: ["a"] });
  await using client = await connect(`${gong.ws}/push?format=json&channel=a&token=${token}`);
  await using plain = await connect(`${gong.ws}/push?channel=a&token=${token}`);
  const [chatty, large] = [
    await connect(`${gong.ws}/push?channel=a&token=${token}`),
    await connect(`${gong.ws}/push?channel=a&token=${token}`),
  ];
  await issuer.asked.promise;
  for (const n of [1, 2, 3]) client.send(JSON.stringify({ id: n, publish: { channel: "a", data: n } }));
  for (let n = 0; n < 2; n++) chatty.send("x".repeat(600));
  large.send("x".repeat(1025));
  assertEquals([(await chatty.closed).code, (await large.closed).code], [4429, 1009]);
  assertEquals([client.buffered, plain.buffered], [0, 0]);
  issuer.release();
  let text = "";
  while (!text.includes('"id":3')) text += await client.nextText();
  const offsets = [...text.matchAll(/"id":(\d),"ok":{"epoch":"[^"]+","offset":(\d)/g)].map((
    [, id, offset],
  ) => [id, offset]);
  assertEquals(offsets, [["1", "1"], ["2", "2"], ["3", "3"]]);
  assert(text.indexOf('"welcome"') < text.indexOf('"id":1'), text);
});

Deno.test("gong serve sends those away who wait when it ends, and has nobody's session to close", async () => {
  await using issuer = await Issuer.open();
  await using gong = await start(issuer);
  const waiting = await connect(`${gong.ws}/push?token=${await issuer.sign({})}`);
  await issuer.asked.promise;
  const stopped = gong.stop();
  assertEquals((await waiting.closed).code, 1001);
  issuer.release();
  assertEquals(await stopped, 0);
  assert(!gong.output().includes("session."), gong.output());
});
