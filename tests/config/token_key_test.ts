import { assert, assertEquals, assertThrows } from "@std/assert";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { publicKeyOf, readPrivateKey, readPublicKey } from "../../lib/config.ts";

// The overloads of `generateKeyPairSync` are one each kind.
const generate = generateKeyPairSync as unknown as (
  kind: string,
  options: object,
) => { publicKey: KeyObject; privateKey: KeyObject };

function pems(kind: string, options: object = {}) {
  const { publicKey, privateKey } = generate(kind, options);
  return {
    public: publicKey.export({ type: "spki", format: "pem" }) as string,
    private: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    jwk: publicKey.export({ format: "jwk" }) as JsonWebKey,
  };
}

const RSA = pems("rsa", { modulusLength: 2048 });
const EC = pems("ec", { namedCurve: "P-256" });
const ED = pems("ed25519");
const OTHERS = [pems("rsa", { modulusLength: 1024 }), pems("ec", { namedCurve: "P-384" }), pems("x25519")];

Deno.test("readPublicKey() finds the algorithm of a key", () => {
  for (const [pem, algorithm] of [[RSA, "RS256"], [EC, "ES256"], [ED, "EdDSA"]] as const) {
    assertEquals(readPublicKey(pem.public).algorithm, algorithm);
    assertEquals(readPublicKey(`# a remark\n\n${pem.public.replaceAll("\n", "\r\n")}`).jwk, pem.jwk);
  }
});

Deno.test("readPublicKey() takes the first certificate of a chain", async () => {
  const certificate = await Deno.readTextFile(new URL("../fixtures/localhost.pem", import.meta.url));
  const authority = await Deno.readTextFile(new URL("../fixtures/authority.pem", import.meta.url));
  const { algorithm, jwk } = readPublicKey(certificate + authority);
  assertEquals([algorithm, jwk], ["ES256", readPublicKey(certificate).jwk]);
});

Deno.test("readPublicKey() refuses private keys, several keys, other kinds and what is no key, without quoting it", () => {
  const refusal = (pem: string) => assertThrows(() => readPublicKey(pem), SyntaxError).message;
  for (const pem of [RSA, EC, ED]) assert(refusal(pem.private).includes("-pubout"));
  assert(refusal(EC.public + EC.private).includes("private"));
  assertEquals(refusal(EC.public + ED.public), "expected one key a file");
  for (const pem of OTHERS) assert(refusal(pem.public).startsWith("it is another kind of key"));
  for (const text of ["", "hunter2", "-----BEGIN PUBLIC KEY-----\n"]) {
    assertEquals(refusal(text), "expected a public key or a certificate as PEM");
  }
  for (const label of ["PUBLIC KEY", "CERTIFICATE", "EC PARAMETERS"]) {
    assert(
      refusal(`-----BEGIN ${label}-----\naHVudGVyMg==\n-----END ${label}-----\n`).includes("no key that can be read"),
    );
  }
});

Deno.test("readPrivateKey() reads both halves", () => {
  for (const [pem, algorithm] of [[RSA, "RS256"], [EC, "ES256"], [ED, "EdDSA"]] as const) {
    const { algorithm: found, jwk } = readPrivateKey(pem.private);
    assertEquals([found, typeof jwk.d], [algorithm, "string"]);
    assertEquals(publicKeyOf(jwk)?.jwk, pem.jwk);
  }
  for (const pem of [RSA.public, "", "hunter2"]) {
    const { message } = assertThrows(() => readPrivateKey(pem), SyntaxError);
    assertEquals(message, "expected a private key as PEM, without a password");
  }
  for (const pem of OTHERS) assertThrows(() => readPrivateKey(pem.private), SyntaxError, "another kind");
});

Deno.test("publicKeyOf() takes nothing of a JWK but the public key", () => {
  const { jwk } = readPrivateKey(EC.private);
  assertEquals(publicKeyOf({ ...jwk, alg: "none", key_ops: ["sign"], ext: true }), { algorithm: "ES256", jwk: EC.jwk });
});

Deno.test("publicKeyOf() takes RSA keys of 2048 to 8192 bits", () => {
  const sized = (bits: number) => {
    const bytes = new Uint8Array(Math.ceil(bits / 8)).fill(0xff);
    bytes[0] = 0xff >> (bytes.length * 8 - bits);
    return publicKeyOf({ kty: "RSA", e: "AQAB", n: bytes.toBase64({ alphabet: "base64url", omitPadding: true }) });
  };
  assertEquals([2047, 2048, 8192, 8193].map((bits) => sized(bits)?.algorithm), [
    undefined,
    "RS256",
    "RS256",
    undefined,
  ]);
  const padded = new Uint8Array(256).fill(0xff, 200).toBase64({ alphabet: "base64url" });
  assertEquals(publicKeyOf({ kty: "RSA", e: "AQAB", n: padded }), undefined);
});
