import { assert, assertEquals } from "@std/assert";
import { connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { endingIn, signToken, TOKEN_SECRET } from "../support/tokens.ts";

const KEY = "a-key-of-enough-characters";
const PAGE = "https://app.example.com";
const SETTINGS = ["--isolates", "2", "--api-key", KEY, "--token-secret", TOKEN_SECRET, "--log-level", "debug"];

type Headers = Record<string, string>;

function start(...settings: string[]): Promise<Gong> {
  return startGong([...SETTINGS, "--allow-origin", PAGE, ...settings], { dev: false });
}

/** Wherever a token may come in. */
const PLACES: Record<string, (gong: Gong, token: string) => { query: string; headers: Headers }> = {
  "Authorization: Bearer": (_, token) => ({ query: "", headers: { authorization: `Bearer ${token}` } }),
  "the parameter": (_, token) => ({ query: `&token=${token}`, headers: {} }),
  "the cookie, from a page of ours": ({ url }, token) => ({
    query: "",
    headers: { cookie: `gong-token=${token}`, origin: url },
  }),
  "the cookie, from a page of --allow-origin": (_, token) => ({
    query: "",
    headers: { cookie: `gong-token=${token}`, origin: PAGE },
  }),
};

/** Resolves to the first thing that a client of the door hears of `text`, which is published when it listens. */
type Hear = (gong: Gong, query: string, headers: Headers, publish: () => Promise<void>) => Promise<string>;

async function hearStream(gong: Gong, target: string, headers: Headers, publish: () => Promise<void>) {
  const response = await fetch(gong.url + target, { headers });
  assertEquals(response.status, 200);
  let text = "";
  let isPublished = false;
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("a hello")) break;
    // Both channels are heard: the one that was named, and the user's own.
    if (isPublished || !text.includes("subscribed") || !text.includes("$user/42")) continue;
    isPublished = true;
    await publish();
  }
  return text;
}

const DOORS: Record<string, Hear> = {
  async "/push"(gong, query, headers, publish) {
    await using client = await connect(`${gong.ws}/push?channel=room:1${query}`, { headers });
    for (;;) {
      await publish();
      const text = await client.nextText(500).catch(() => undefined);
      if (text !== undefined) return text;
    }
  },
  async "/push?format=json"(gong, query, headers, publish) {
    await using client = await connect(`${gong.ws}/push?format=json&channel=room:1${query}`, { headers });
    let heard = "";
    while (!heard.includes("$user/42")) heard += await client.nextText();
    await publish();
    return await client.nextText();
  },
  "/sse": (gong, query, ...rest) => hearStream(gong, `/sse?channel=room:1${query}`, ...rest),
  "/stream": (gong, query, ...rest) => hearStream(gong, `/stream?channel=room:1${query}`, ...rest),
  "/iframe": (gong, query, ...rest) => hearStream(gong, `/iframe?callback=a&channel=room:1${query}`, ...rest),
  async "/poll"(gong, query, headers, publish) {
    await publish();
    const target = `${gong.url}/poll?timeout=0&history=1&channel=room:1${query}`;
    const { publications, cursor } = await (await fetch(target, { headers })).json();
    assert(cursor.includes("$user/42@"), cursor);
    return JSON.stringify(publications);
  },
  async "/api/history"(gong, query, headers, publish) {
    await publish();
    return await (await fetch(`${gong.url}/api/history?channel=room:1${query}`, { headers })).text();
  },
};

async function publish(gong: Gong, channel: string, data: string): Promise<void> {
  const headers = { "x-api-key": KEY, "content-type": "application/json" };
  const body = JSON.stringify({ channel, data });
  const response = await fetch(`${gong.url}/api/publish`, { method: "POST", headers, body });
  assertEquals(response.status, 200, await response.text());
}

