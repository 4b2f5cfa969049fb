/**
 * STOMP frames of every command and version, with something about each that is not as it should be.
 *
 * @module
 */
import type { StompVersion } from "../../../lib/codecs/stomp.ts";
import type { Random } from "../../support/random.ts";

type Pool = readonly string[];

const encoder = new TextEncoder();
const DESTINATIONS: Pool = [
  ...["/topic/fuzz.a", "/topic/fuzz.b", "/queue/fuzz.a", "/queue/fuzz.b", "/user/me/queue/e", "/user/queue/e"],
  ...[
    "/signal",
    "/reply/x",
    "/topic/",
    "/queue/$queue/x",
    "/topic/$user/me",
    "/topic/$admin",
    "/nowhere",
    "",
    "/topic/é",
  ],
  ...["/topic/$presence/fuzz.a", "/topic/__proto__", "/user/%ff/queue/e", "/queue/" + "q".repeat(200)],
];
const IDS: Pool = ["0", "1", "2", "constructor", "é", "", "x".repeat(300)];
const TRANSACTIONS: Pool = ["t", "u", "toString", ""];
/** Every header that means something, and what is said in it. */
const VALUES: Readonly<Record<string, Pool>> = {
  __proto: ["v"],
  destination: DESTINATIONS,
  id: [...IDS, "topic", "k3f9:1", "k3f9:99999999999999999999"],
  "message-id": ["topic", "k3f9:1", "", ":", "x".repeat(5000)],
  ack: ["auto", "client", "client-individual", "both"],
  "prefetch-count": ["1", "10", "1000", "0", "-1", "1e3", "99999999999"],
  transaction: TRANSACTIONS,
  "accept-version": ["1.0", "1.1", "1.2", "1.0,1.1,1.2", "2.0", ",".repeat(500), ""],
  "heart-beat": ["0,0", "1,1", "99999999999,99999999999", "-1,0", "a,b", ","],
  "content-length": ["0", "1", "5", "65536", "65537", "999999999999999", "9".repeat(40), "-1", "0x5", ""],
  "content-type": ["text/plain", "application/json", "image/png", "text/plain;charset=latin1", "", ";;;"],
  ttl: ["0", "0.5", "1e9", "-1"],
  event: ["e", "", "x".repeat(200)],
  since: ["k3f9:1", "k3f9:", "x", "a:99999999999999999999"],
  history: ["0", "5", "10000", "10001"],
  requeue: ["true", "false", "maybe"],
  selector: ["a = 1"],
  login: ["me", "", "x".repeat(200)],
  passcode: ["x", "a.b.c"],
  receipt: ["", "again", "r:x\\y"],
  tag: ["", "v", "x".repeat(257)],
};
const HEADERS = Object.keys(VALUES);
/** What each command is sent with when it is right. */
const COMMANDS: readonly (readonly [command: string, ...headers: string[]])[] = [
  ["SEND", "destination"],
  ["SEND", "destination", "content-type"],
  ["SEND", "destination", "transaction"],
  ["SUBSCRIBE", "destination", "id", "ack"],
  ["SUBSCRIBE", "destination", "id", "ack", "prefetch-count"],
  ["UNSUBSCRIBE", "id"],
  ["ACK", "id", "message-id"],
  ["ACK", "id", "message-id", "transaction"],
  ["NACK", "id", "message-id", "requeue"],
  ["BEGIN", "transaction"],
  ["COMMIT", "transaction"],
  ["ABORT", "transaction"],
  ["DISCONNECT"],
  ["CONNECT", "accept-version", "heart-beat"],
  ["STOMP", "accept-version", "login"],
  ["CONNECTED"],
  ["MESSAGE", "destination", "message-id"],
  ["RECEIPT", "id"],
  ["ERROR", "id"],
  ["toString", "id"],
  ["", "id"],
];
const PIECES = [
  ...[
    "\0",
    "\0\0",
    "\n",
    "\r\n",
    "\r",
    ":",
    "::",
    "\\",
    "\\n",
    "\\r",
    "\\c",
    "\\t",
    "\\\\\\",
    " ",
    "\ufeff",
    "\u2028",
    "é",
    "💥",
  ]
    .map((text) => encoder.encode(text)),
  // Of no character: a byte alone, a pair cut short, a surrogate, one too long, one out of range.
  ...[[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]].map((bytes) =>
    Uint8Array.from(bytes)
  ),
];

