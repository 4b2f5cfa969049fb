import { assert, assertEquals } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { rawRequest } from "../support/raw.ts";
import { get, handshake } from "../support/requests.ts";

const SECRET = "never-in-the-log-0123456789";

Deno.test("gong serve logs a refused handshake as one, with its door, and neither query nor key", async () => {
  await using gong = await startGong(["--isolates", "1", "--path", "/live", "--api-key", SECRET], { dev: false });
  const refused = [
    [handshake(`/push?user=${SECRET}`), "/push", "bad_request", 400],
    [handshake(`/live/?channel=secret&key=${SECRET}`), "/live", "bad_request", 400],
    [handshake("/live?channel=secret"), "/live", "forbidden", 403],
    [handshake("/push", { "X-API-Key": `${SECRET}x` }), "/push", "unauthorized", 401],
    [get(`/push?${SECRET}`), "/push", "bad_request", 400],
  ] as const;
  for (const [send, , , status] of refused) {
    assertEquals((await rawRequest(gong.port, send)).status, status);
  }
  assertEquals((await rawRequest(gong.port, get(`/nothing?key=${SECRET}`))).status, 404);
  assertEquals(await gong.stop(), 0);
  const events = gong.output().split("\n").filter((line) => line.includes(".refused")).map((line) => JSON.parse(line));
  const last = events.pop();
  assertEquals([last.event, last.level, last.code], ["request.refused", "info", "not_found"]);
  assertEquals(
    events.map(({ event, level, address, door, code, status }) => [event, level, address, door, code, status]),
    refused.map(([, ...row]) => ["handshake.refused", "info", "127.0.0.1", ...row]),
  );
  assert(!gong.output().includes(SECRET), gong.output());
});
