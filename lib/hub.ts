/**
 * The main isolate: the broker, the bus, and what is counted over all edges.
 *
 * @module
 */
import { createNamedRights } from "./auth/named.ts";
import { Announcer } from "./hub/announcer.ts";
import { openBroker } from "./brokers/mod.ts";
import { createMemoryBroker } from "./brokers/memory.ts";
import { Budget } from "./budget.ts";
import { BusSender, bytesPerTurn } from "./bus.ts";
import { Channels } from "./hub/channels.ts";
import { Clustering } from "./hub/clustering.ts";
import { compilePresence } from "./channel_rules.ts";
import type { Config } from "./config.ts";
import { Directory } from "./hub/directory.ts";
import { presenceChannel, userChannel } from "./reserved.ts";
import { Intake } from "./hub/intake.ts";
import { createPost, INTERNAL } from "./hub/posts.ts";
import { Queues } from "./hub/queues.ts";
import { Link, type Port } from "./link.ts";
import type { Logger } from "./log.ts";
import type { EdgeMethods, HubMethods, ReconfigureOrder } from "./methods.ts";
import type { Metrics } from "./metrics.ts";
import { Recent } from "./hub/recent.ts";
import { Recoveries } from "./hub/recoveries.ts";
import { Relays } from "./hub/relays.ts";
import { Returns } from "./hub/returns.ts";
import { Roster } from "./hub/roster.ts";
import { Schedules } from "./hub/schedules.ts";
import { Seeking } from "./hub/seeking.ts";
import { readSeal } from "./hub/seal.ts";
import { Submissions } from "./hub/submissions.ts";
import { joinTraces, Traces } from "./hub/traces.ts";
import { Turn } from "./turn.ts";
import type { Broker, Glimpse, Publication, Sample } from "./types.ts";

/** What edges say that concerns whoever runs them. */
export interface HubEvents {
  ready(edge: number): void;
  failed(edge: number, reason: string): void;
  /** The edge's stuck sockets hold too much: it wants to be drained and replaced. */
  exhausted(edge: number, bytes: number): void;
}

/** What a hub needs beside its configuration. */
export interface HubOptions {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Name of the BroadcastChannel: one a server, so that two of them in a process do not mix. */
  readonly busName: string;
  readonly events?: HubEvents;
  /** Brings figures up to date that the hub does not know. */
  readonly measure?: () => void;
  /** Opens the broker; by default the one that the configuration names. */
  readonly openBroker?: typeof openBroker;
}

/** Ended admin logins that an edge which starts later is told of. */
const MAX_REVOKED = 10_000;

/** The hub: one a server. */
export class Hub {
  readonly directory: Directory;
  readonly #options: HubOptions;
  readonly #broker: Broker;
  readonly #clustering: Clustering;
  readonly #bus: BusSender;
  readonly #intake: Intake;
  readonly #queues: Queues;
  readonly #submissions: Submissions;
  readonly #roster: Roster;
  readonly #turn = new Turn();
  readonly #channels: Channels;
  readonly #relays: Relays;
  readonly #recoveries: Recoveries;
  readonly #returns: Returns;
  readonly #busLag: number;
  /** Bytes of everything that is kept for a while. */
  readonly #budget: Budget;
  readonly #published: { value: number };
  readonly #replayed: { value: number };
  /** Admin logins that were ended, the oldest first. */
  readonly #revoked = new Set<string>();
  readonly #announcer: Announcer;
  readonly #recent = new Recent();
  readonly #traces: Traces;
  readonly #schedules: Schedules;
  /** What the keys of a name may publish to. */
  #may: ReturnType<typeof createNamedRights>;

