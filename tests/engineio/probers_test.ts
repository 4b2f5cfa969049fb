import { assert, assertEquals, assertThrows } from "@std/assert";
import { Heartbeat } from "../../lib/engineio/heartbeat.ts";
import { Probers } from "../../lib/engineio/probers.ts";
import type { Prober } from "../../lib/engineio/upgrade.ts";
import { GongError } from "../../lib/errors.ts";
import { openStage, SETTINGS } from "../support/engine.ts";
import { OPCODE } from "../support/frames.ts";
import { Poller, Wire } from "../support/engine_client.ts";
import { openWebSocket } from "../support/raw.ts";
import { until } from "../support/until.ts";

Deno.test("Probers.check() refuses an address with too many, and everybody when there are too many in all", () => {
  const probers = new Probers();
  const refusal = (address: string) => assertThrows(() => probers.check(address), GongError).code;
  for (let i = 0; i < 1000; i++) probers.add(`a${i}`, "::a", {} as Prober);
  assertEquals(refusal("::a"), "too_many");
  for (const address of ["::b", "::c", "::d"]) {
    probers.check(address);
    for (let i = 0; i < 1000; i++) probers.add(`${address}${i}`, address, {} as Prober);
  }
  assertEquals(refusal("::e"), "overloaded");
  probers.delete("a0", "::a");
  probers.delete("a0", "::a");
  probers.check("::a");
  probers.check("::e");
});

Deno.test("a WebSocket that takes too long to go on with a session is told of until it is gone", async () => {
  let now = 0;
  const heartbeat = new Heartbeat({ now: () => now, timer: () => () => {} });
  await using stage = openStage({ heartbeat });
  const { sid } = await Poller.open(stage.url);
  const query = new URLSearchParams({ EIO: "4", transport: "websocket", sid });
  const { port, pathname } = new URL(stage.url);
  const silent = await openWebSocket(Number(port), `${pathname}?${query}`);
  now += SETTINGS.upgradeTimeout;
  heartbeat.look();
  now += 1;
  heartbeat.look();
  assertEquals([stage.host.told, stage.host.leftovers.size], [1, 1]);
  await silent.readFrameOf(OPCODE.close);
  // Nobody has answered that.
  assertEquals(stage.host.leftovers.size, 1);
  silent.close();
  await until(() => stage.host.leftovers.size === 0);
});

Deno.test("a WebSocket for a session that has one is told of until it is gone", async () => {
  await using stage = openStage();
  const { wire, handshake } = await Wire.begin(stage.url);
  const second = await Wire.open(stage.url, { EIO: "4", transport: "websocket", sid: handshake.sid });
  assertEquals((await second.end()).code, 4409);
  assertEquals(stage.host.told, 1);
  await until(() => stage.host.leftovers.size === 0);
  assert(wire.isOpen && !wire.closed);
  await wire.close();
});
