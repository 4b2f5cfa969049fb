/**
 * Sessions wherever they are: on edges of this node, or on those of others.
 *
 * @module
 */
import type { NodeMethods, Peers } from "../cluster/peers.ts";
import { GongError } from "../errors.ts";
import { type Chosen, compareIds, edgeOf, type HubMethods, nodeOf } from "../methods.ts";
import type { Selector, SessionInfo, SessionPage, Totals } from "../types.ts";
import { type Directory, sum } from "./directory.ts";
import type { Roster } from "./roster.ts";
import { SignalWay } from "./signal_way.ts";

type Order<M extends keyof HubMethods> = Parameters<HubMethods[M]>[0];

/** What else of sessions nodes ask of each other. */
type Own = "sessions" | "session" | "closeSession" | "supersede" | "signals" | "answer" | "totals";

/** What is done with sessions that somebody chooses. */
type Deed = "disconnect" | "subscribeSessions" | "unsubscribeSessions";

/** What an {@linkcode Everywhere} is made of. */
export interface EverywhereOptions {
  readonly directory: Directory;
  readonly roster: Roster;
  readonly peers: Peers;
}

/** All sessions of all nodes. What another node does not answer in time is left out. */
export class Everywhere {
  readonly #options: EverywhereOptions;
  readonly #ways = new Map<number, SignalWay>();

  constructor(options: EverywhereOptions) {
    this.#options = options;
  }

  /** What this node answers to others, of its own sessions. */
  methods(): Pick<NodeMethods, Deed | Own> {
    const { directory } = this.#options;
    return {
      sessions: (page) => directory.list(page),
      session: (id) => directory.get(id),
      closeSession: (order) => directory.close(order),
      supersede: (id) => directory.supersede(id),
      signals: (orders) => Promise.all(orders.map((order) => directory.signal(order))),
      answer: (order) => directory.answer(order),
      disconnect: (order) => this.#doHere("disconnect", order),
      subscribeSessions: (order) => this.#doHere("subscribeSessions", order),
      unsubscribeSessions: (order) => this.#doHere("unsubscribeSessions", order),
      totals: () => Promise.resolve(this.#totalsHere()),
    };
  }

  /** As {@linkcode HubMethods.listSessions}: in the order of their ids. */
  async list(page: Order<"listSessions">): Promise<SessionPage> {
    const { directory, peers } = this.#options;
    const [own, others] = await Promise.all([directory.list(page), peers.askAll("sessions", page)]);
    if (others.length === 0) return own;
    const pages: SessionPage[] = [own, ...others.map(({ answer }) => answer)];
    const found = new Map<string, SessionInfo>(pages.flatMap(({ sessions }) => sessions.map((one) => [one.id, one])));
    const all = [...found.values()].sort((one, other) => compareIds(one.id, other.id));
    const sessions = all.slice(0, page.limit);
    const total = pages.reduce((sum, page) => sum + page.total, 0);
    const isLast = all.length <= page.limit && pages.every(({ next }) => next === undefined);
    const last = sessions.at(-1);
    return isLast || !last ? { sessions, total } : { sessions, total, next: last.id };
  }

  /** @throws {GongError} `overloaded` when its edge or node does not answer */
  get(id: string): Promise<SessionInfo | undefined> {
    return this.#askOwner(id, "session", id, () => this.#options.directory.get(id));
  }

  /** @throws {GongError} `overloaded` when its edge or node does not answer */
  async close(order: Order<"closeSession">): Promise<boolean> {
    const { directory } = this.#options;
    return await this.#askOwner(order.id, "closeSession", order, () => directory.close(order)) ?? false;
  }

  /** Ends a session whose client goes on with another. @throws {GongError} `overloaded` when its edge or node does not answer */
  async supersede(id: string): Promise<boolean> {
    return await this.#askOwner(id, "supersede", id, () => this.#options.directory.supersede(id)) ?? false;
  }

  /** As {@linkcode HubMethods.signal}. */
  async signal({ sessions, signal }: Order<"signal">): Promise<number> {
    const { directory, peers } = this.#options;
    const nodes = [peers.node, ...peers.others];
    const byNode: Iterable<[node: number, sessions: readonly string[] | "all"]> = sessions === "all"
      ? nodes.map((node) => [node, "all"])
      : Map.groupBy(sessions, (id) => this.#nodeOf(id));
    const counts = Array.from(byNode, ([node, sessions]) => {
      const order = { sessions, signal };
      return node === peers.node ? directory.signal(order) : this.#wayTo(node).send(order);
    });
    return sum(await Promise.all(counts));
  }

  #wayTo(node: number): SignalWay {
    const { peers } = this.#options;
    let way = this.#ways.get(node);
    if (!way) {
      for (const [other, { isIdle }] of this.#ways) {
        if (isIdle && !peers.others.includes(other)) this.#ways.delete(other);
      }
      way = new SignalWay((orders) => peers.request(node, "signals", orders));
      this.#ways.set(node, way);
    }
    return way;
  }

  /** As {@linkcode HubMethods.signalUsers}. */
  async signalUsers({ users, signal }: Order<"signalUsers">): Promise<number> {
    const { roster } = this.#options;
    const sessions = [...new Set(users)].flatMap((user) => roster.users.sessionsOf(user));
    return await this.signal({ sessions, signal });
  }

  /** As {@linkcode HubMethods.answer}. @throws {GongError} `overloaded` when the node of the question does not answer */
  async answer(order: Order<"answer">): Promise<boolean> {
    const { directory } = this.#options;
    return await this.#askOwner(order.reply, "answer", order, () => directory.answer(order)) ?? false;
  }

  /** Does it with the sessions that are chosen; resolves to how many. */
  async do(deed: Deed, order: Order<Deed>): Promise<number> {
    const { peers } = this.#options;
    const { selector } = order;
    if (!("session" in selector)) return await this.#add(this.#doHere(deed, order), peers.askAll(deed, order as never));
    const node = this.#nodeOf(selector.session);
    if (node === peers.node) return await this.#doHere(deed, order);
    return await peers.request(node, deed, order as never).catch(none) as number;
  }

  #doHere(deed: Deed, { selector, ...rest }: Order<Deed>): Promise<number> {
    return this.#options.directory.order(deed, this.#choose(selector), rest as never);
  }

