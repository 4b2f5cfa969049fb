import { assert, assertEquals, assertThrows } from "@std/assert";
import { claimPort } from "../../lib/supervisor/port_claim.ts";

const HOST = "127.0.0.1";

Deno.test("claimPort() gives a port to one at a time, and again as soon as it is released", () => {
  const first = claimPort(HOST, 0);
  assertThrows(() => claimPort(HOST, first.port), Deno.errors.AddrInUse);
  assertThrows(() => claimPort("0.0.0.0", first.port), Deno.errors.AddrInUse);
  first.release();
  first.release();
  const second = claimPort(HOST, first.port);
  assertEquals(second.port, first.port);
  second.release();
});

Deno.test("claimPort() leaves the TCP port free for the edges, shared or not", () => {
  const claim = claimPort(HOST, 0);
  Deno.listen({ hostname: HOST, port: claim.port }).close();
  claim.release();
});

Deno.test("claimPort() refuses a port that somebody listens on, sharing it or not, and holds nothing of it then", () => {
  for (const reusePort of [false, true]) {
    using listener = Deno.listen({ hostname: HOST, port: 0, reusePort });
    const { port } = listener.addr;
    assertThrows(() => claimPort(HOST, port), Deno.errors.AddrInUse);
    Deno.listenDatagram({ transport: "udp", hostname: HOST, port }).close();
  }
});

Deno.test("claimPort() for 0 gives everybody another port", () => {
  const claims = Array.from({ length: 20 }, () => claimPort(HOST, 0));
  assertEquals(new Set(claims.map(({ port }) => port)).size, claims.length);
  for (const { port, release } of claims) {
    assert(port > 0);
    release();
  }
});
