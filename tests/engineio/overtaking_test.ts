import { assertEquals } from "@std/assert";
import type { Carrier, CarrierEvents } from "../../lib/carrier.ts";
import { RemoteClaim } from "../../lib/engineio/claims.ts";
import type { Whereabouts } from "../../lib/engineio/engine.ts";
import { Heartbeat } from "../../lib/engineio/heartbeat.ts";
import type { MovedSession } from "../../lib/engineio/orders.ts";
import type { EngineSession } from "../../lib/engineio/session.ts";
import { Prober } from "../../lib/engineio/upgrade.ts";
import type { Data } from "../../lib/types.ts";

/** A WebSocket that brings a frame in the first moment in which somebody else listens to it. */
class EagerSocket {
  events: CarrierEvents | undefined;
  readonly sent: Data[] = [];
  readonly pending = 0;
  readonly isOpen = true;
  readonly outlet = this;
  readonly #last: Data;

  constructor(last: Data) {
    this.#last = last;
  }

  listen(events: CarrierEvents): void {
    const isFirst = this.events === undefined;
    this.events = events;
    if (!isFirst) queueMicrotask(() => this.events!.received(this.#last));
  }

  send(data: Data): void {
    this.sent.push(data);
  }

  close(): void {}
}

Deno.test("Prober hands on what came while its session was on its way before anything that comes when it is there", async () => {
  const socket = new EagerSocket("4late");
  const heard: Data[] = [];
  const session = { opened() {}, received: (frame: Data) => void heard.push(frame), closed() {} };
  const taken = Promise.withResolvers<MovedSession>();
  const whereabouts: Whereabouts = {
    newSid: () => "sid",
    ownerOf: () => 2,
    ask: () => Promise.resolve({ status: 200, body: "" } as never),
    isFar: () => false,
    abandon() {},
    take: () => taken.promise,
  };
  const claim = new RemoteClaim({
    edge: 2,
    sid: "sid",
    whereabouts,
    receive(_moved, carrier) {
      carrier.listen(session);
      return session as unknown as EngineSession;
    },
  });
  const over = Promise.withResolvers<void>();
  const context = {
    heartbeat: new Heartbeat({ timer: () => () => {} }),
    settings: { upgradeTimeout: 10_000, maxPayload: 1000 },
    refused() {},
    closing() {},
    gone() {},
  };
  new Prober(context, "p", socket as unknown as Carrier, claim, over.resolve);
  socket.events!.received("2probe");
  while (socket.sent.length === 0) await Promise.resolve();
  for (const frame of ["5", "4first", "4second"]) socket.events!.received(frame);
  taken.resolve({ engine: { sid: "sid", protocol: 4, frames: [] } } as unknown as MovedSession);
  await over.promise;
  while (heard.length < 3) await Promise.resolve();
  assertEquals(heard, ["4first", "4second", "4late"]);
});
