import { assertEquals, assertRejects } from "@std/assert";
import { Ledger } from "../../lib/brokers/ledger.ts";
import type { Channel, KeptChannel, Store } from "../../lib/brokers/ledger/store.ts";
import { MemoryQueues } from "../../lib/brokers/memory/queues.ts";
import { GongError } from "../../lib/errors.ts";
import { queueChannel } from "../../lib/reserved.ts";
import type { Publication } from "../../lib/types.ts";

class FragileQueues extends MemoryQueues {
  fails = false;

  override read(...message: Parameters<MemoryQueues["read"]>): Publication[] {
    if (this.fails) throw new Error("disk I/O error");
    return super.read(...message);
  }
}

/** A store that lasts, of channels and queues alone. */
class ChannelStore implements Pick<Store, "isLasting" | "queues" | "load" | "save" | "forget" | "commit" | "rollback"> {
  readonly isLasting = true;
  readonly queues = new FragileQueues();
  isFull = false;
  #kept = new Map<string, KeptChannel>();
  #changes = new Map<string, KeptChannel | undefined>();

  *load(): Generator<KeptChannel> {
    yield* this.#kept.values();
  }

  save({ name, epoch, offset, first, bytes, idBytes }: Channel): void {
    this.#changes.set(name, { name, epoch, offset, first, bytes, idBytes });
  }

  forget({ name }: Channel): void {
    this.#changes.set(name, undefined);
  }

  commit(): void {
    if (this.isFull) throw new Error("the disk is full");
    for (const [name, channel] of this.#changes) {
      if (channel) this.#kept.set(name, channel);
      else this.#kept.delete(name);
    }
    this.#changes.clear();
  }

  rollback(): void {
    this.#changes.clear();
  }

  *expire(): Generator<never> {}
  *expireIds(): Generator<never> {}
  close(): void {}
}

Deno.test("Ledger.subscribe() that fails leaves a channel behind that nobody hosts, and that may be forgotten", async () => {
  const store = new ChannelStore();
  const options = { maxChannels: 2, pause: 0 };
  const capabilities = { atomic: true, queues: true, survives: "process" } as const;
  const ledger = new Ledger(store as Partial<Store> as Store, () => {}, capabilities, options);
  await ledger.subscribe("hosted");
  await ledger.read("idle");
  store.isFull = true;
  await assertRejects(() => ledger.subscribe("late"), GongError, "stored");
  store.isFull = false;
  await ledger.unsubscribe("hosted");
  for (const name of ["one", "other"]) await ledger.subscribe(name);
  assertEquals(ledger.stats().channels, 2);
  await ledger.close();
});

Deno.test("Ledger.claim() that cannot read gives nobody anything: the next one has it", async () => {
  const store = new ChannelStore();
  const capabilities = { atomic: true, queues: true, survives: "process" } as const;
  const ledger = new Ledger(store as Partial<Store> as Store, () => {}, capabilities);
  await ledger.publish(["1", "2"].map((data) => ({ channel: queueChannel("q"), data, contentType: "text/plain" })));
  store.queues.fails = true;
  await assertRejects(() => ledger.claim("q", {}), Error, "disk I/O error");
  assertEquals(ledger.stats().queues.claimed, 0);
  store.queues.fails = false;
  assertEquals((await ledger.claim("q", {})).map(({ data }) => data), ["1", "2"]);
  await ledger.close();
});