Deno.test("a user is known by a token wherever it comes in, on every door, and none is ever written down", async (t) => {
  await using gong = await start();
  const token = signToken({ channels: ["room:*"] });
  const forged = signToken({ channels: ["room:*"] }, "another-secret-of-enough-characters-for-it");
  for (const [place, show] of Object.entries(PLACES)) {
    for (const [door, hear] of Object.entries(DOORS)) {
      await t.step(`${door}, ${place}`, async () => {
        const { query, headers } = show(gong, token);
        assert((await hear(gong, query, headers, () => publish(gong, "room:1", "a hello"))).includes("a hello"));
      });
      await t.step(`${door}, ${place}, a token that is not valid`, async () => {
        const { query, headers } = show(gong, forged);
        const target = `${door}${door.includes("?") ? "&" : "?"}channel=room:1${query}`;
        if (door.startsWith("/push")) {
          const client = await connect(gong.ws + target, { headers });
          assertEquals(await client.closed, { code: 4401, reason: "The token is not valid." });
        } else {
          const response = await fetch(gong.url + target, { headers });
          const { code, detail } = await response.json();
          assertEquals([response.status, code, detail], [401, "unauthorized", "The token is not valid."]);
        }
      });
    }
    await t.step(`/session, ${place}`, async () => {
      const { query, headers } = show(gong, token);
      const { subscribe, publish } = await (await fetch(`${gong.url}/session?channel=room:1${query}`, { headers }))
        .json();
      assertEquals([subscribe, publish], [true, false]);
    });
  }
  for (const shown of [token, forged]) {
    const query = `?token=${shown}`;
    const headers = { authorization: `Bearer ${shown}` };
    for (const path of ["/", "/nothing", "/api/nothing", "/push", "/push/", "/admin/session", "/gong.js", "/health"]) {
      await (await fetch(gong.url + path + query, { headers })).body?.cancel();
    }
    await (await fetch(`${gong.url}/sse${query}&channel=room:1&tokn=${shown}`)).body?.cancel();
    await using client = await connect(`${gong.ws}/push?format=json`);
    await client.nextText();
    client.send(JSON.stringify({ id: 1, authenticate: { token: shown } }));
    await client.nextText();
    client.send(JSON.stringify({ id: 1, authenticate: { [shown]: shown } }));
    client.send(`not JSON ${shown}`);
    assertEquals((await client.closed).code, 4400);
  }
  const metrics = await (await fetch(`${gong.url}/metrics`, { headers: { "x-api-key": KEY } })).text();
  assert(metrics.includes('gong_tokens_refused_total{check="signature"} 31'), metrics);
  assertEquals(await gong.stop(), 0);
  const output = gong.output();
  assert(output.includes('"event":"token.refused"') && output.includes('"check":"signature"'), output);
  for (const secret of [token, forged, ...token.split(".").slice(1), TOKEN_SECRET]) {
    assert(!output.includes(secret) && !metrics.includes(secret));
  }
});

Deno.test("what a user publishes carries the user, by a frame and by the API, whatever it says itself", async () => {
  await using gong = await start();
  const token = signToken({ channels: ["room:1"], publish: ["room:1"] });
  await using client = await connect(`${gong.ws}/push?format=json&channel=room:1&token=${token}`);
  client.send('{"id":1,"publish":{"channel":"room:1","data":"by a frame"}}');
  client.send(
    '{"id":2,"publish":{"channel":"room:1","data":"x","user":"7"}}\n{"id":3,"publish":{"channel":"b","data":1}}',
  );
  const lines: { id?: number; data?: string; user?: string; error?: { code: string } }[] = [];
  const next = async () => lines.push(...(await client.nextText()).split("\n").map((line) => JSON.parse(line)));
  while (!lines.some(({ id }) => id === 3)) await next();
  assertEquals([2, 3].map((id) => lines.find((line) => line.id === id)?.error?.code), ["bad_request", "forbidden"]);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const post = (body: object) =>
    fetch(`${gong.url}/api/publish`, { method: "POST", headers, body: JSON.stringify(body) });
  const answers = [
    await post({ channel: "room:1", data: "by the API" }),
    await post({ channel: "b", data: "x" }),
    await post({ channel: "room:1", data: "x", user: "7" }),
  ];
  assertEquals(answers.map(({ status }) => status), [200, 403, 400]);
  await Promise.all(answers.map((answer) => answer.body?.cancel()));
  while (!lines.some(({ data }) => data === "by the API")) await next();
  assertEquals(
    lines.filter(({ data }) => data?.startsWith("by")).map(({ data, user }) => [data, user]),
    [["by a frame", "42"], ["by the API", "42"]],
  );
});

