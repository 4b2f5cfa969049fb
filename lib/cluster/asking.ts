/**
 * What nodes ask of each other, over HTTP: `POST /METHOD`, with who asks whom, a count and a code in headers, answered with
 * 200 and the answer, or with the status of a refusal and that.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { ByteBudget } from "../http/body.ts";
import { Departure } from "../http/departure.ts";
import type { Member, Refusal } from "../types.ts";
import { Counters } from "./counts.ts";
import { type Ask, digestOf, MOST_RUNS, Proof } from "./proof.ts";
import { decodeWire, encodeWire } from "./wire.ts";

/** Who asks, as a method sees it. */
export interface Asker {
  /** Calls when it is gone before it has its answer. */
  onLeft(leave: () => void): void;
}

/** What a node offers: every method takes one value and returns one, now or later. */
// deno-lint-ignore no-explicit-any
type Methods = { [name: string]: (payload: any, asker: Asker) => unknown };

/** What an {@linkcode Asking} is made of. */
export interface AskingOptions {
  /** That of the cluster, 32 bytes. */
  readonly secret: Uint8Array;
  /** That of this process. */
  readonly run: string;
  /** What this node offers. */
  readonly methods: object;
  /** Told of errors that are no refusals: who asked sees only `internal`. */
  readonly onFault: (error: unknown, method: string) => void;
  /** Told what became of each request that came. */
  readonly onAsked: (outcome: "answered" | "refused" | "rejected") => void;
  /** Bytes that a body may have, an answer too. Default 144 MiB. */
  readonly maxBody?: number;
  /** Bytes that all requests together may have that are being answered. Default 144 MiB. */
  readonly budget?: number;
}

/** Bytes of a body: what a POST may have of the largest message there can be, six times as much in JSON at the worst. */
export const MAX_BODY = 144 * 2 ** 20;
/** Bytes of each that take nothing of what all have together: what is small gets through. */
const FREE = 4096;
/** The header that has it all: run of who asks, of who is asked, count, digest of the body, code. */
const HEADER = "gong-node";
const CODE = "gong-code";

/** One node's side of it. */
export class Asking {
  readonly #options: AskingOptions;
  readonly #proof: Proof;
  readonly #counters = new Counters(MOST_RUNS);
  readonly #budget: ByteBudget;

  constructor(options: AskingOptions) {
    this.#options = options;
    this.#proof = new Proof(options.secret);
    this.#budget = new ByteBudget(options.budget ?? MAX_BODY);
  }

