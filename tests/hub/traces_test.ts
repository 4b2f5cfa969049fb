import { assert, assertEquals } from "@std/assert";
import { Budget } from "../../lib/budget.ts";
import { joinTraces, Traces, type TracesOptions } from "../../lib/hub/traces.ts";
import type { Draft, Publication, PublishResult, Trace } from "../../lib/types.ts";

const CONTENT = { data: "x", contentType: "text/plain" };
const OVERLOADED: PublishResult = { error: { code: "overloaded", message: "Later." } };

function draft(id: string, channel = "news"): Draft {
  return { ...CONTENT, channel, id, trace: true };
}

function publication(id: string, offset: number, channel = "news"): Publication {
  return { ...CONTENT, channel, id, trace: true, epoch: "e", offset, time: 1000 + offset };
}

/** Traces whose clock stands at 5,000. */
function setUp(limit = 1 << 20, more: TracesOptions = {}): { traces: Traces; budget: Budget } {
  const budget = new Budget(limit);
  return { traces: new Traces(budget, { now: () => 5000, ...more }), budget };
}

function noted(traces: Traces, id: string): Trace[] | undefined {
  return joinTraces(traces.get(id));
}

function accepted(offset: number, more: object = {}): object {
  return { channel: "news", time: 1000 + offset, epoch: "e", offset, queued: 0, dropped: {}, ...more };
}

Deno.test("Traces.get() tells what was numbered, and what edges did with it", () => {
  const { traces } = setUp();
  assertEquals(noted(traces, "a"), undefined);
  traces.announced([publication("a", 1), { ...CONTENT, channel: "news", epoch: "e", offset: 2, time: 1002 }]);
  traces.settled([draft("a")], [{ epoch: "e", offset: 1 }]);
  assertEquals<unknown>(noted(traces, "a"), [accepted(1)]);
  const at = { id: "a", channel: "news", epoch: "e", offset: 1 };
  traces.count([{ ...at, queued: 3, slow: 0 }, { ...at, queued: 2, slow: 1 }]);
  traces.count([{ ...at, queued: 0, slow: 1 }]);
  assertEquals<unknown>(noted(traces, "a"), [accepted(1, { queued: 5, dropped: { slow: 2 } })]);
  assertEquals(traces.size, 1);
});

Deno.test("Traces notes nothing of what is not traced", () => {
  const { traces, budget } = setUp();
  const { trace: _, ...plain } = publication("a", 1);
  traces.announced([plain]);
  const { trace: __, ...untraced } = draft("a");
  traces.settled([untraced, untraced], [{ epoch: "e", offset: 1 }, OVERLOADED]);
  traces.count([{ id: "a", channel: "news", epoch: "e", offset: 1, queued: 1, slow: 0 }]);
  assertEquals([noted(traces, "a"), traces.size, budget.used], [undefined, 0, 0]);
});

Deno.test("Traces.get() lists every channel and publisher of an id, in their order", () => {
  const { traces } = setUp();
  traces.announced([publication("a", 1), publication("a", 2, "sport"), publication("b", 2)]);
  traces.announced([publication("a", 3)]);
  traces.count([{ id: "a", channel: "news", epoch: "e", offset: 3, queued: 7, slow: 0 }]);
  const places = (noted(traces, "a") ?? []).map((trace) => ({ offset: 0, queued: 0, ...trace }));
  assertEquals(places.map(({ channel, offset, queued }) => ({ channel, offset, queued })), [
    { channel: "news", offset: 1, queued: 0 },
    { channel: "sport", offset: 2, queued: 0 },
    { channel: "news", offset: 3, queued: 7 },
  ]);
});

Deno.test("Traces.get() tells of a refusal by its code, once for each", () => {
  const { traces } = setUp();
  const conflict: PublishResult = { error: { code: "conflict", message: "Other data." } };
  traces.settled([draft("a"), draft("a", "sport")], [OVERLOADED, { epoch: "e", offset: 9 }]);
  traces.settled([draft("a")], [OVERLOADED]);
  traces.settled([draft("a")], [conflict]);
  assertEquals<readonly Trace[] | undefined>(noted(traces, "a"), [
    { channel: "sport", time: 5000, epoch: "e", offset: 9, queued: 0, dropped: {} },
    { channel: "news", time: 5000, refused: "overloaded" },
    { channel: "news", time: 5000, refused: "conflict" },
  ]);
});

Deno.test("Traces.get() tells of a repeat with the figures of the first, if that was traced", () => {
  const { traces } = setUp();
  const repeated: PublishResult = { epoch: "e", offset: 1, repeated: true };
  traces.settled([draft("a")], [repeated]);
  const first = { channel: "news", time: 5000, epoch: "e", offset: 1, repeated: true as const };
  assertEquals<readonly Trace[] | undefined>(noted(traces, "a"), [first]);

  traces.announced([publication("b", 1)]);
  traces.settled([draft("b")], [repeated]);
  traces.settled([draft("b")], [repeated]);
  traces.count([{ id: "b", channel: "news", epoch: "e", offset: 1, queued: 2, slow: 0 }]);
  assertEquals<unknown>(noted(traces, "b"), [
    accepted(1, { queued: 2 }),
    { ...first, queued: 2, dropped: {} },
  ]);
});

