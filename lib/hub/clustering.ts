/**
 * This node's part in a cluster, where its broker is shared: the way to the others, and what they tell each other.
 *
 * @module
 */
import type { Batch, Change } from "../cluster/changes.ts";
import { Nodes } from "../cluster/nodes.ts";
import { ALONE, type NodeMethods, type Peers } from "../cluster/peers.ts";
import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import { beforeEdgesOf } from "../methods.ts";
import type { Metrics } from "../metrics.ts";
import type { Membership, NodeTrace } from "../types.ts";
import { VERSION } from "../version.ts";
import type { Directory } from "./directory.ts";
import { Everywhere } from "./everywhere.ts";
import { Mirror } from "./mirror.ts";
import type { Roster } from "./roster.ts";
import type { SharedSchedules } from "./schedules.ts";

/** What a {@linkcode Clustering} is made of. */
export interface ClusteringOptions {
  readonly config: Pick<Config, "lease" | "clusterListen" | "clusterAddress">;
  /** Of a broker that is shared. */
  readonly membership: Membership | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly directory: Directory;
  readonly roster: Roster;
  /** Admin logins that have ended: who comes has to know them. */
  readonly revoked: () => Iterable<string>;
}

/** How long others may take at the end to hear what has become of this node's sessions, in milliseconds. */
const FAREWELL = 1000;

/** One node, alone or among others. */
export class Clustering implements SharedSchedules {
  /** Sessions on this node and all others. */
  readonly everywhere: Everywhere;
  readonly peers: Peers;
  readonly #options: ClusteringOptions;
  /** What this node answers to others. */
  readonly #methods: Partial<NodeMethods> = {};
  readonly #nodes: Nodes | undefined;
  readonly #mirror: Mirror | undefined;

  constructor(options: ClusteringOptions) {
    const { config, membership, log, metrics, directory, roster } = options;
    this.#options = options;
    this.#nodes = membership && new Nodes({
      ...{ membership, methods: this.#methods, version: VERSION, log, metrics },
      ...{ lease: config.lease, listen: config.clusterListen, address: config.clusterAddress },
      onJoined: (node) => this.#joined(node),
      onGone: (node) => this.#gone(node),
      onReturned: () => this.#mirror!.returned(),
    });
    const peers = this.peers = this.#nodes ?? ALONE;
    this.#mirror = this.#nodes && new Mirror({ peers, all: () => roster.all(), onForgotten: () => roster.returned() });
    this.everywhere = new Everywhere({ directory, roster, peers });
    // Of a node that is not known yet nothing would ever be forgotten.
    const take = (batch: Batch) => Promise.resolve(peers.others.includes(batch.node) && roster.elsewhere.take(batch));
    const left = (node: number) => Promise.resolve(this.#nodes!.left(node));
    this.offer({ ...this.everywhere.methods(), roster: take, left });
  }

  /** Answers others by these too; called before the start. */
  offer(methods: Partial<NodeMethods>): void {
    Object.assign(this.#methods, methods);
  }

  /** Whether there may be others. */
  get isShared(): boolean {
    return this.#nodes !== undefined;
  }

  /** The number before those of the edges of this node, which no edge of another has. */
  get beforeEdges(): number {
    return beforeEdgesOf(this.#nodes?.node ?? 0);
  }

  /** @param seal that of the cluster */
  async start(seal: Uint8Array): Promise<void> {
    await this.#nodes?.start(seal);
  }

  /** Something of this node's sessions has changed. */
  told(change: Change): void {
    this.#mirror?.changed(change);
  }

  /** An admin login has ended here. */
  revoked(login: string): void {
    void this.#nodes?.askAll("revoke", login);
  }

  /** What the other nodes have noted of traced publications with this id. */
  async traces(id: string): Promise<NodeTrace[]> {
    const noted = await this.#nodes?.askAll("traces", id) ?? [];
    return noted.flatMap(({ answer }) => answer);
  }

  rank(): number {
    const { node = 0, others = [] } = this.#nodes ?? {};
    return others.filter((other) => other < node).length;
  }

  changed(schedule: string): void {
    void this.#nodes?.askAll("scheduled", schedule);
  }

  /** Others know by then what has left, and do not take it for what this node has left behind. */
  async close(): Promise<void> {
    await this.#mirror?.flush(FAREWELL);
    this.#mirror?.close();
    await this.#nodes?.close();
  }

  #joined(node: number): void {
    this.#mirror!.joined(node);
    this.#options.roster.joined(node);
    for (const login of this.#options.revoked()) this.#nodes!.request(node, "revoke", login).catch(() => {});
  }

  #gone(node: number): void {
    this.#mirror!.gone(node);
    this.#options.roster.releaseNode(node);
  }
}