/** How a connection begins. */
export function opening(version: StompVersion): Uint8Array {
  return encoder.encode(`CONNECT\naccept-version:${version}\nhost:x\n\n\0`);
}

/** Frames of one connection. */
export class Mutator {
  readonly #random: Random;
  /** Of a hundred frames so many are at fault, or may be. */
  readonly #wildness: number;
  readonly #version: StompVersion;
  readonly #subscribed: string[] = [];
  readonly #begun: string[] = [];
  #names = 0;

  constructor(random: Random, wildness: number, version: StompVersion) {
    this.#random = random;
    this.#wildness = wildness;
    this.#version = version;
  }

  /** One frame that is no longer what it was. @param receipt by which it is seen that the server has read it */
  next(receipt: string): Uint8Array {
    const random = this.#random;
    if (random.int(100) >= this.#wildness) return this.#odd(receipt);
    const frame = random.int(3) === 0 ? this.#odd(receipt) : misused(random, receipt);
    return random.int(3) === 0 ? frame : damaged(frame, random);
  }

  /** One that a server has to bear: twice a header, tags and names of any characters, bodies of any bytes, ACKs of anything. */
  #odd(receipt: string): Uint8Array {
    const random = this.#random;
    const [command, ...lines] = this.#some();
    lines.push(`receipt:${receipt}`);
    for (let times = random.int(4); times > 0; times--) lines.push(random.pick(lines as [string]));
    // A tag is no tag of a frame other than SEND, and there may have any length.
    const most = command === "SEND" ? 200 : 400;
    for (let times = random.int(4); times > 0; times--) lines.push(`tag-${times}:${this.#text(1 + random.int(most))}`);
    const body = command !== "SEND" ? [] : Array.from({ length: random.int(random.int(50) === 0 ? 9000 : 90) }, () => {
      return random.int(256);
    });
    if (command === "SEND") lines.push("content-type:image/x-odd", `content-length:${body.length}`);
    const eol = this.#version === "1.2" && random.int(3) === 0 ? "\r\n" : "\n";
    const head = encoder.encode([command, ...lines, "", ""].join(eol));
    const between = Array.from({ length: 1 + random.int(4) }, (_, n) => n === 0 ? 0 : 10);
    return Uint8Array.from([...head, ...body, ...between]);
  }

  #place(): string {
    return `/${this.#random.pick(["topic", "queue"])}/fuzz.${this.#random.int(PLACES)}`;
  }

  #some(): [string, ...string[]] {
    const random = this.#random;
    const name = `n${++this.#names}`;
    const kind = random.int(10);
    const transaction = this.#begun.length > 0 ? [`transaction:${this.#begun.at(-1)}`] : [];
    if (kind < 3) return ["SEND", `destination:${this.#place()}`, ...transaction];
    if (kind < 5) return ["ACK", ...positions(random), ...transaction];
    if (kind === 5 && this.#version !== "1.0") return ["NACK", ...positions(random), ...transaction];
    if (kind === 6 || kind === 5) {
      this.#subscribed.push(name);
      const ack = random.pick(["auto", "client", "client-individual"]);
      const prefetch = `prefetch-count:${1 + random.int(1000)}`;
      return ["SUBSCRIBE", `id:${name}`, `destination:${this.#place()}`, `ack:${ack}`, prefetch];
    }
    if (kind === 7 && this.#subscribed.length > 0) return ["UNSUBSCRIBE", `id:${this.#subscribed.shift()}`];
    if (kind === 8 && this.#begun.length > 0) {
      return [random.pick(["ABORT", "COMMIT"]), `transaction:${this.#begun.pop()}`];
    }
    this.#begun.push(name);
    return ["BEGIN", `transaction:${name}`];
  }

  /** Characters of every kind, escaped as the version has it, and sometimes escapes of nothing but themselves. */
  #text(length: number): string {
    const random = this.#random;
    const pieces = this.#version === "1.0" ? PLAIN : [...PLAIN, "\\c", "\\\\"] as [string, ...string[]];
    let text = "x";
    while (text.length < length - 4) text += random.pick(pieces);
    return text;
  }
}

