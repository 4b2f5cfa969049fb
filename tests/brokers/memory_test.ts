import { assert, assertEquals } from "@std/assert";
import { openBroker } from "../../lib/brokers/mod.ts";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { defaultConfig } from "../../lib/config.ts";
import type { Publication } from "../../lib/types.ts";
import { testBroker } from "../conformance/broker.ts";
import { costOf } from "../support/cost.ts";

testBroker("memory", createMemoryBroker, {
  atomic: true,
  queues: true,
  clock: true,
  bytes: true,
  forgets: true,
  counts: true,
});

Deno.test("createMemoryBroker() declares what it can do", () => {
  assertEquals(createMemoryBroker(() => {}).capabilities, { atomic: true, queues: true, survives: "disconnection" });
});

Deno.test("createMemoryBroker() makes epochs that no two channels share and a cursor can hold", async () => {
  const broker = createMemoryBroker(() => {});
  const epochs = new Set<string>();
  for (let n = 0; n < 1000; n++) epochs.add((await broker.read(`c${n}`)).top.epoch);
  assertEquals(epochs.size, 1000);
  for (const epoch of epochs) assert(/^[0-9a-z]{16}$/.test(epoch), epoch);
});

Deno.test("createMemoryBroker() finds the next to forget and the next to shorten without a search", async () => {
  const data = "x".repeat(1000);
  const many = 50_000;
  const broker = createMemoryBroker(() => {}, { maxChannels: many, historyBudget: 1_000_000 });
  for (let n = 0; n < many; n++) {
    if (n % 2 === 0) await broker.subscribe(`c${n}`);
    else await broker.publish([{ channel: `c${n}`, data, contentType: "text/plain" }]);
  }
  const each = await costOf(5000, (n) => broker.publish([{ channel: `d${n}`, data, contentType: "text/plain" }]));
  // A search through all of them takes more than 0.5 ms.
  assert(each < 0.2, `${each} ms a publication`);
});

Deno.test("openBroker() opens what the configuration names, within its bounds", async () => {
  const announced: Publication[] = [];
  const config = defaultConfig({ historyCount: 2, maxChannels: 2 });
  const broker = openBroker(config, (publications) => announced.push(...publications));
  const draft = { channel: "a", data: "1", contentType: "text/plain" };
  await broker.publish([draft, draft, draft, { ...draft, channel: "b" }, { ...draft, channel: "c" }]);
  assertEquals(announced.map(({ channel }) => channel), ["a", "a", "a", "b"]);
  assertEquals(broker.stats().channels, 2);
  await broker.close();
});

Deno.test("the memory broker forgets channels that were only listened to before those that have publications", async () => {
  const broker = createMemoryBroker(() => {}, { maxChannels: 10 });
  await broker.publish([{ channel: "kept", data: "x", contentType: "text/plain" }]);
  const { top } = await broker.read("kept");
  for (let i = 0; i < 50; i++) {
    await broker.subscribe(`passing-${i}`);
    await broker.unsubscribe(`passing-${i}`);
  }
  assertEquals((await broker.read("kept")).top, top);
});

Deno.test("the memory broker lets go what is too old in parts, whoever publishes", async () => {
  let now = 1_700_000_000_000;
  const broker = createMemoryBroker(() => {}, { historyAge: 10, now: () => now });
  const draft = (channel: string) => ({ channel, data: "x", contentType: "text/plain" });
  for (let n = 0; n < 25; n++) await broker.publish(Array.from({ length: 1000 }, () => draft(`c${n}`)));
  now += 10_001;
  const left: number[] = [];
  for (let n = 0; n < 3; n++) {
    await broker.publish([draft("a")]);
    left.push(broker.stats().publications!);
  }
  assertEquals(left, [15_001, 5002, 3]);
});
