/**
 * What every door promises: the contract of `lib/doors/PROTOCOL.md`, proved on servers that run.
 *
 * @module
 */
import { NEEDS_REDIS } from "../support/redis.ts";
import type { OpenWire } from "../support/doors/wire.ts";
import { type Case, createContext, type DoorFeatures } from "./door/case.ts";
import { DELIVERY } from "./door/delivery.ts";
import { IDENTITIES } from "./door/identities.ts";
import { INBOXES } from "./door/inboxes.ts";
import { LARGE } from "./door/large.ts";
import { LOSSES } from "./door/losses.ts";
import { ORDERS } from "./door/orders.ts";
import { PUBLISHING } from "./door/publishing.ts";
import { REFUSALS } from "./door/refusals.ts";
import { RIGHTS } from "./door/rights.ts";
import { RESUMES } from "./door/resumes.ts";
import { SIGNALS } from "./door/signals.ts";
import { startServers } from "./door/servers.ts";

export type { DoorFeatures } from "./door/case.ts";

/** Registers the tests of a door. */
export type TestDoor = (name: string, open: OpenWire, features: DoorFeatures) => void;

const CASES: readonly Case[] = [
  ...DELIVERY,
  ...RESUMES,
  ...LOSSES,
  ...REFUSALS,
  ...SIGNALS,
  ...RIGHTS,
  ...IDENTITIES,
  ...INBOXES,
  ...PUBLISHING,
  ...ORDERS,
  ...LARGE,
];

/**
 * To be called once, at the top of a test file: its doors share their servers.
 *
 * @param nodes 2: each server is a cluster, and who publishes is on another node than who hears
 */
export function createDoorSuite(nodes: 1 | 2 = 1): TestDoor {
  const needs = nodes === 1 ? {} : NEEDS_REDIS;
  const servers = startServers(nodes, needs);
  return (name, open, features) => {
    for (const { title, needs = () => true, run } of CASES) {
      if (!needs(features)) continue;
      const fn = async () => {
        await using context = createContext({ open, features, servers: servers() });
        await run(context);
      };
      Deno.test({ ...needs, name: nodes === 1 ? `${name}: ${title}` : `${name}, over two nodes: ${title}`, fn });
    }
  };
}