/** So many that what one says is not heard by all. */
const PLACES = 60;
/** At most a byte each, so that a tag is not too long for one. */
const PLAIN = ["a", "B", "0", ":", "=", "%00", "__proto__", ";", '"', "{}", "'", "<"] as const;

/** Of every version the header of its own, of a message that is not there. */
function positions(random: Random): string[] {
  const position = random.pick([
    "topic",
    `e${random.int(9)}:${random.int(999)}`,
    `e:${"9".repeat(1 + random.int(16))}`,
  ]);
  return [`id:${position}`, `message-id:${position}`];
}

/** A frame with a header, a value or a body that does not belong there. */
function misused(random: Random, receipt: string): Uint8Array {
  const [command, ...needed] = COMMANDS[weighted(random)]!;
  const lines = needed.map((name) => `${name}:${sane(name, random)}`);
  for (let times = 1 + random.int(2); times > 0; times--) {
    const name = oneOf(HEADERS, random);
    const line = `${name}:${oneOf(VALUES[name]!, random)}`;
    const at = random.int(lines.length + 1);
    const kind = random.int(5);
    if (kind === 0) lines.splice(at, 1);
    else if (kind === 1) lines.push(...lines);
    else if (kind === 2) lines.splice(at, 1, line);
    else if (kind === 3) lines.push(...Array.from({ length: random.int(80) }, (_, n) => `h${n}:${n}`));
    else lines.push(line);
  }
  const eol = random.int(4) === 0 ? "\r\n" : "\n";
  const body = random.int(3) === 0 ? "x".repeat(random.pick([1, 5, 100, 3000])) : "";
  return encoder.encode([command, `receipt:${receipt}`, ...lines, "", body].join(eol) + "\0");
}

/** The commands that a client may send come up most. */
function weighted(random: Random): number {
  return random.int(random.int(8) === 0 ? COMMANDS.length : 12);
}

/** Mostly what is right, so that more than the first header is looked at. */
function sane(name: string, random: Random): string {
  const values = VALUES[name]!;
  const right = name === "destination" ? 4 : 2;
  return oneOf(random.int(4) === 0 ? values : values.slice(0, right), random);
}

function oneOf(values: Pool, random: Random): string {
  return values[random.int(values.length)]!;
}

/** Bytes changed, cut, repeated or put in between. */
function damaged(frame: Uint8Array, random: Random): Uint8Array {
  const bytes = [...frame];
  for (let times = random.int(3); times >= 0; times--) {
    const at = random.int(bytes.length + 1);
    const kind = random.int(5);
    if (kind === 0) bytes[Math.min(at, bytes.length - 1)] = random.int(256);
    else if (kind === 1) bytes.splice(at, 1 + random.int(20));
    else if (kind === 2) bytes.splice(at, 0, ...bytes.slice(at, at + random.int(60)));
    else if (kind === 3) bytes.splice(at, 0, ...PIECES[random.int(PIECES.length)]!);
    else bytes.splice(at, 0, ...Array.from({ length: random.int(3) === 0 ? 12_000 : 20 }, () => 0x61));
  }
  return Uint8Array.from(bytes);
}
