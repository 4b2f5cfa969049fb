import { assert, assertEquals } from "@std/assert";
import { connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { RawConnection, rawRequest } from "../support/raw.ts";
import { get, handshake } from "../support/requests.ts";

const EACH = 100;
/** Descriptors that the server may hold for itself: it asks for keys. */
const OWN = 3;
/** Milliseconds for the server to notice. */
const PATIENCE = 15_000;

/** What a client does right after it has asked to be let in. */
const LEAVING: Record<string, (connection: RawConnection) => Promise<void>> = {
  "closes at once": (connection) => Promise.resolve(connection.close()),
  async "closes a millisecond later"(connection) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    connection.close();
  },
  async "ends its side, and closes when the server has ended the other"(connection) {
    await connection.end();
    await connection.readToEnd();
    connection.close();
  },
};

/** What is left of clients: sessions, sockets that do not go, descriptors. */
async function remains(gong: Gong): Promise<{ sessions: number; stuck: number; descriptors: number }> {
  const { body } = await rawRequest(gong.port, get("/api/stats"));
  const { gong_sessions: sessions = {}, gong_stuck_sockets: stuck = 0 } = JSON.parse(body);
  const all = Object.values<number>(sessions).reduce((sum, count) => sum + count, 0);
  return { sessions: all, stuck, descriptors: [...Deno.readDirSync(`/proc/${gong.pid}/fd`)].length };
}

/** What remains as soon as it is no more than `before`, or when patience is over. */
async function settled(gong: Gong, before: { descriptors: number }) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const now = await remains(gong);
    const isBack = now.sessions === 0 && now.stuck === 0 && now.descriptors <= before.descriptors;
    if (isBack || Date.now() > deadline) return now;
  }
}

/** Says that one of the set has signed it. */
const TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA";

/** What is asked for, and what a client says. */
const ASKING: Record<string, string> = {
  "asks to be let in": handshake("/push"),
  "asks to be let in with a token that waits for its key": handshake(`/push?token=${TOKEN}`),
  "asks to be let in with what is no token": handshake("/push?token=no"),
};

const CASES = Object.entries(ASKING).flatMap(([asks, request]) => {
  return Object.entries(LEAVING).map(([leaves, leave]) => ({ title: `${asks} and ${leaves}`, request, leave }));
});

for (const { title, request, leave } of CASES) {
  Deno.test(`gong serve keeps nothing of a client that ${title}`, async () => {
    // Nobody accepts: a set of keys that never comes.
    using keys = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    // One isolate accepts in order: who is let in later proves that all before were taken.
    await using gong = await startGong(["--isolates", "1", "--token-jwks", `http://127.0.0.1:${keys.addr.port}/`]);
    const first = await remains(gong);
    const before = { descriptors: first.descriptors + OWN };
    await Promise.all(Array.from({ length: EACH }, async () => {
      const connection = await RawConnection.open(gong.port);
      await connection.write(request);
      await leave(connection);
    }));
    const client = await connect(`${gong.ws}/push`);
    client.send("still here");
    assertEquals(await client.nextText(), "still here");
    await client.close();
    const after = await settled(gong, before);
    assertEquals([after.sessions, after.stuck], [0, 0]);
    assert(after.descriptors <= before.descriptors, `${after.descriptors} descriptors, ${before.descriptors} before`);
  });
}