  /**
   * Asks another node.
   *
   * @param signal aborts it
   * @throws {GongError} what it refuses with; `overloaded` when it does not answer, or somebody else does
   */
  async ask(member: Member, method: string, payload: unknown, signal: AbortSignal): Promise<unknown> {
    const body = encodeWire(payload);
    const ask: Ask = {
      ...{ from: this.#options.run, to: member.run, method },
      ...{ count: this.#counters.next(member.run), digest: digestOf(body) },
    };
    const head = [ask.from, ask.to, String(ask.count), ask.digest, this.#proof.ofAsk(ask)].join(" ");
    const { maxBody: maxAnswer = MAX_BODY } = this.#options;
    const { status, code, text } = await post(`${member.address}/${method}`, { head, body, maxAnswer }, signal);
    if (!this.#proof.isOfAnswer(code, ask, status, digestOf(text))) throw isAnother();
    const answer = decodeWire(text);
    if (status !== 200) throw GongError.fromRefusal(answer as Refusal);
    return answer === null ? undefined : answer;
  }

  /**
   * Answers another node. Who is none gets no word more than that.
   *
   * @param completed settled when the answer was handed over to be sent, or cannot be
   */
  async serve(request: Request, completed: Promise<void>): Promise<Response> {
    const { onAsked, onFault } = this.#options;
    const method = new URL(request.url).pathname.slice(1);
    const ask = this.#check(request, method);
    if (!ask) return this.#reject();
    let departure: Departure | undefined;
    const onLeft = (leave: () => void) => {
      departure = new Departure({ signal: request.signal, completed: () => completed }, leave);
    };
    const share = new Share(this.#budget);
    try {
      const body = await this.#read(request, ask, share);
      if (body === undefined) return this.#reject();
      const answer = await this.#call(method, decodeWire(body), { onLeft });
      onAsked("answered");
      departure?.answered(true);
      return this.#answer(ask, 200, answer);
    } catch (error) {
      departure?.answered(false);
      if (!(error instanceof GongError)) onFault(error, method);
      onAsked("refused");
      const refusal = GongError.from(error);
      return this.#answer(ask, refusal.status, refusal.toRefusal());
    } finally {
      share.give();
    }
  }

  /** Undefined for what is too large, cut off, or not what was announced. @throws {GongError} `overloaded` */
  async #read(request: Request, { digest }: Ask, share: Share): Promise<string | undefined> {
    const { maxBody = MAX_BODY } = this.#options;
    try {
      const body = await readText(request.body, maxBody, (size) => share.take(size));
      return digestOf(body) === digest ? body : undefined;
    } catch (error) {
      if (error instanceof GongError) throw error;
      return undefined;
    }
  }

  #reject(): Response {
    this.#options.onAsked("rejected");
    return new Response("This is for nodes of the same cluster.\n", { status: 403 });
  }

  /** What a header says that is true of the request. */
  #check(request: Request, method: string): Ask | undefined {
    if (request.method !== "POST") return undefined;
    const [from = "", to = "", count = "", digest = "", code = ""] = request.headers.get(HEADER)?.split(" ") ?? [];
    const ask: Ask = { from, to, count: Number(count), method, digest };
    return to === this.#options.run && this.#proof.accepts(ask, code) ? ask : undefined;
  }

  async #call(method: string, payload: unknown, asker: Asker): Promise<unknown> {
    const methods = this.#options.methods as Methods;
    // One that this release does not know is nobody's fault.
    if (!Object.hasOwn(methods, method)) throw new GongError("not_found", `There is no ${method} here.`);
    return await methods[method]!(payload, asker);
  }

  #answer(ask: Ask, status: number, value: unknown): Response {
    const text = encodeWire(value);
    const code = this.#proof.ofAnswer(ask, status, digestOf(text));
    return new Response(text, { status, headers: { [CODE]: code, "content-type": "application/json" } });
  }
}

/** What one request has of the budget of all. */
class Share {
  readonly #budget: ByteBudget;
  #taken = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** @param size of what has come of it. @throws {GongError} `overloaded` */
  take(size: number): void {
    const more = Math.max(0, size - FREE) - this.#taken;
    if (!this.#budget.take(more)) {
      throw new GongError("overloaded", "Too many requests of other nodes are being answered.", { retryAfter: 1 });
    }
    this.#taken += more;
  }

  give(): void {
    this.#budget.give(this.#taken);
  }
}

/** What is answered; of what says nothing of who it is, nothing is read. */
async function post(
  url: string,
  { head, body, maxAnswer }: { head: string; body: string; maxAnswer: number },
  signal: AbortSignal,
): Promise<{ status: number; code: string; text: string }> {
  try {
    const headers = { [HEADER]: head, "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
    const code = response.headers.get(CODE);
    if (code !== null) return { status: response.status, code, text: await readText(response.body, maxAnswer) };
    response.body?.cancel().catch(() => {});
  } catch (error) {
    throw new GongError("overloaded", "Another node does not answer.", { retryAfter: 1, cause: error });
  }
  throw isAnother();
}

function isAnother(): GongError {
  return new GongError("overloaded", "What answers there is not that node.", { retryAfter: 1 });
}

/**
 * The whole of it, and nothing more when it is too large.
 *
 * @param taken called with the size of what has come; what it throws ends it
 * @throws {RangeError} for one that is too large; others when it is cut off
 */
async function readText(
  body: ReadableStream<Uint8Array> | null,
  most: number,
  taken: (size: number) => void = () => {},
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > most) throw new RangeError(`There are more than ${most} bytes.`);
    taken(size);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
