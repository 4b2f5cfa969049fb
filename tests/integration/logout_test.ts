import { assertEquals } from "@std/assert";
import { connect } from "../support/client.ts";
import { startGong } from "../support/gong.ts";

const KEY = "a-key-of-enough-characters";

Deno.test("what an admin login has opened is closed with 4401 when the login ends, on whichever edge it is", async () => {
  await using gong = await startGong(["--isolates", "2", "--api-key", KEY], { dev: false });
  const headers = { origin: gong.url, "content-type": "application/json" };
  const login = await fetch(`${gong.url}/admin/login`, { method: "POST", headers, body: JSON.stringify({ key: KEY }) });
  const cookie = login.headers.get("set-cookie")!.split(";")[0]!;
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => {
      return connect(`${gong.ws}/push?format=json&channel=$admin`, { headers: { cookie, origin: gong.url } });
    }),
  );
  const other = await connect(`${gong.ws}/push`);
  const logout = await fetch(`${gong.url}/admin/logout`, {
    method: "POST",
    headers: { ...headers, cookie },
    body: "{}",
  });
  assertEquals(logout.status, 204);
  const closed = await Promise.all(clients.map((client) => client.closed));
  assertEquals(closed.map(({ code }) => code), clients.map(() => 4401));
  assertEquals(other.socket.readyState, WebSocket.OPEN);
});