  constructor(config: Config, options: HubOptions) {
    this.#options = options;
    const { busDrop } = config;
    this.#may = createNamedRights(config);
    this.#budget = new Budget(config.historyBudget);
    const withhold = { withhold: () => Math.random() * 100 < busDrop };
    this.#bus = new BusSender(options.busName, { ring: config.busRing, ...(busDrop > 0 ? withhold : {}) });
    const announce = (publications: readonly Publication[]) => this.#announce(publications);
    this.#broker = (options.openBroker ?? openBroker)(config, announce, {
      budget: this.#budget,
      onFault: (error) => {
        options.metrics.count("gong_broker_faults_total");
        options.log.error("broker.fault", { error: String(error) });
      },
      onAway: (reason) => this.#away(reason),
      onMoved: (channels) => this.directory.tellAll("repair", channels),
      onQueued: (queues) => queues.forEach((queue) => this.#queues.note(queue)),
    });
    this.#traces = new Traces(this.#budget, { isShared: this.#broker.membership !== undefined });
    this.#intake = new Intake(this.#broker, {
      bytes: config.busLag,
      wait: config.publishWait,
      open: () => this.#bus.lag() <= config.busLag,
      published: (count) => this.#published.value += count,
      turn: this.#turn,
    });
    this.#queues = new Queues({
      ...{ log: options.log, metrics: options.metrics, broker: this.#broker, turn: this.#turn },
      assign: (edge, order) => this.directory.tell(edge, "assign", order),
    });
    this.#submissions = new Submissions({
      capabilities: this.#broker.capabilities,
      intake: this.#intake,
      queues: this.#queues,
      ...{ log: options.log, metrics: options.metrics },
    });
    const changed = (id: string) => this.#clustering.changed(id);
    this.#schedules = new Schedules({
      ...{ log: options.log, metrics: options.metrics, broker: this.#broker, max: config.maxSchedules },
      publish: (drafts, records) => this.#intake.publish(drafts, { atomic: true, records }),
      may: (name, channel) => this.#may(name, channel),
      ...this.#broker.membership ? { shared: { rank: () => this.#clustering.rank(), changed } } : {},
    });
    const presenceOf = compilePresence(config);
    this.#roster = new Roster({
      ...config,
      nameOf: (channel) => presenceOf(channel) === "joins" ? presenceChannel(channel) : undefined,
      publish: async (draft) => (await this.#intake.publish([draft]))[0] ?? INTERNAL,
      bytes: config.maxMessage,
      onChange: (change) => this.#clustering.told(change),
      onFull: (isFull, address) => {
        this.directory.tellAll("full", address === undefined ? { isFull } : { isFull, address });
      },
    });
    this.#announcer = new Announcer({
      bus: this.#bus,
      turn: this.#turn,
      batch: bytesPerTurn(config.outbox),
      remind: (edge, last) => this.directory.tell(edge, "remind", last),
    });
    this.#busLag = config.busLag;
    this.#published = options.metrics.counter("gong_published_total");
    this.#replayed = options.metrics.counter("gong_bus_replayed_total");
    this.#channels = new Channels({
      ...{ log: options.log, broker: this.#broker },
      unseen: (channel, after) => this.#announcer.unseen(channel, after),
      announce: (publications) => this.#announcer.announce(publications),
    });
    const directory = this.directory = new Directory(() => this.#ownSamples());
    const { membership } = this.#broker;
    this.#clustering = new Clustering({
      ...{ config, membership, directory, roster: this.#roster, log: options.log, metrics: options.metrics },
      revoked: () => this.#revoked,
    });
    const { places } = directory;
    const { guard } = this.#roster;
    const recoveries = this.#recoveries = new Recoveries({
      // What another node remembers is not this one's to forget.
      broker: this.#broker.membership ? createMemoryBroker(() => {}) : this.#broker,
      keepsakes: this.#broker.keepsakes,
      ...{ log: options.log, turn: this.#turn },
      ...{ seconds: config.recovery, most: 2 * config.maxConnections, mostOfAddress: 4 * config.maxPerAddress },
      isThere: (session) => guard.get(places.edgeOf(session), session) !== undefined,
    });
    const { peers, everywhere } = this.#clustering;
    const seeking = new Seeking({ recoveries, peers, metrics: options.metrics });
    this.#returns = new Returns({
      ...{ recoveries, guard, places, seeking },
      rename: (...order) => this.#roster.rename(...order),
      isElsewhere: (session) => this.#roster.elsewhere.nodeOf(session) !== undefined,
      supersede: (session) => everywhere.supersede(session),
    });
    this.#relays = new Relays({
      ...{ directory, peers, metrics: options.metrics },
      silence: config.ping + config.pingTimeout,
      move: (from, to, id) => this.#move(from, to, id),
      release: (edge, id) => this.#release(edge, id),
    });
    this.#clustering.offer({
      ...this.#relays.methods(),
      revoke: (login) => Promise.resolve(this.#revoke(login)),
      scheduled: (id) => this.#schedules.refresh(id),
      traces: (id) => Promise.resolve(this.#traces.get(id)),
      surrender: (order) => this.#returns.surrender(order),
      received: (pid) => Promise.resolve(seeking.received(pid)),
    });
  }

  /**
   * Begins, before there are edges.
   *
   * @returns the secret that seals what clients bring back, after a restart too; only for now where the broker cannot keep it
   * @throws {BrokerSetupError} when the broker cannot be used as it is set up
   */
  async start(): Promise<Uint8Array> {
    await this.#broker.start?.();
    try {
      const seal = await readSeal(this.#broker);
      await this.#clustering.start(seal);
      return seal;
    } catch (error) {
      // Without that of the others it is none of them.
      if (this.isShared) throw error;
      this.#options.log.error("seal.fault", { error: String(error) });
      return crypto.getRandomValues(new Uint8Array(32));
    }
  }

  /** Whether what it keeps is shared with other nodes. */
  get isShared(): boolean {
    return this.#clustering.isShared;
  }

  /** The number before those of its edges, which no edge of another node has. */
  get beforeEdges(): number {
    return this.#clustering.beforeEdges;
  }

  /** Number of the last batch that an edge which starts now need not see. */
  join(edge: number): number {
    return this.#bus.join(edge);
  }

  /** The edge is up: serves its requests, and counts it in. Call {@linkcode join} before it starts. */
  attach(edge: number, port: Port): Link<EdgeMethods> {
    const { log } = this.#options;
    const onFault = (error: unknown, method: string) => {
      log.error("hub.fault", { edge, method, error: String(error) });
    };
    const link = new Link<EdgeMethods>(port, this.#methods(edge), onFault, this.#turn);
    this.directory.add(edge, link);
    // What edges were told that still holds: this one may take the place of another.
    const { guard } = this.#roster;
    for (const [address, until] of guard.blocked()) link.notify("block", { address, until });
    for (const login of this.#revoked) link.notify("revoke", login);
    if (guard.isFull()) link.notify("full", { isFull: true });
    for (const address of guard.full()) link.notify("full", { isFull: true, address });
    return link;
  }

  /** The edge is gone, with everything that was its. Returns how many sessions went with it. */
  detach(edge: number): number {
    this.directory.remove(edge);
    this.#bus.leave(edge);
    this.#channels.unhostAll(edge);
    this.#intake.resume();
    this.#queues.releaseEdge(edge);
    const sessions = this.#roster.releaseEdge(edge);
    for (const session of sessions) this.#recoveries.left(session);
    return sessions.length;
  }

  /** Whether an edge hosts the channel: somebody may be listening. */
  isHosted(channel: string): boolean {
    return this.#channels.has(channel);
  }

  /** Publishes to the admin page's feed: numbered, not stored. */
  feed(data: string): void {
    this.#channels.feed(data);
  }

  /** The last publications, newest first. */
  recent(): Glimpse[] {
    return this.#recent.list();
  }

  /** Keys and rules are these from here on, here and, when it resolves, at every edge. */
  async reconfigure(order: ReconfigureOrder): Promise<void> {
    this.#may = createNamedRights(order.config);
    await this.directory.reconfigure(order);
  }

  /** Has the edges end their sessions within these seconds. No schedule fires from here on. */
  async drain(seconds: number): Promise<void> {
    // What has been fired already is waited for in `close()`.
    void this.#schedules.close();
    await this.directory.drain(seconds);
  }

  async close(): Promise<void> {
    if (this.isShared) await this.#roster.flush();
    this.#roster.close();
    // What has been begun is brought to its end, as long as it can be.
    const scheduled = this.#schedules.close();
    this.#announcer.close();
    this.#intake.close();
    this.#queues.close();
    await scheduled;
    await this.#recoveries.close();
    await this.#clustering.close();
    await this.#broker.close();
    this.#bus.close();
  }

  #methods(edge: number): HubMethods {
    const { directory } = this;
    const { everywhere } = this.#clustering;
    const roster = this.#roster;
    const { events } = this.#options;
    return {
      ready: () => {
        directory.ready(edge);
        events?.ready(edge);
      },
      failed: (reason) => events?.failed(edge, reason),
      post: createPost(edge, { intake: this.#intake, directory, busLag: this.#busLag }),
      publish: async (order) => {
        const results = await this.#submissions.publish(order);
        this.#traces.settled(order.drafts, results);
        return results;
      },
      consume: (consumer) => this.#queues.consume({ ...consumer, edge }),
      settle: (settlings) => this.#queues.settle(settlings),
      cancel: (consumer) => this.#queues.cancel(consumer),
      subscribe: (order) => this.#channels.host(edge, order),
      unsubscribe: (channel) => this.#channels.unhost(edge, channel),
      admit: (session) => {
        const { user, after } = session;
        roster.admit(edge, session);
        if (user === undefined || after === undefined) return undefined;
        return this.#channels.host(edge, { channel: userChannel(user), start: undefined, after, limit: {} });
      },
      identify: (session) => roster.identify(edge, session),
      present: (change) => roster.present(edge, change),
      release: (id) => this.#release(edge, id),
      engine: (order) => this.#relays.engine(order),
      abandonPoll: (order) => this.#relays.abandonPoll(order),
      take: (order) => this.#relays.take(edge, order),
      remember: (order) => this.#returns.remember(edge, order),
      recall: (order) => this.#returns.recall(edge, order),
      forget: (pid) => this.#recoveries.forget(pid),
      acknowledge: (number) => {
        this.#bus.acknowledge(edge, number);
        this.#intake.resume();
      },
      replay: (from) => {
        const replay = this.#bus.replay(from);
        this.#replayed.value += replay.batches.length;
        return replay;
      },
      signal: (order) => everywhere.signal(order),
      signalUsers: (order) => everywhere.signalUsers(order),
      answer: (order) => everywhere.answer(order),
      reach: (users) => roster.users.reach(users),
      presence: ({ channel, ...page }) => roster.presence.page(channel, page),
      totals: () => everywhere.totals(),
      users: (page) => roster.users.page(page),
      user: (id) => roster.users.get(id),
      disconnect: (order) => everywhere.do("disconnect", order),
      subscribeSessions: (order) => everywhere.do("subscribeSessions", order),
      unsubscribeSessions: (order) => everywhere.do("unsubscribeSessions", order),
      listSchedules: (page) => this.#schedules.list(page),
      getSchedule: (id) => this.#schedules.get(id),
      putSchedule: ({ order, ...options }) => this.#schedules.put(order, options),
      cancelSchedule: ({ id, owner }) => this.#schedules.cancel(id, owner),
      listSessions: (page) => everywhere.list(page),
      getSession: (id) => everywhere.get(id),
      closeSession: (order) => everywhere.close(order),
      samples: () => directory.samples(),
      readiness: () => directory.readiness(),
      recent: () => this.recent(),
      history: (order) => this.#channels.read(order),
      publication: async (id) => joinTraces([...this.#traces.get(id), ...await this.#clustering.traces(id)]),
      traced: (counts) => this.#traces.count(counts),
      failedAuth: (address) => {
        const until = roster.guard.fail(address);
        if (until !== undefined) directory.tellAll("block", { address, until });
      },
      revoke: (login) => {
        this.#revoke(login);
        this.#clustering.revoked(login);
      },
      exhausted: (bytes) => events?.exhausted(edge, bytes),
    };
  }

  #revoke(login: string): void {
    this.#revoked.add(login);
    const [oldest] = this.#revoked;
    if (this.#revoked.size > MAX_REVOKED) this.#revoked.delete(oldest!);
    this.directory.tellAll("revoke", login);
  }

  /** As of everything that the session is counted by: it is on the one edge, and then on the other. */
  #move(from: number, to: number, id: string): boolean {
    this.#queues.release(id);
    if (!this.#roster.move(from, to, id)) return false;
    this.directory.places.put(id, to);
    return true;
  }

  #release(edge: number, id: string): void {
    this.#queues.release(id);
    if (!this.#roster.release(edge, id)) return;
    this.directory.places.forget(id);
    this.#recoveries.left(id);
  }

  /** Clients stay; what they publish is refused meanwhile. */
  #away(reason: string | undefined): void {
    const { log, metrics } = this.#options;
    if (reason === undefined) log.info("broker.back");
    else log.error("broker.away", { reason });
    metrics.gauge("gong_broker_away", {}, reason === undefined ? 0 : 1);
    this.directory.degrade("broker", reason === undefined ? undefined : `the broker is away: ${reason}`);
  }

  #announce(publications: readonly Publication[]): void {
    this.#recent.add(publications);
    this.#traces.announced(publications);
    this.#announcer.announce(publications);
  }

  #ownSamples(): Sample[] {
    const { metrics, measure } = this.#options;
    measure?.();
    const { channels, publications, bytes, queues } = this.#broker.stats();
    metrics.gauge("gong_channels", {}, channels);
    if (publications !== undefined) metrics.gauge("gong_history_publications", {}, publications);
    if (bytes !== undefined) metrics.gauge("gong_history_bytes", {}, bytes);
    metrics.gauge("gong_queues", {}, queues.queues);
    metrics.gauge("gong_queue_messages", {}, queues.messages);
    metrics.gauge("gong_queue_bytes", {}, queues.bytes);
    metrics.gauge("gong_queue_claimed", {}, queues.claimed);
    metrics.gauge("gong_consumers", {}, this.#queues.size);
    metrics.gauge("gong_hosted_channels", {}, this.#channels.size);
    metrics.gauge("gong_traces", {}, this.#traces.size);
    metrics.gauge("gong_schedules", {}, this.#schedules.size);
    metrics.gauge("gong_recoveries", {}, this.#recoveries.size);
    metrics.gauge("gong_users", {}, this.#roster.users.size);
    metrics.gauge("gong_present", {}, this.#roster.presence.size);
    metrics.gauge("gong_bus_lag_bytes", {}, this.#bus.lag());
    return metrics.samples();
  }
}