Deno.test("a session ends when its token does, on every door that keeps one", async () => {
  await using gong = await start();
  const query = `channel=room:1&token=${signToken({ channels: ["room:*"], exp: endingIn(5) })}`;
  const sockets = await Promise.all(
    ["plain", "json"].map((format) => connect(`${gong.ws}/push?format=${format}&${query}`)),
  );
  const streams = ["/sse?", "/stream?", "/iframe?callback=a&"].map(async (target) => {
    return await (await fetch(gong.url + target + query)).text();
  });
  const poll = await fetch(`${gong.url}/poll?timeout=20&${query}`);
  assertEquals([poll.status, (await poll.json()).code], [401, "unauthorized"]);
  for (const { closed } of sockets) assertEquals(await closed, { code: 4401, reason: "The token has expired." });
  for (const text of await Promise.all(streams)) {
    assert(
      text.includes('"type":"close","code":"unauthorized","message":"The token has expired.","retry":false'),
      text,
    );
  }
});

Deno.test("a token that is renewed in time goes on, and what it does not allow any more is heard no more", async () => {
  await using gong = await start();
  const first = signToken({ channels: ["room:*"], exp: endingIn(5) });
  const other = await connect(`${gong.ws}/push?channel=room:1&token=${first}`);
  await using client = await connect(`${gong.ws}/push?format=json&channel=room:1&channel=room:2&token=${first}`);
  const until = Date.now() + 3_600_000;
  const second = signToken({ channels: ["room:2"], exp: Math.floor(until / 1000) });
  const shown = [second, signToken({ sub: "7" }), "nonsense"];
  client.send(shown.map((token, index) => JSON.stringify({ id: index + 1, authenticate: { token } })).join("\n"));
  // deno-lint-ignore no-explicit-any
  const lines: any[] = [];
  const next = async () => lines.push(...(await client.nextText()).split("\n").map((line) => JSON.parse(line)));
  while (lines.filter(({ id }) => id).length < 3) await next();
  const answer = (id: number) => lines.find((line) => line.id === id);
  assertEquals(answer(3).error.code, "unauthorized");
  // Of several that are under way at once the last one counts.
  assertEquals([answer(1).error?.code, answer(2).error?.code], ["conflict", "conflict"]);
  client.send(JSON.stringify({ id: 4, authenticate: { token: second } }));
  while (!answer(4)) await next();
  assertEquals(answer(4).ok, { user: "42", until: Math.floor(until / 1000) * 1000 + 30_000 });
  assertEquals(lines.filter(({ type }) => type === "unsubscribed"), [{ type: "unsubscribed", channel: "room:1" }]);
  client.send(JSON.stringify({ id: 5, authenticate: { token: signToken({ sub: "7" }) } }));
  while (!answer(5)) await next();
  assertEquals(answer(5).error.code, "conflict");
  // Whoever did not renew it has ended.
  assertEquals((await other.closed).code, 4401);
  await publish(gong, "room:1", "unheard");
  await publish(gong, "room:2", "heard");
  while (!lines.some(({ data }) => data)) await next();
  assertEquals(lines.filter(({ data }) => data).map(({ data }) => data), ["heard"]);
});