  /** Connections, sessions and distinct users of all nodes. */
  async totals(): Promise<Totals> {
    const others = await this.#options.peers.askAll("totals", null);
    const all = [this.#totalsHere(), ...others.map(({ answer }) => answer)];
    return {
      connections: sum(all.map(({ connections }) => connections)),
      sessions: sum(all.map(({ sessions }) => sessions)),
      users: this.#options.roster.users.size,
    };
  }

  #totalsHere(): Omit<Totals, "users"> {
    const { directory, roster: { guard } } = this.#options;
    const stuck = directory.lastKnown("gong_stuck_sockets");
    return { connections: guard.total + stuck, sessions: guard.total };
  }

  #choose(selector: Selector): Chosen {
    if ("user" in selector) return this.#options.roster.users.sessionsOf(selector.user);
    return "session" in selector ? [selector.session] : selector;
  }

  /** The node that has the session, or has made the id; this one of what no other node has. */
  #nodeOf(id: string): number {
    const { directory: { places }, roster: { guard, elsewhere }, peers } = this.#options;
    if (guard.get(places.edgeOf(id), id)) return peers.node;
    const node = elsewhere.nodeOf(id) ?? nodeOf(edgeOf(id));
    return peers.others.includes(node) ? node : peers.node;
  }

  async #askOwner<M extends keyof NodeMethods>(
    id: string,
    method: M,
    payload: Parameters<NodeMethods[M]>[0],
    here: () => ReturnType<NodeMethods[M]>,
  ): Promise<Awaited<ReturnType<NodeMethods[M]>> | undefined> {
    const { peers } = this.#options;
    const node = this.#nodeOf(id);
    if (node === peers.node) return await here();
    try {
      return await peers.request(node, method, payload);
    } catch (error) {
      // It has gone meanwhile, with all that was its.
      if (error instanceof GongError && error.code === "not_found") return undefined;
      throw error;
    }
  }

  async #add(here: Promise<number>, others: Promise<readonly { readonly answer: number }[]>): Promise<number> {
    return sum([await here, ...(await others).map(({ answer }) => answer)]);
  }
}

/** Of a node that does not answer nothing is known to be done. */
function none(): number {
  return 0;
}
