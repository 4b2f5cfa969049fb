/**
 * The edges as the hub sees them: sessions, figures and readiness over all of them.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { type Link, within } from "../link.ts";
import { type Chosen, compareIds, type EdgeMethods, edgeOf, type ReconfigureOrder } from "../methods.ts";
import { addUp, type MetricName, outlasting } from "../metrics.ts";
import type { Readiness, Sample, SessionInfo, SessionPage, Signal } from "../types.ts";
import { Places } from "./places.ts";

/** How long an edge may take to answer before it is left out of a total, in seconds. */
export const PATIENCE = 2;
/** How often a session is followed that moves while something is done with it. */
const MOST_MOVES = 4;
/** Every so many beats an edge is asked for its figures too: they outlast it. */
const FIGURES = 5;
/** How long an edge may be silent before the server is not ready, in milliseconds. */
const SILENT = 3000;

interface Entry {
  readonly link: Link<EdgeMethods>;
  /** When it last answered, by `performance.now()`; undefined until it is ready. */
  heard: number | undefined;
  /** What it said of itself. */
  samples: Sample[];
}

/** All edges, by number. */
export class Directory {
  /** Where sessions are. An edge answers in order: one that has handed a session over says so before anything else. */
  readonly places = new Places();
  readonly #edges = new Map<number, Entry>();
  readonly #reasons = new Map<string, string>();
  readonly #degraded = new Map<string, string>();
  readonly #ownSamples: () => Sample[];
  /** What edges that have ended had counted: no total ever falls. */
  #ended: Sample[] = [];
  #beats = 0;

  constructor(ownSamples: () => Sample[]) {
    this.#ownSamples = ownSamples;
  }

  add(edge: number, link: Link<EdgeMethods>): void {
    this.#edges.set(edge, { link, heard: undefined, samples: [] });
  }

  remove(edge: number): void {
    const entry = this.#edges.get(edge);
    if (!entry) return;
    entry.link.close();
    this.#ended = addUp([this.#ended, outlasting(entry.samples)]);
    this.#edges.delete(edge);
    this.places.forgetEdge(edge);
  }

  /** Whether the edge is there. */
  has(edge: number): boolean {
    return this.#edges.has(edge);
  }

  /** Asks one edge, however long it takes. @throws {GongError} `not_found` when it is gone, or goes */
  request<M extends keyof EdgeMethods>(
    edge: number,
    method: M,
    payload: Parameters<EdgeMethods[M]>[0],
  ): Promise<Awaited<ReturnType<EdgeMethods[M]>>> {
    const link = this.#edges.get(edge)?.link;
    if (!link) return Promise.reject(new GongError("not_found", "That isolate is gone."));
    return link.request(method, payload as never) as never;
  }

  tell<M extends keyof EdgeMethods>(edge: number, method: M, payload: Parameters<EdgeMethods[M]>[0]): void {
    this.#edges.get(edge)?.link.notify(method, payload as never);
  }

