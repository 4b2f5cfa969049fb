/**
 * What clients say by POST: read by whichever edge gets it, and taken by the session's owner, one at a time.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import { GongError } from "../errors.ts";
import { EngineFault, refusalOf } from "./answers.ts";
import type { EngineAnswer, EngineOrder, PostingOrder, PostOrder } from "./orders.ts";
import { type BodyLimits, readPayload } from "./payload.ts";
import type { EngineSession } from "./session.ts";

/** How long a body may take before the session's owner hears of it, in milliseconds: hardly any takes as long. */
const SLOW = 50;
/** Bytes that are read before it has said that there is such a session. */
const SMALL = 32 * 1024;

/** What {@linkcode Posts} are made of. */
export interface PostsOptions {
  readonly bodies: BodyLimits;
  readonly newId: () => string;
  /** Has another edge answer. @throws {GongError} what it refuses */
  readonly ask: (edge: number, order: EngineOrder) => Promise<EngineAnswer>;
}

/** The POSTs of an edge, and those that others read for its sessions. A second one while one is read ends its session. */
export class Posts {
  readonly #options: PostsOptions;
  /** Sessions of which one is being read, here or by an edge that has said so, and its id. */
  readonly #reading = new Map<string, string>();
  /** Of sessions that are here: the id of the last one that another edge has read. */
  readonly #said = new Map<string, string>();

  constructor(options: PostsOptions) {
    this.#options = options;
  }

  /** @param where the session, or the edge that owns it. @throws {GongError} refusals */
  async answer(request: Request, sid: string, where: EngineSession | number): Promise<EngineAnswer> {
    const id = this.#options.newId();
    this.#begin(where, sid, id);
    try {
      const body = await this.#read(request, sid, id, where);
      // It may be elsewhere by now.
      return typeof where === "number" ? await this.#relay(where, { kind: "post", sid, id, body }) : where.say(body);
    } finally {
      this.#end(sid, id);
    }
  }

  /** One that another edge has read. @throws {GongError} refusals */
  say(session: EngineSession, { sid, id, body }: PostOrder): EngineAnswer {
    this.#begin(session, sid, id);
    this.#end(sid, id);
    this.#said.set(sid, id);
    return session.say(body);
  }

  /**
   * One is being read by another edge. Where that was slow to be heard of, what was read may have come before.
   *
   * @throws {EngineFault} when another one is, which ends the session
   */
  expect(session: EngineSession, { sid, id }: PostingOrder): void {
    if (this.#said.get(sid) !== id) this.#begin(session, sid, id);
  }

  /** The session is over, or on another edge. */
  forget(sid: string): void {
    this.#reading.delete(sid);
    this.#said.delete(sid);
  }

  /** One is being read. @throws {EngineFault} when another one is, which ends the session */
  #begin(where: EngineSession | number, sid: string, id: string): void {
    if ((this.#reading.get(sid) ?? id) === id) return void this.#reading.set(sid, id);
    const fault = new EngineFault("request");
    this.#fail(where, sid, fault);
    throw fault;
  }

  #end(sid: string, id: string): void {
    if (this.#reading.get(sid) === id) this.#reading.delete(sid);
  }

  async #read(request: Request, sid: string, id: string, where: EngineSession | number): Promise<PostOrder["body"]> {
    const told = typeof where === "number" ? await this.#tell(request, where, sid, id) : undefined;
    try {
      return await readPayload(request, this.#options.bodies);
    } catch (error) {
      this.#fail(where, sid, GongError.from(error));
      throw error;
    } finally {
      await told?.();
    }
  }

  /**
   * Tells the owner of one that is large, before anything of it is read: whoever makes up a session has nothing read and
   * relayed. Of one that is small, if it takes its time: two that overlap end their session. What is to be called when it is
   * read resolves when the owner knows, so that what is said comes behind that, by whichever way.
   *
   * @throws {GongError} for a large one: what the owner refuses
   */
  async #tell(request: Request, edge: number, sid: string, id: string): Promise<(() => Promise<void>) | undefined> {
    const order = { kind: "posting", sid, id } as const;
    if (isSmall(request)) return this.#tellLater(edge, order);
    try {
      await this.#options.ask(edge, order);
    } catch (error) {
      // The owner may hear of it yet.
      if (GongError.from(error).code !== "not_found") this.#fail(edge, sid, GongError.from(error));
      throw error;
    }
    return undefined;
  }

  #tellLater(edge: number, order: PostingOrder): () => Promise<void> {
    let told: Promise<unknown> | undefined;
    const tell = () => told = this.#options.ask(edge, order).catch(() => {});
    const timer = setTimeout(tell, SLOW);
    return async () => {
      clearTimeout(timer);
      await told;
    };
  }

  /** Until it is answered it takes its room of what bodies may have: on its way it is held more than once. */
  async #relay(edge: number, order: PostOrder): Promise<EngineAnswer> {
    const { budget } = this.#options.bodies;
    const size = byteLength(order.body);
    if (budget?.take(size) === false) {
      const error = new GongError("overloaded", "Too many requests are on their way.", { retryAfter: 1 });
      this.#fail(edge, order.sid, error);
      throw error;
    }
    try {
      return await this.#options.ask(edge, order);
    } finally {
      budget?.give(size);
    }
  }

  /** What was not read ends the session. One that has a WebSocket by now goes on. */
  #fail(where: EngineSession | number, sid: string, error: GongError): void {
    if (typeof where !== "number") return where.transport === "polling" ? where.fail(error) : undefined;
    this.#options.ask(where, { kind: "fail", sid, refusal: refusalOf(error) }).catch(() => {});
  }
}

/** As it says itself: one that does not is not. */
function isSmall({ headers }: Request): boolean {
  return Number(headers.get("content-length") ?? Infinity) <= SMALL;
}
