/**
 * Whose the sessions of Engine.IO are, and the ways to them: their ids say which edge has made them, under a seal.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Whereabouts } from "../engineio/engine.ts";
import type { EndedSession, EngineAnswer, EngineOrder, MovedSession } from "../engineio/orders.ts";
import type { Link } from "../link.ts";
import type { HubMethods } from "../methods.ts";
import type { Expected } from "./expected.ts";

/** What {@linkcode EdgeWhereabouts} are made of. */
export interface WhereaboutsOptions {
  /** Number of the edge. */
  readonly number: number;
  /** Shared by all edges, and by those after a restart. */
  readonly seal: Uint8Array;
  readonly link: Pick<Link<HubMethods>, "request" | "notify">;
  readonly expected: Expected;
}

/**
 * `EDGE.CHANCE.MAC`: its number in base 36, 128 bits of chance, 128 of an HMAC-SHA-256. A node could be put in front, as a
 * fourth part.
 */
const SID = /^([0-9a-z]{1,8})\.[\w-]{22}\.([\w-]{22})$/;
/** Bytes of chance, and those of the code that are kept. */
const BYTES = 16;

/** The whereabouts, as one edge sees them. */
export class EdgeWhereabouts implements Whereabouts {
  readonly #options: WhereaboutsOptions;
  readonly #key: Uint8Array;

  constructor(options: WhereaboutsOptions) {
    this.#options = options;
    this.#key = createHmac("sha256", options.seal).update("gong engine.io sid").digest();
  }

  newSid(): string {
    const content = `${this.#options.number.toString(36)}.${randomBytes(BYTES).toString("base64url")}`;
    return `${content}.${this.#sign(content)}`;
  }

  ownerOf(sid: string): number | "here" | undefined {
    const [, edge, mac] = SID.exec(sid) ?? [];
    if (edge === undefined || mac === undefined) return undefined;
    // The text of the code is compared, not its bytes: base64 has several texts for the same bytes.
    const expected = this.#sign(sid.slice(0, -mac.length - 1));
    if (!timingSafeEqual(Buffer.from(mac), Buffer.from(expected))) return undefined;
    const owner = parseInt(edge, 36);
    return owner === this.#options.number ? "here" : owner;
  }

  ask(edge: number, order: EngineOrder): Promise<EngineAnswer> {
    return this.#options.link.request("engine", { edge, order });
  }

  abandon(edge: number, sid: string): void {
    this.#options.link.notify("abandonPoll", { edge, sid });
  }

  take(edge: number, sid: string): Promise<MovedSession | EndedSession> {
    const { link, expected } = this.#options;
    return expected.during(() => link.request("take", { edge, sid }));
  }

  #sign(content: string): string {
    return createHmac("sha256", this.#key).update(content).digest().subarray(0, BYTES).toString("base64url");
  }
}
