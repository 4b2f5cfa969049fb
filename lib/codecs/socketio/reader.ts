/**
 * Packets of a client.
 *
 * @module
 */
import { Decoder, type Packet, PacketType } from "socket.io-parser";
import { byteLength } from "../../bytes.ts";
import { GongError } from "../../errors.ts";
import { checkDepth, reviverFor } from "../../json.ts";
import type { Data } from "../../types.ts";
import { MAX_ATTACHMENTS } from "./packet.ts";

/** What one client may say at once. */
export interface ReaderLimits {
  /** Bytes of a packet with its attachments. */
  readonly maxMessage: number;
}

/**
 * What stands before the payload: the type, attachments where it is a type that has them, the namespace, an id. Each part
 * begins and ends with what the next cannot begin with, so its time is linear.
 */
const HEAD = /^(?:[0-4]|[56](\d{1,3})-)(?:\/[^,]*(?:,|$))?(\d*)/;
/** Types, in both their forms. */
const ACKS = `${PacketType.ACK}${PacketType.BINARY_ACK}`;
const WITH_PAYLOAD = `${ACKS}${PacketType.EVENT}${PacketType.BINARY_EVENT}`;
const NONE: readonly Data[] = [];

/**
 * Makes packets of the messages of one client, of which a packet with attachments has several. Binary types come out as
 * `EVENT` and `ACK`, with `Uint8Array`s in their data. Between packets it holds nothing.
 *
 * It is stricter than the official decoder, which takes an empty text for CONNECT, a space for an id, an event without a
 * name, and one attachment for as many places as there are.
 */
export class PacketReader {
  readonly #limits: ReaderLimits;
  /** Of the packet that has begun. */
  #decoder: Decoder | undefined;
  #begun: Data[] | undefined;
  #attachments = 0;
  #size = 0;
  /** Bytes of the last packet that was whole, with its attachments. */
  size = 0;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** Messages of the packet that has begun and lacks attachments: read again, they bring another reader as far. */
  get begun(): readonly Data[] {
    return this.#begun ?? NONE;
  }

  /**
   * Takes one message; answers the packet that is whole with it.
   *
   * @throws {GongError} `bad_request` for what is no packet, `too_large`; what had begun is forgotten then
   */
  read(data: Data): Packet | undefined {
    try {
      return typeof data === "string" ? this.#readText(data) : this.#readBytes(data);
    } catch (error) {
      this.#forget();
      throw error instanceof GongError ? error : noPacket(error);
    }
  }

  #readText(text: string): Packet | undefined {
    if (this.#decoder) throw noPacket("attachments are missing");
    const size = this.#measure(text);
    const attachments = checkText(text);
    // Where there are attachments, the decoder does not know numbers that are kept as they are written.
    const reviver = attachments === 0 ? reviverFor(text) : undefined;
    const decoder = new Decoder({ reviver: reviver as never, maxAttachments: MAX_ATTACHMENTS });
    const packet = decode(decoder, text);
    if (packet) {
      this.size = size;
      return packet;
    }
    this.#decoder = decoder;
    this.#begun = [text];
    this.#attachments = attachments;
    this.#size = size;
    return undefined;
  }

  #readBytes(bytes: Uint8Array): Packet | undefined {
    if (!this.#decoder) throw noPacket("bytes that no packet has announced");
    this.#size += this.#measure(bytes);
    this.#begun!.push(bytes);
    const packet = decode(this.#decoder, bytes);
    if (!packet) return undefined;
    if (!hasEachOnce(packet.data, this.#attachments)) throw noPacket("an attachment without its one place");
    this.size = this.#size;
    this.#forget();
    return packet;
  }

  /** @throws {GongError} `too_large` when there is no room for it in the packet */
  #measure(data: Data): number {
    const room = this.#limits.maxMessage - this.#size;
    const size = data.length > room ? data.length : byteLength(data);
    if (size <= room) return size;
    throw new GongError("too_large", `A packet may have at most ${this.#limits.maxMessage} bytes.`);
  }

  #forget(): void {
    this.#decoder?.destroy();
    this.#decoder = this.#begun = undefined;
    this.#size = this.#attachments = 0;
  }
}

/** Looks at what the decoder would not; answers how many attachments are announced. */
function checkText(text: string): number {
  const head = HEAD.exec(text);
  if (!head) throw noPacket("an unknown type");
  const [{ length }, attachments = "0", id] = head;
  if (!Number.isSafeInteger(Number(id))) throw noPacket("an id that is none");
  if (ACKS.includes(text[0]!) && id === "") throw noPacket("an acknowledgement of nothing");
  if (length < text.length) {
    if (!'[{"'.includes(text[length]!)) throw noPacket("a payload that is none");
    checkDepth(text.slice(length));
  } else if (WITH_PAYLOAD.includes(text[0]!)) throw noPacket("no payload");
  return Number(attachments);
}

/** The packet that is whole with this message, if it is. */
function decode(decoder: Decoder, data: Data): Packet | undefined {
  let decoded: Packet | undefined;
  decoder.once("decoded", (packet: Packet) => decoded = packet);
  decoder.add(data);
  decoder.off("decoded");
  return decoded;
}

/**
 * Whether there are so many attachments in the value, and none twice: one that stands in many places would be copied as
 * often when it is written.
 */
function hasEachOnce(value: unknown, attachments: number): boolean {
  const found: Uint8Array[] = [];
  collectBytes(value, found);
  return found.length === attachments && new Set(found).size === attachments;
}

/** Its depth was bounded by {@linkcode checkDepth}. */
function collectBytes(value: unknown, found: Uint8Array[]): void {
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Uint8Array) found.push(value);
  else for (const item of Object.values(value)) collectBytes(item, found);
}

function noPacket(cause: unknown): GongError {
  const why = typeof cause === "string" ? `: ${cause}` : "";
  return new GongError("bad_request", `This is no packet of Socket.IO${why}.`, { cause });
}
