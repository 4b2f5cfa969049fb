import { assertEquals, assertNotMatch } from "@std/assert";
import { connect } from "../support/client.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { openWebSocket, RawConnection, rawRequest } from "../support/raw.ts";
import { get, handshake, post } from "../support/requests.ts";
import { type Random, seeded } from "../support/random.ts";

const encoder = new TextEncoder();
const ROUNDS = Number(Deno.env.get("FUZZ_ROUNDS") ?? 300);

const REQUESTS = [
  handshake("/push?channel=a&echo=false"),
  handshake("/push?format=json"),
  post("/api/publish", '{"channel":"a","data":[1,{"b":null}],"id":"x"}'),
  get("/api/sessions?limit=10&after=x"),
  get("/static/push.js"),
] as const;

const LINES = [
  '{"id":1,"publish":{"channel":"a","data":{"b":[1,2]}}}',
  '{"id":"x","subscribe":{"channel":"a","since":"e:1"}}\n{"ping":{}}',
  '{"id":{},"unsubscribe":{"channel":"$admin"}}',
  '{"__proto__":{"publish":1},"constructor":{}}',
] as const;

/** `bytes` with some of them changed, cut out, or repeated. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const result = [...bytes];
  for (let times = random.int(8); times >= 0; times--) {
    const at = random.int(result.length + 1);
    const kind = random.int(4);
    if (kind === 0) result[at] = random.int(256);
    else if (kind === 1) result.splice(at, random.int(20));
    else if (kind === 2) result.splice(at, 0, ...result.slice(at, at + random.int(40)));
    else result.splice(at, 0, ...encoder.encode(random.pick(["\r\n", "\0", ":", ",", "%00", "é", "\r\n\r\n"])));
  }
  return Uint8Array.from(result);
}

function randomFrame(random: Random): Uint8Array {
  const payload = encoder.encode(random.pick(LINES));
  const size = random.pick([0, 1, 125, 126, 1000]);
  return encodeFrame(
    random.int(4) === 0 ? random.int(16) : OPCODE.text,
    random.int(2) === 0 ? damaged(payload, random) : new Uint8Array(size).map(() => random.int(256)),
    { fin: random.int(4) > 0, masked: random.int(8) > 0, rsv: random.int(8) === 0 ? random.int(8) : 0 },
  );
}

/** Sends it all, ends its own half, and waits until the server has ended the other. */
async function throwAt(connection: RawConnection, bytes: Uint8Array): Promise<void> {
  try {
    await connection.write(bytes);
    await connection.end();
    await connection.readToEnd();
  } catch {
    // The server may close in the middle, or wait for the rest of what was cut off.
  } finally {
    connection.close();
  }
}

async function assertServes(gong: Gong): Promise<void> {
  assertEquals((await rawRequest(gong.port, get("/ready"))).status, 200);
  await using client = await connect(`${gong.ws}/push`);
  client.send("still here");
  assertEquals(await client.nextText(), "still here");
  assertEquals(await gong.stop(), 0);
  assertNotMatch(gong.output(), /panick|uncaught|"level":"(error|fatal)"|edge\.(restart|lost)/i);
}

Deno.test("gong serve goes on after damaged requests", async () => {
  const random = seeded(1);
  await using gong = await startGong(["--isolates", "1"]);
  for (let round = 0; round < ROUNDS; round++) {
    const connection = await RawConnection.open(gong.port, { patience: 500 });
    await throwAt(connection, damaged(encoder.encode(random.pick(REQUESTS)), random));
  }
  await assertServes(gong);
});

for (const target of ["/push", "/push?format=json"]) {
  Deno.test(`gong serve goes on after random frames to ${target}`, async () => {
    const random = seeded(2);
    await using gong = await startGong(["--isolates", "1"]);
    for (let round = 0; round < ROUNDS; round++) {
      const connection = await openWebSocket(gong.port, target);
      const frames = Array.from({ length: 1 + random.int(10) }, () => [...randomFrame(random)]).flat();
      await throwAt(connection, Uint8Array.from(frames));
    }
    await assertServes(gong);
  });
}