Deno.test("nobody comes by the cursor of another user's channel", async (t) => {
  await using gong = await start();
  const token = signToken({ sub: "a", channels: ["room:*"] });
  const query = `channel=room:1&since=${encodeURIComponent("room:1@e:0,$user/b@e:0")}&token=${token}`;
  for (const format of ["plain", "json"]) {
    await t.step(`/push, ${format}`, async () => {
      const client = await connect(`${gong.ws}/push?format=${format}&${query}`);
      assertEquals((await client.closed).code, 4403);
    });
  }
  for (const path of ["/sse", "/stream", "/poll"]) {
    await t.step(path, async () => {
      const response = await fetch(`${gong.url}${path}?${query}`);
      assertEquals([response.status, (await response.json()).code], [403, "forbidden"]);
    });
  }
  for (const channel of ["$user/b", "$user/a"]) {
    await t.step(`/api/history of ${channel}`, async () => {
      const response = await fetch(`${gong.url}/api/history?channel=${channel}&token=${token}`);
      assertEquals(response.status, channel === "$user/a" ? 200 : 403);
      await response.body?.cancel();
    });
  }
});

Deno.test("a user hears the own channel alone where no channel is named, and a door over HTTP needs none", async (t) => {
  await using gong = await start();
  const token = `token=${signToken()}`;
  for (const target of ["/sse?", "/stream?", "/iframe?callback=a&"]) {
    await t.step(target, async () => {
      const response = await fetch(gong.url + target + token);
      let text = "";
      for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
        if ((text += part).includes('"subscribed"')) break;
      }
      assert(text.includes('"channel":"$user/42"'), text);
    });
  }
  await t.step("/poll", async () => {
    const { cursor } = await (await fetch(`${gong.url}/poll?timeout=0&${token}`)).json();
    assert(/^\$user\/42@[^,]+$/.test(cursor), cursor);
  });
  await t.step("/push?format=json", async () => {
    await using client = await connect(`${gong.ws}/push?format=json&${token}`);
    let text = "";
    while (!text.includes('"subscribed"')) text += await client.nextText();
    assert(text.includes('"user":"42"') && text.includes('"channel":"$user/42"'), text);
  });
  await t.step("nobody", async () => {
    const response = await fetch(`${gong.url}/sse`);
    assertEquals([response.status, (await response.json()).field], [400, "channel"]);
  });
});

Deno.test("a poll hears nothing of the user's own channel where that keeps no history", async () => {
  await using gong = await start("--rule", "$user/* count=0");
  const token = `token=${signToken({ channels: ["room:*"] })}`;
  await publish(gong, "room:1", "kept");
  const target = `${gong.url}/poll?timeout=0&history=1&channel=room:1&${token}`;
  const { cursor, publications } = await (await fetch(target)).json();
  assertEquals([cursor.includes("$user"), publications.length], [false, 1]);
  for (const query of [`timeout=0&${token}`, `timeout=0&channel=$user/42&${token}`]) {
    const response = await fetch(`${gong.url}/poll?${query}`);
    assertEquals([response.status, (await response.json()).code], [409, "conflict"]);
  }
});

Deno.test("the user's own channel is heard beside as many as a session may hear", async () => {
  await using gong = await start("--max-subscriptions", "2");
  const token = `token=${signToken({ channels: ["*"] })}`;
  await using client = await connect(`${gong.ws}/push?format=json&channel=a&channel=b&${token}`);
  let text = "";
  while (text.split('"subscribed"').length < 4) text += `${await client.nextText()}\n`;
  client.send('{"id":1,"subscribe":{"channel":"c"}}');
  while (!text.includes('"id":1')) text += await client.nextText();
  assert(text.includes('"code":"too_many"'), text);
  const tooMany = await connect(`${gong.ws}/push?format=json&channel=a&channel=b&channel=c&${token}`);
  assertEquals((await tooMany.closed).code, 4400);
});

Deno.test("gong serve --dev names a user by ?user=, and elsewhere that is refused", async () => {
  await using dev = await startGong(["--isolates", "1"]);
  await using client = await connect(`${dev.ws}/push?format=json&user=42`);
  let text = "";
  while (!text.includes('"subscribed"')) text += await client.nextText();
  assert(text.includes('"user":"42"') && text.includes('"channel":"$user/42"'), text);
  await using gong = await start();
  const response = await fetch(`${gong.url}/sse?channel=broadcast&user=42`);
  assertEquals([response.status, (await response.json()).field], [400, "user"]);
});
