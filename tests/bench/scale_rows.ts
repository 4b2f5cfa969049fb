/**
 * What each connection, channel, publication and node costs: the unit costs of `docs/scale.md`.
 *
 * @module
 */
import { measureConnect } from "./connecting.ts";
import { measureCpu } from "./redis/cpu.ts";
import { measureHeard } from "./redis/heard.ts";
import { measureMemory } from "./redis/memory.ts";
import { measureSilent } from "./redis/silent.ts";
import type { Row } from "./row.ts";

/** The rows that say what grows with what. */
export const SCALE_ROWS: readonly Row[] = [
  {
    name: "redis-memory",
    what: "bytes in Redis a kept publication of 100 B, 1,000 channels × 100",
    beside: "XADD of its data",
    settings: [],
    bar: "at most 2 × the bare stream",
    measure: measureMemory,
  },
  {
    name: "redis-cpu",
    what: "µs of Redis's thread a publication, a call each, history on",
    beside: "100 in a call",
    settings: [],
    bar: "at least 3 × as much as where they share a call",
    measure: measureCpu,
  },
  {
    name: "redis-silent",
    what: "µs of Redis's thread a look at a silent channel, 10,000 heard by one node",
    beside: "a publication in a call of its own",
    settings: [],
    bar: "at most 0.25 × a publication",
    measure: measureSilent,
  },
  {
    name: "redis-heard",
    what: "µs of a node's CPU a publication that another node makes and one client hears, an announcement each",
    beside: "100 in one",
    settings: ["--isolates", "1"],
    bar: "at least 2 × as much as where they share one",
    measure: measureHeard,
  },
  {
    name: "connect",
    what: "µs of the server's CPU a connection that is made, JSON door",
    beside: "loop",
    settings: ["--isolates", "1", "--max-per-address", "20000"],
    bar: "at most 4 × the loop",
    measure: measureConnect,
  },
];
