/**
 * The keys of an identity provider, as it publishes them at a URL (RFC 7517 section 5).
 *
 * @module
 */
import { importJWK } from "jose/key/import";
import { type KeyAlgorithm, publicKeyOf } from "../config.ts";
import { parseJsonBytes } from "../json.ts";

/** What a {@linkcode KeySet} needs. */
export interface KeySetOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The URL did not answer with keys; those that there were are kept. */
  readonly onFault: (error: Error) => void;
}

/** Keys, and the {@linkcode KeySet.version} that they are of, if they are of a set. */
export interface Found {
  readonly keys: readonly CryptoKey[];
  readonly version: number | undefined;
}

interface PublishedKey {
  readonly kid: string | undefined;
  readonly algorithm: KeyAlgorithm;
  readonly key: CryptoKey;
}

/** How old keys may be, in milliseconds, before they are asked for again beside their use ... */
const REFRESH = 600_000;
/** ... and, when nobody has used them for long and all was well, before their use. */
const STALE = 1_200_000;
/** Between two requests, in milliseconds; shorter while there is no key at all. */
const PAUSE = 60_000;
const FIRST_PAUSE = 5000;
/** For all of an answer, in milliseconds. */
const TIMEOUT = 5000;
const MAX_BYTES = 65_536;
const MAX_KEYS = 100;
const MAX_KID = 256;
/** Keys that are tried for a token that does not name its own. */
const MAX_TRIED = 10;

/**
 * Keys are asked for when they are needed first, and every ten minutes while they are used, so that one that was
 * withdrawn goes; a `kid` that is not there asks at once, but no more than once a minute. While one request is under way
 * everybody waits for that. When it fails the keys stay as they were. Nothing runs that nobody waits for.
 */
export class KeySet {
  readonly #url: string;
  readonly #now: () => number;
  readonly #onFault: (error: Error) => void;
  #keys: readonly PublishedKey[] = [];
  #loaded = -Infinity;
  #asked = -Infinity;
  #asking: Promise<void> | undefined;
  #fault: Error | undefined;
  #version = 0;

  constructor(url: string, { now, onFault }: KeySetOptions) {
    this.#url = url;
    this.#now = now;
    this.#onFault = onFault;
  }

  /** Why the last request failed, if it did. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** Another number whenever the keys have been read anew. */
  get version(): number {
    return this.#version;
  }

  /** Sees to it that the keys are not too old: to be called before they are used. Never rejects. */
  async freshen(): Promise<void> {
    const age = this.#since(this.#loaded);
    if (age === Infinity || age >= STALE && this.#fault === undefined) await this.renew();
    else if (age >= REFRESH) void this.renew();
  }

  /** The keys that a token may be signed with; several only for one that does not name its key. Never rejects. */
  async find(algorithm: KeyAlgorithm, kid: string | undefined): Promise<Found> {
    await this.freshen();
    const found = this.#match(algorithm, kid);
    if (found.keys.length > 0) return found;
    await this.renew();
    return this.#match(algorithm, kid);
  }

  /** Asks for the keys, unless that was done just now; resolves to whether it was. Never rejects. */
  async renew(): Promise<boolean> {
    const pause = this.#loaded === -Infinity ? FIRST_PAUSE : PAUSE;
    if (this.#asking === undefined) {
      if (this.#since(this.#asked) < pause) return false;
      this.#asked = this.#now();
      this.#asking = this.#ask().finally(() => this.#asking = undefined);
    }
    await this.#asking;
    return true;
  }

  async #ask(): Promise<void> {
    try {
      this.#keys = await readKeys(await download(this.#url));
      this.#loaded = this.#now();
      this.#fault = undefined;
      this.#version++;
    } catch (cause) {
      this.#fault = cause instanceof Error ? cause : new Error(String(cause));
      this.#onFault(this.#fault);
    }
  }

  /** A clock that was set back must not stop the requests. */
  #since(time: number): number {
    const passed = this.#now() - time;
    return passed < 0 ? Infinity : passed;
  }

  #match(algorithm: KeyAlgorithm, kid: string | undefined): Found {
    const keys = this.#keys
      .filter((key) => key.algorithm === algorithm && (kid === undefined || key.kid === kid))
      .slice(0, MAX_TRIED)
      .map(({ key }) => key);
    return { keys, version: this.#version };
  }
}

async function download(url: string): Promise<Uint8Array> {
  const response = await fetch(url, {
    // Whoever can have the server redirected could name keys.
    redirect: "manual",
    headers: { accept: "application/jwk-set+json, application/json" },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`the answer has status ${response.status}`);
  }
  const bytes = new Uint8Array(MAX_BYTES);
  let held = 0;
  // Leaving the loop cancels the answer.
  for await (const chunk of response.body) {
    if (held + chunk.length > MAX_BYTES) throw new Error(`the answer has more than ${MAX_BYTES} bytes`);
    bytes.set(chunk, held);
    held += chunk.length;
  }
  return bytes.subarray(0, held);
}

async function readKeys(bytes: Uint8Array): Promise<readonly PublishedKey[]> {
  const set = parseJsonBytes(bytes) as { keys?: unknown } | null;
  const keys = set?.keys;
  if (!Array.isArray(keys)) throw new Error("the answer is no key set");
  const found: PublishedKey[] = [];
  for (const value of keys) {
    const key = await readKey(value);
    if (key !== undefined) found.push(key);
    if (found.length === MAX_KEYS) break;
  }
  return found;
}

/** A key that is not one to check our signatures with is passed over: the set may be for others too. */
async function readKey(value: unknown): Promise<PublishedKey | undefined> {
  if (typeof value !== "object" || value === null) return undefined;
  const jwk = value as JsonWebKey & { kid?: unknown };
  const { kid, use, key_ops: operations, alg } = jwk;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > MAX_KID)) return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return undefined;
  const known = publicKeyOf(jwk);
  if (known === undefined || alg !== undefined && alg !== known.algorithm) return undefined;
  try {
    return { kid, algorithm: known.algorithm, key: await importJWK(known.jwk, known.algorithm) as CryptoKey };
  } catch {
    return undefined;
  }
}
