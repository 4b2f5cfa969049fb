/**
 * What nodes ask of each other, over HTTP: `POST /METHOD`, with who asks whom, a count and a code in headers, answered with
 * 200 and the answer, or with the status of a refusal and that.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { Methods } from "../link.ts";
import type { Member, Refusal } from "../types.ts";
import { type Ask, digestOf, Proof } from "./proof.ts";
import { decodeWire, encodeWire } from "./wire.ts";

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
}

/** Bytes of a body, in base64 as bytes are: the largest message there can be, and what is said beside it. */
const MAX_BODY = 32 * 2 ** 20;
/** The header that has it all: run of who asks, of who is asked, count, digest of the body, code. */
const HEADER = "gong-node";
const CODE = "gong-code";

/** One node's side of it. */
export class Asking {
  readonly #options: AskingOptions;
  readonly #proof: Proof;
  #count = 0;

  constructor(options: AskingOptions) {
    this.#options = options;
    this.#proof = new Proof(options.secret);
  }

  /**
   * Asks another node.
   *
   * @param patience in milliseconds
   * @throws {GongError} what it refuses with; `overloaded` when it does not answer, or somebody else does
   */
  async ask(member: Member, method: string, payload: unknown, patience: number): Promise<unknown> {
    const body = encodeWire(payload);
    const ask: Ask = {
      ...{ from: this.#options.run, to: member.run, method },
      ...{ count: ++this.#count, digest: digestOf(body) },
    };
    const head = [ask.from, ask.to, String(ask.count), ask.digest, this.#proof.ofAsk(ask)].join(" ");
    const { status, code, text } = await post(`${member.address}/${method}`, head, body, patience);
    if (!this.#proof.isOfAnswer(code, ask, status, digestOf(text))) {
      throw new GongError("overloaded", "What answers there is not that node.", { retryAfter: 1 });
    }
    const answer = decodeWire(text);
    if (status !== 200) throw GongError.fromRefusal(answer as Refusal);
    return answer === null ? undefined : answer;
  }

  /** Answers another node. Who is none gets no word more than that. */
  async serve(request: Request): Promise<Response> {
    const { onAsked, onFault } = this.#options;
    const method = new URL(request.url).pathname.slice(1);
    const ask = this.#check(request, method);
    const body = ask && await readBody(request);
    if (!ask || body === undefined || digestOf(body) !== ask.digest) {
      onAsked("rejected");
      return new Response("This is for nodes of the same cluster.\n", { status: 403 });
    }
    try {
      const answer = await this.#call(method, decodeWire(body));
      onAsked("answered");
      return this.#answer(ask, 200, answer);
    } catch (error) {
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

  async #call(method: string, payload: unknown): Promise<unknown> {
    const methods = this.#options.methods as Methods;
    // One that this release does not know is nobody's fault.
    if (!Object.hasOwn(methods, method)) throw new GongError("not_found", `There is no ${method} here.`);
    return await methods[method]!(payload);
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
  patience: number,
): Promise<{ status: number; code: string; text: string }> {
  try {
    const signal = AbortSignal.timeout(patience);
    const headers = { [HEADER]: head, "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
    return { status: response.status, code: response.headers.get(CODE) ?? "", text: await response.text() };
  } catch (error) {
    throw new GongError("overloaded", "Another node does not answer.", { retryAfter: 1, cause: error });
  }
}

/** Undefined for one that is too large, or was cut off. */
async function readBody(request: Request): Promise<string | undefined> {
  if (!request.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.length;
      if (size > MAX_BODY) return undefined;
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch {
    return undefined;
  }
}
