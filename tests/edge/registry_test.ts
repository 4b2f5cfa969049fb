import { assertEquals } from "@std/assert";
import { Registry } from "../../lib/edge/registry.ts";
import { Metrics } from "../../lib/metrics.ts";
import type { Session } from "../../lib/session.ts";

/** A closing handshake may take no time at all here. */
function open(...ids: string[]): { registry: Registry; sessions: { lingers: boolean; held: number }[] } {
  const registry = new Registry(1, new Metrics({ isolate: "1" }), 0);
  const sessions = ids.map((id) => ({ id, door: { name: "plain" }, lingers: false, held: 0 }));
  for (const session of sessions) registry.add(session as unknown as Session);
  return { registry, sessions };
}

Deno.test("Registry.stuck() counts who was told to close and has not gone, with what the socket holds", () => {
  const { registry, sessions } = open("a", "b", "c");
  assertEquals(registry.stuck(), { sockets: 0, bytes: 0 });
  sessions[1]!.held = 5000;
  const [first, second] = sessions as unknown as [Session, Session];
  for (const session of [first, second]) registry.leave(session, "slow");
  assertEquals(registry.stuck(), { sockets: 2, bytes: 45_000 });
  registry.gone(second);
  assertEquals(registry.stuck(), { sockets: 1, bytes: 20_000 });
});

Deno.test("Registry.stuck() does not count who has left as long as something is queued to it", async () => {
  const { registry, sessions } = open("a", "b");
  for (const session of sessions) registry.leave(session as unknown as Session, "forbidden");
  sessions[0]!.lingers = true;
  assertEquals(registry.stuck().sockets, 1);
  const empty = registry.empty(60);
  registry.gone(sessions[1] as unknown as Session);
  assertEquals(registry.stuck().sockets, 0);
  sessions[0]!.lingers = false;
  registry.closing(sessions[0] as unknown as Session);
  assertEquals(registry.stuck().sockets, 1);
  registry.gone(sessions[0] as unknown as Session);
  await empty;
});
