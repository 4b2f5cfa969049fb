import { assert } from "@std/assert";
import { createTokens, TokenFault } from "../../lib/auth/tokens.ts";
import { GongError } from "../../lib/errors.ts";
import { type Random, seeded } from "../support/random.ts";
import { HS256, makePair, type Pair, SECRET, type Signer, signJwt } from "../support/signers.ts";

const NOW = 1_790_000_000_000;
const MUTATIONS = 10_000;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const STRANGE = [
  "",
  ".",
  "=",
  " ",
  "\n",
  "\0",
  "%",
  "ü",
  "\ud800",
  "😀",
  "\u202e",
  "٣",
  "Ａ",
  "+",
  "/",
  "\ufeff",
] as const;

const PAIRS: readonly Pair[] = await Promise.all(["RS256", "ES256", "EdDSA"].map((alg) => makePair(alg)));
const SIGNERS: readonly Signer[] = [HS256, ...PAIRS];

/** A valid token in its parts, those of another, and what signed it. */
interface Given {
  readonly parts: readonly [string, string, string];
  readonly other: readonly [string, string, string];
}

function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}

function decode(part: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(part, { alphabet: "base64url" });
}

function join(parts: readonly string[]): string {
  return parts.join(".");
}

function replaced(parts: readonly string[], at: number, part: string): string {
  return join(parts.map((old, index) => index === at ? part : old));
}

function cut(text: string, from: number, to: number, between = ""): string {
  return text.slice(0, from) + between + text.slice(to);
}

/** Each makes another token of a valid one, by chance the same. */
const MUTATIONS_OF: readonly ((given: Given, random: Random) => string | Promise<string>)[] = [
  function flipBit({ parts }, random) {
    const at = random.int(3);
    const bytes = decode(parts[at]!);
    bytes[random.int(bytes.length)]! ^= 1 << random.int(8);
    return replaced(parts, at, bytes.toBase64({ alphabet: "base64url", omitPadding: true }));
  },
  function changeLetter({ parts }, random) {
    const token = join(parts);
    const at = random.int(token.length);
    return cut(token, at, at + 1, LETTERS[random.int(64)]);
  },
  function changeLastLetter({ parts }, random) {
    const at = random.int(3);
    return replaced(parts, at, parts[at]!.slice(0, -1) + LETTERS[random.int(64)]);
  },
  function truncate({ parts }, random) {
    const token = join(parts);
    return random.int(2) === 0 ? token.slice(0, random.int(token.length)) : token.slice(1 + random.int(token.length));
  },
  function truncatePart({ parts }, random) {
    const at = random.int(3);
    return replaced(parts, at, parts[at]!.slice(0, random.int(parts[at]!.length)));
  },
  function swapParts({ parts }, random) {
    return join([0, 1, 2].map(() => parts[random.int(3)]!));
  },
  function mixTokens({ parts, other }, random) {
    return join([0, 1, 2].map((at) => (random.int(2) === 0 ? parts : other)[at]!));
  },
  function insertStrange({ parts }, random) {
    const token = join(parts);
    const at = random.int(token.length + 1);
    return cut(token, at, at + random.int(2), random.pick(STRANGE));
  },
  function repeatPiece({ parts }, random) {
    const token = join(parts);
    const at = random.int(token.length);
    return cut(token, at, at, token.slice(at, at + 1 + random.int(token.length - at)));
  },
  function changeHeader({ parts }, random) {
    const alg = random.pick(["none", "None", "HS256", "HS512", "RS256", "ES256", "EdDSA", "PS256", "", "__proto__"]);
    const more = random.pick([
      "",
      `,"kid":"../../dev/null"`,
      `,"kid":{"$ne":1}`,
      `,"jwk":${JSON.stringify(PAIRS[0]!.jwk)}`,
      `,"jku":"http://127.0.0.1:1/"`,
      `,"crit":["exp"],"exp":1`,
      `,"crit":["b64"],"b64":false`,
      `,"alg":"none"`,
      `,"__proto__":{"alg":"none"}`,
      `,"typ":"\\u0000"`,
    ]);
    const header = encode(`{"alg":${JSON.stringify(alg)}${more}}`);
    return join([header, parts[1], random.pick([parts[2], "", "AA", "A".repeat(86)])]);
  },
  async function signWithPublicKey({ parts }, random) {
    const { pem, jwk } = PAIRS[random.int(PAIRS.length)]!;
    const der = decode(pem.replaceAll(/-----.*-----|\s/g, "").replaceAll("+", "-").replaceAll("/", "_"));
    const text = new TextEncoder();
    const key = random.pick([
      text.encode(pem),
      text.encode(pem.trim()),
      der,
      text.encode(JSON.stringify(jwk)),
      text.encode(jwk.x ?? jwk.n!),
      new Uint8Array(32),
      text.encode(SECRET.slice(1)),
    ]);
    return await signJwt(new TextDecoder().decode(decode(parts[1])), { alg: "HS256", key });
  },
  function changeClaims({ parts }, random) {
    const text = new TextDecoder().decode(decode(parts[1]));
    const more = random.pick([
      `,"sub":"admin"}`,
      `,"exp":99999999999}`,
      `,"channels":["*"],"channels":["$admin"]}`,
      `,"__proto__":{"sub":"admin"}}`,
      `,"info":"\\ud800"}`,
      ` }`,
      `}}`,
      `,"sub":"\u202e"}`,
    ]);
    return replaced(parts, 1, encode(text.slice(0, -1) + more));
  },
  function emptySignature({ parts }, random) {
    const size = random.pick([0, 1, 32, 63, 64, 65, 256]);
    return replaced(
      parts,
      2,
      new Uint8Array(size).fill(random.pick([0, 255])).toBase64({
        alphabet: "base64url",
        omitPadding: true,
      }),
    );
  },
];

Deno.test("verify() accepts none of 10,000 tokens that were tampered with, and is at a loss with none", async () => {
  const tokens = createTokens({ tokenSecret: [SECRET], tokenJwks: "", tokenIssuer: "", tokenAudience: "" }, {
    keys: PAIRS.map(({ pem }) => pem),
    now: () => NOW,
  });
  const random = seeded(20_260_921);
  const valid = new Set<string>();
  const givens: Given[] = [];
  for (const signer of SIGNERS) {
    const make = async (sub: string) => {
      const token = await signJwt(
        { sub, exp: NOW / 1000 + 60, channels: ["news", "room:*"], info: { a: sub } },
        signer,
      );
      // What is known must not help a token that resembles it.
      await tokens.verify(token);
      valid.add(token);
      return token.split(".") as unknown as Given["parts"];
    };
    givens.push({ parts: await make("42"), other: await make("admin") });
  }
  const checks = new Set<string>();
  for (let made = 0; made < MUTATIONS;) {
    const mutate = MUTATIONS_OF[random.int(MUTATIONS_OF.length)]!;
    const token = await mutate(givens[random.int(givens.length)]!, random);
    if (valid.has(token)) continue;
    made++;
    try {
      await tokens.verify(token);
    } catch (error) {
      assert(error instanceof GongError && error.code === "unauthorized", String(error));
      assert(error.cause instanceof TokenFault, `${mutate.name}: ${JSON.stringify(token)}: ${error.cause}`);
      checks.add(error.cause.check);
      continue;
    }
    throw new Error(`${mutate.name} made a token that is accepted: ${JSON.stringify(token)}`);
  }
  for (const check of ["malformed", "algorithm", "critical", "signature"]) assert(checks.has(check), check);
});
