/**
 * Somebody else who signs tokens, and takes its time to say with which keys.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Whoever signs tokens: its key set is there as soon as it is {@linkcode release}d. */
export class Issuer implements AsyncDisposable {
  readonly asked = Promise.withResolvers<void>();
  readonly release: () => void;
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #key: CryptoKeyPair;

  private constructor(key: CryptoKeyPair, jwk: JsonWebKey) {
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    this.release = resolve;
    this.#key = key;
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async () => {
      this.asked.resolve();
      await gate;
      return Response.json({ keys: [{ ...jwk, kid: "a", alg: "ES256", use: "sig" }] });
    });
    this.url = `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  static async open(): Promise<Issuer> {
    const key = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    return new Issuer(key, await crypto.subtle.exportKey("jwk", key.publicKey));
  }

  async sign(claims: object): Promise<string> {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const signed = `${encode({ alg: "ES256", kid: "a" })}.${encode({ sub: "42", exp, ...claims })}`;
    const how = { name: "ECDSA", hash: "SHA-256" };
    const mac = await crypto.subtle.sign(how, this.#key.privateKey, new TextEncoder().encode(signed));
    return `${signed}.${Buffer.from(mac).toString("base64url")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.#server.shutdown();
  }
}
