/**
 * Connections of the command line tools: TCP or TLS, with failures told in sentences.
 *
 * By `node:tls`, because it alone can leave a certificate unchecked: Deno's own `connectTls` and `fetch` cannot.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { UsageError } from "../flags.ts";

/** No connection came about, or it broke. The message is a sentence for the person who typed the address. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
}

/** Whom to trust; for addresses with TLS only. */
export interface Trust {
  /** PEM text of authorities to trust; since Deno 2.9 also of the server's own certificate. */
  readonly ca?: string;
  /** Trust any certificate. */
  readonly insecure?: boolean;
}

/** Settings of {@linkcode dial}. */
export interface DialOptions {
  readonly trust?: Trust;
  /** Seconds for connecting and for `use`. Default 10. */
  readonly timeout?: number;
  /** Ends the attempt; its reason is what is thrown. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to the host and port of `url`, with TLS when its scheme is `wss:` or `https:`, and lets `use` talk there.
 *
 * Deno 2.6 tells a certificate that it does not trust only at the first write: what the socket reports to `use` is for
 * {@linkcode explain}.
 *
 * @param use gets the socket and a signal for when the time is over; when it throws, the connection is ended
 * @throws {ConnectError} when there is no connection in time
 */
export async function dial<T>(
  url: URL,
  options: DialOptions,
  use: (socket: Socket, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { trust = {}, timeout = 10, signal } = options;
  const limit = new AbortController();
  const late = () => limit.abort(new ConnectError(`${url.host} did not answer within ${timeout} s`));
  const timer = setTimeout(late, timeout * 1000);
  const end = signal === undefined ? limit.signal : AbortSignal.any([limit.signal, signal]);
  const socket = connect(url, trust);
  // An error that nobody listens to would end the process, be it the second one.
  socket.on("error", () => {});
  try {
    await settled(socket, url, end);
    socket.setNoDelay(true);
    return await use(socket, end);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function connect(url: URL, { ca, insecure = false }: Trust): Socket {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (!isSecure(url)) return connectTcp({ host, port: Number(url.port || 80) });
  return connectTls({
    host,
    port: Number(url.port || 443),
    // A name is sent for a host name only (RFC 6066 section 3).
    servername: isIP(host) ? "" : host,
    // Without it a server may choose HTTP/2, which nobody here speaks.
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: !insecure,
    ...ca !== undefined && { ca },
  });
}

/** Waits for the connection. */
function settled(socket: Socket, url: URL, signal: AbortSignal): Promise<void> {
  const ready = isSecure(url) ? "secureConnect" : "connect";
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      socket.off(ready, onReady).off("error", onError);
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onReady = () => finish(resolve);
    const onError = (error: Error) => finish(() => reject(explain(error, url)));
    const onAbort = () => finish(() => reject(signal.reason));
    if (signal.aborted) return reject(signal.reason);
    socket.on(ready, onReady).on("error", onError);
    signal.addEventListener("abort", onAbort);
  });
}

/** Reads the PEM file of a `--ca` flag. @throws {UsageError} when there is no certificate in it */
export async function readCa(path: string): Promise<string> {
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (error) {
    throw new UsageError(`--ca ${path}: ${reasonUnread(error)}`);
  }
  try {
    new X509Certificate(pem);
  } catch {
    throw new UsageError(`--ca ${path}: there is no certificate in PEM form in it`);
  }
  return pem;
}

/** What a socket's error means for the one who wanted to reach `url`. */
export function explain(error: Error & { code?: unknown }, url: URL): ConnectError {
  const code = typeof error.code === "string" ? error.code : "";
  const sentence = SENTENCES.get(code) ?? (isSecure(url) ? explainTls(code, error.message) : undefined) ??
    `failed: ${error.message}`;
  return new ConnectError(`${url.host} ${sentence}`, { cause: error });
}

function isSecure(url: URL): boolean {
  return url.protocol === "wss:" || url.protocol === "https:";
}

const SENTENCES: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "refuses connections: does the server run, and on this port?"],
  ["ENOTFOUND", "is not known: there is no host of that name"],
  ["EAI_AGAIN", "cannot be looked up: the name server does not answer"],
  ["EHOSTUNREACH", "cannot be reached: there is no route to it"],
  ["ENETUNREACH", "cannot be reached: there is no route to its network"],
  ["ETIMEDOUT", "does not answer"],
  ["ECONNRESET", "dropped the connection"],
  ["EPIPE", "dropped the connection"],
]);

// OpenSSL's names, which node:tls gives since Deno 2.9: UNABLE_TO_VERIFY_LEAF_SIGNATURE, CERT_HAS_EXPIRED ...
const UNTRUSTED = /CERT|VERIFY_LEAF|ALTNAME/;
const REMEDY = "--ca FILE names whom to trust, --insecure trusts anybody";

function explainTls(code: string, message: string): string | undefined {
  if (UNTRUSTED.test(code) || /certificate/i.test(message)) {
    return `shows a certificate that is not trusted (${message}): ${REMEDY}`;
  }
  // Deno 2.6 says no more than that the first write failed.
  if (code === "UNKNOWN") return `does not speak TLS, or its certificate is not trusted: ${REMEDY}`;
  if (code.startsWith("ERR_SSL") || /corrupt message/.test(message)) {
    return `does not speak TLS as expected (${message})`;
  }
  return undefined;
}

export function reasonUnread(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotCapable) {
    return "this program may not read there; copy the file into the working directory";
  }
  return error instanceof Error ? error.message : String(error);
}
