/**
 * What nodes ask of each other, over HTTP: `POST /METHOD`, with who asks whom, a count and a code in headers, answered with
 * 200 and the answer, or with the status of a refusal and that.
 *
 * @module
 */
import { GongError } from "../errors.ts";
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
  /** Bytes that a body may have. Default 144 MiB. */
  readonly maxBody?: number;
}

/** Bytes of a body: what a POST may have of the largest message there can be, six times as much in JSON at the worst. */
const MAX_BODY = 144 * 2 ** 20;
/** The header that has it all: run of who asks, of who is asked, count, digest of the body, code. */
const HEADER = "gong-node";
const CODE = "gong-code";

/** One node's side of it. */
export class Asking {
  readonly #options: AskingOptions;
  readonly #proof: Proof;
  readonly #counters = new Counters(MOST_RUNS);

  constructor(options: AskingOptions) {
    this.#options = options;
    this.#proof = new Proof(options.secret);
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
    const { status, code, text } = await post(`${member.address}/${method}`, head, body, signal);
    if (!this.#proof.isOfAnswer(code, ask, status, digestOf(text))) {
      throw new GongError("overloaded", "What answers there is not that node.", { retryAfter: 1 });
    }
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
    const { onAsked, onFault, maxBody = MAX_BODY } = this.#options;
    const method = new URL(request.url).pathname.slice(1);
    const ask = this.#check(request, method);
    const body = ask && await readBody(request, maxBody);
    if (!ask || body === undefined || digestOf(body) !== ask.digest) {
      onAsked("rejected");
      return new Response("This is for nodes of the same cluster.\n", { status: 403 });
    }
    let departure: Departure | undefined;
    const onLeft = (leave: () => void) => {
      departure = new Departure({ signal: request.signal, completed: () => completed }, leave);
    };
    try {
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
    }
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

async function post(
  url: string,
  head: string,
  body: string,
  signal: AbortSignal,
): Promise<{ status: number; code: string; text: string }> {
  try {
    const headers = { [HEADER]: head, "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
    return { status: response.status, code: response.headers.get(CODE) ?? "", text: await response.text() };
  } catch (error) {
    throw new GongError("overloaded", "Another node does not answer.", { retryAfter: 1, cause: error });
  }
}

/** Undefined for one that is too large, or was cut off. */
async function readBody(request: Request, most: number): Promise<string | undefined> {
  if (!request.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.length;
      if (size > most) return undefined;
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch {
    return undefined;
  }
}