  tellAll<M extends keyof EdgeMethods>(method: M, payload: Parameters<EdgeMethods[M]>[0]): void {
    for (const edge of this.#edges.keys()) this.tell(edge, method, payload);
  }

  /** Says why the server is not ready, or, without a reason, that this is over. */
  mark(subject: string, reason?: string): void {
    if (reason === undefined) this.#reasons.delete(subject);
    else this.#reasons.set(subject, reason);
  }

  /** Says what does not work though the server is ready, or, without a reason, that this is over. */
  degrade(subject: string, reason?: string): void {
    if (reason === undefined) this.#degraded.delete(subject);
    else this.#degraded.set(subject, reason);
  }

  readiness(): Readiness {
    const silent = [...this.silences()].filter(([_, silence]) => silence > SILENT);
    const reasons = [...this.#reasons.values(), ...silent.map(([edge]) => `edge ${edge} is silent`)];
    if (this.#edges.size === 0) reasons.push("no edge is up");
    const readiness = { ready: reasons.length === 0, reasons };
    return this.#degraded.size === 0 ? readiness : { ...readiness, degraded: [...this.#degraded.values()] };
  }

  /** The edge's listener is open: from here on it has to answer. */
  ready(edge: number): void {
    const entry = this.#edges.get(edge);
    if (entry) entry.heard ??= performance.now();
  }

  /** Sends every edge a beat that it has to answer. */
  beat(): void {
    const wantsFigures = this.#beats++ % FIGURES === 0;
    for (const entry of this.#edges.values()) {
      const answer = wantsFigures ? this.#fetch(entry) : entry.link.request("beat", null);
      // An answer counts however late it comes: slow is not silent.
      answer.then(() => {
        if (entry.heard !== undefined) entry.heard = performance.now();
      }, () => {});
    }
  }

  async #fetch(entry: Entry): Promise<void> {
    entry.samples = await entry.link.request("samples", null);
  }

  /** How long each edge has been silent, in milliseconds. */
  *silences(): Generator<[edge: number, silence: number]> {
    const now = performance.now();
    for (const [edge, { heard }] of this.#edges) if (heard !== undefined) yield [edge, now - heard];
  }

  /** What the edges last said of a figure, added up. */
  lastKnown(name: MetricName): number {
    const samples = [...this.#edges.values()].flatMap((entry) => entry.samples);
    return sum(samples.filter((sample) => sample.name === name).map(({ value }) => value));
  }

  /** The figures of this isolate and of every edge, those that have ended too, added up. */
  async samples(): Promise<Sample[]> {
    await Promise.allSettled([...this.#edges.values()].map((entry) => within(PATIENCE, this.#fetch(entry))));
    return addUp([this.#ownSamples(), this.#ended, ...[...this.#edges.values()].map(({ samples }) => samples)]);
  }

  /** One page of the sessions, in the order of their ids: each once, also one that moves meanwhile. */
  async list({ limit, after }: { limit: number; after?: string }): Promise<SessionPage> {
    const page = { limit: limit + 1, ...(after === undefined ? {} : { after }) };
    return await this.places.during(async (moves) => {
      const pages = await this.#ask((link) => link.request("sessions", page));
      const found = new Map(pages.flatMap(({ sessions }) => sessions).map((session) => [session.id, session]));
      for (const id of [...moves.keys()]) {
        if (found.has(id) || after !== undefined && compareIds(id, after) <= 0) continue;
        const session = await this.get(id);
        if (session) found.set(id, session);
      }
      const total = pages.reduce((sum, page) => sum + page.total, 0);
      const all = [...found.values()].sort((one, other) => compareIds(one.id, other.id));
      const sessions = all.slice(0, limit);
      const last = sessions.at(-1);
      return all.length > limit && last ? { sessions, total, next: last.id } : { sessions, total };
    });
  }

  /** @throws {GongError} `overloaded` when its edge does not answer */
  async get(id: string): Promise<SessionInfo | undefined> {
    return await this.#follow(id, (link) => link.request("session", id));
  }

  /** @throws {GongError} `overloaded` when its edge does not answer */
  async close(order: { id: string; code: number; reason: string }): Promise<boolean> {
    return await this.#follow(order.id, (link) => link.request("closeSession", order)) ?? false;
  }

  /** Ends a session whose client goes on with another. @throws {GongError} `overloaded` when its edge does not answer */
  async supersede(id: string): Promise<boolean> {
    return await this.#follow(id, (link) => link.request("supersede", id)) ?? false;
  }

  async signal(order: { sessions: readonly string[] | "all"; signal: Signal }): Promise<number> {
    const { sessions, signal } = order;
    if (sessions !== "all") return await this.order("signal", sessions, { signal });
    return sum(await this.#ask((link) => link.request("signal", { sessions, signal })));
  }

  /** Has the edges of the sessions do something with them; resolves to how many they have done it with. */
  async order<M extends "signal" | "disconnect" | "subscribeSessions" | "unsubscribeSessions">(
    method: M,
    sessions: Parameters<EdgeMethods[M]>[0]["sessions"] & Chosen,
    order: Omit<Parameters<EdgeMethods[M]>[0], "sessions">,
  ): Promise<number> {
    const tell = (link: Link<EdgeMethods>, sessions: Chosen) => {
      return link.request(method, { ...order, sessions } as never) as Promise<number>;
    };
    return "channel" in sessions ? await this.#tellHearers(sessions, tell) : await this.#tellEach(sessions, tell);
  }

  async #tellEach(sessions: readonly string[], tell: Tell): Promise<number> {
    let count = 0;
    let left = sessions;
    for (let tries = 0; left.length > 0 && tries < MOST_MOVES; tries++) {
      const missed: string[] = [];
      const counts = await this.#ask((link, edge) => {
        const own = left.filter((id) => this.places.edgeOf(id) === edge);
        if (own.length === 0) return Promise.resolve(0);
        return tell(link, own).then((count) => {
          missed.push(...own.filter((id) => this.places.edgeOf(id) !== edge));
          return count;
        });
      });
      count += sum(counts);
      left = missed;
    }
    return count;
  }

  /** Whom it was done with need not be spared: to do it again is to do nothing. */
  async #tellHearers(chosen: Chosen, tell: Tell): Promise<number> {
    return await this.places.during(async (moves) => {
      let count = sum(await this.#ask((link) => tell(link, chosen)));
      for (let tries = 0; moves.size > 0 && tries < MOST_MOVES; tries++) {
        const edges = new Set(moves.values());
        moves.clear();
        count += sum(await this.#ask((link, edge) => edges.has(edge) ? tell(link, chosen) : Promise.resolve(0)));
      }
      return count;
    });
  }

  /** Asks the edge of the session; one that knows nothing of it may have handed it to another. */
  async #follow<T>(id: string, ask: (link: Link<EdgeMethods>) => Promise<T>): Promise<T | undefined> {
    for (let tries = 0;; tries++) {
      const edge = this.places.edgeOf(id);
      const link = this.#edges.get(edge)?.link;
      if (!link) return undefined;
      // Looked at as the answer comes, before anything that the edge says later.
      const { answer, at } = await within(
        PATIENCE,
        ask(link).then((answer) => ({ answer, at: this.places.edgeOf(id) })),
      );
      if (answer || at === edge || tries === MOST_MOVES) return answer;
    }
  }

  /**
   * Hands an answer to the edge of the question, whose number the reply begins with; false when nobody waits for it.
   *
   * @throws {GongError} `overloaded` when that edge does not answer
   */
  async answer(order: { reply: string; signal: Signal }): Promise<boolean> {
    const link = this.#edges.get(edgeOf(order.reply))?.link;
    return link ? await within(PATIENCE, link.request("answer", order)) : false;
  }

  /** Has every edge judge by new settings; resolves when they do. One that is silent does as soon as it is not. */
  async reconfigure(order: ReconfigureOrder): Promise<void> {
    await this.#ask((link) => link.request("reconfigure", order));
  }

  /** Asks every edge to drain, and waits for all of them. */
  async drain(seconds: number): Promise<void> {
    await this.#ask((link) => link.request("drain", seconds), seconds + PATIENCE);
  }

  /** Asks one edge to make room for another, and waits for it. */
  async vacate(edge: number, seconds: number): Promise<void> {
    const entry = this.#edges.get(edge);
    if (!entry) return;
    await within(seconds + PATIENCE, entry.link.request("vacate", seconds)).catch(() => {});
    // What it has counted until now outlasts it.
    await within(PATIENCE, this.#fetch(entry)).catch(() => {});
  }

  /** Answers in the order of the edges, without those that are too slow or go away. */
  async #ask<T>(ask: (link: Link<EdgeMethods>, edge: number) => Promise<T>, patience = PATIENCE): Promise<T[]> {
    const asked = [...this.#edges].map(([edge, { link }]) => within(patience, ask(link, edge)));
    const settled = await Promise.allSettled(asked);
    for (const result of settled) {
      if (result.status === "rejected" && !(result.reason instanceof GongError)) throw result.reason;
    }
    return settled.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  }
}

/** Has one edge do something with sessions; resolves to how many it has done it with. */
type Tell = (link: Link<EdgeMethods>, sessions: Chosen) => Promise<number>;

export function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