Deno.test("Traces takes a sixteenth of the budget at most, and forgets the oldest first", () => {
  const { traces, budget } = setUp(160_000);
  const history = 50_000;
  budget.take(history);
  for (let n = 1; n <= 1000; n++) {
    traces.announced([publication(`id ${n}`, n)]);
    assert(traces.bytes <= 10_000);
    assertEquals(budget.used, history + traces.bytes);
    assert(noted(traces, `id ${n}`), "the newest is there");
  }
  assert(traces.size >= 10, `only ${traces.size}`);
  const kept = Array.from({ length: 1000 }, (_, n) => n + 1).filter((n) => noted(traces, `id ${n}`));
  assertEquals(kept, Array.from({ length: traces.size }, (_, n) => 1001 - traces.size + n));
});

Deno.test("Traces forgets the notes of one id one by one, and takes longer texts for more", () => {
  const { traces, budget } = setUp(160_000);
  for (let n = 1; n <= 1000; n++) traces.announced([publication("a", n)]);
  const few = traces.size;
  assertEquals(noted(traces, "a")?.length, few);
  assertEquals<unknown>(noted(traces, "a")?.at(-1), accepted(1000));
  for (let n = 1; n <= 1000; n++) traces.announced([publication("é".repeat(32), n, "c".repeat(128))]);
  assert(traces.size < few);
  assertEquals([noted(traces, "a"), budget.used], [undefined, traces.bytes]);
});

Deno.test("Traces gives notes up, the oldest first, for who finds no other room in the budget", () => {
  const { traces, budget } = setUp(160_000);
  assertEquals(budget.reclaim(), false);
  traces.announced([publication("a", 1), publication("b", 2)]);
  const { used } = budget;
  assertEquals([budget.reclaim(), noted(traces, "a"), noted(traces, "b")?.length], [true, undefined, 1]);
  assert(budget.used < used);
  assertEquals([budget.reclaim(), budget.used, budget.reclaim()], [true, 0, false]);
});

Deno.test("Traces of a budget too small for one note keeps none", () => {
  const { traces, budget } = setUp(1000);
  traces.announced([publication("a", 1)]);
  traces.settled([draft("b")], [OVERLOADED]);
  assertEquals([noted(traces, "a"), noted(traces, "b"), traces.size, budget.used], [undefined, undefined, 0, 0]);
});

Deno.test("Traces.get() answers the newest 1,000 notes of an id", () => {
  const { traces } = setUp(1 << 30);
  for (let n = 1; n <= 1500; n++) traces.announced([publication("a", n)]);
  const found = noted(traces, "a")!;
  assertEquals([found.length, traces.size], [1000, 1500]);
  assertEquals<unknown>([found[0], found.at(-1)], [accepted(501), accepted(1500)]);
});

/** Three nodes: the first publishes, the first and the second hear it, the third gives it from history. */
function threeNodes() {
  const nodes = [1, 2, 3].map(() => setUp(1 << 20, { isShared: true }).traces) as [Traces, Traces, Traces];
  const [one, two] = nodes;
  for (const node of [one, two]) node.announced([publication("a", 1)]);
  one.settled([draft("a")], [{ epoch: "e", offset: 1 }]);
  const at = { id: "a", channel: "news", epoch: "e", offset: 1 };
  for (const [index, node] of nodes.entries()) node.count([{ ...at, queued: 10 ** index, slow: index }]);
  return { nodes, noted: () => joinTraces(nodes.flatMap((node) => node.get("a"))) };
}

Deno.test("joinTraces() adds up what nodes did, also those that had not heard of it before", () => {
  const { nodes, noted } = threeNodes();
  const all = accepted(1, { queued: 111, dropped: { slow: 3 } });
  assertEquals<unknown>(noted(), [all]);
  const [, two, three] = nodes;
  three.settled([draft("a")], [{ epoch: "e", offset: 1, repeated: true }]);
  two.settled([draft("a")], [OVERLOADED]);
  three.settled([draft("a")], [OVERLOADED]);
  assertEquals<unknown>(noted(), [
    all,
    { channel: "news", time: 5000, refused: "overloaded" },
    accepted(1, { time: 5000, repeated: true, queued: 111, dropped: { slow: 3 } }),
  ]);
});

Deno.test("joinTraces() says nothing of what is only told in part", () => {
  const { nodes } = threeNodes();
  const [, , three] = nodes;
  assertEquals(joinTraces(three.get("a")), undefined);
  three.settled([draft("a")], [{ epoch: "e", offset: 1 }]);
  assertEquals<unknown>(joinTraces(three.get("a")), [accepted(1, { time: 5000, queued: 100, dropped: { slow: 2 } })]);
  const { traces } = setUp();
  traces.count([{ id: "a", channel: "news", epoch: "e", offset: 1, queued: 1, slow: 0 }]);
  assertEquals(traces.size, 0, "alone, nobody else has noted it");
});
