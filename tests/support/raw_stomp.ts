/**
 * STOMP over a WebSocket over TCP by hand: a client that can go without a word, in the middle of a frame too.
 *
 * @module
 */
import { encodeStompFrame, type StompFrame, StompReader } from "../../lib/codecs/stomp.ts";
import type { Data } from "../../lib/types.ts";
import { encodeFrame, OPCODE } from "./frames.ts";
import { RawConnection } from "./raw.ts";
import { handshake } from "./requests.ts";

/** Headers of a frame. */
type Headers = Readonly<Record<string, string>>;

/** More than a server would send. */
const LIMITS = { headers: 200, line: 100_000, head: 1_000_000, body: 64 * 2 ** 20 };
/** A queue may have nothing for somebody for long, in milliseconds. */
const PATIENCE = 90_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection, of STOMP 1.2. */
export class RawStomp {
  readonly #connection: RawConnection;
  readonly #reader = new StompReader(LIMITS);
  readonly #arrived: StompFrame[] = [];
  #writing = Promise.resolve();
  #isGone = false;

  private constructor(connection: RawConnection) {
    this.#connection = connection;
    this.#reader.version = "1.2";
  }

  /** Connects, and has said CONNECT. */
  static async connect(port: number): Promise<RawStomp> {
    const connection = await RawConnection.open(port, { patience: PATIENCE });
    await connection.write(handshake("/ws", { "Sec-WebSocket-Protocol": "v12.stomp" }));
    const { status, body } = await connection.readResponse();
    if (status !== 101) throw new Error(`the handshake was refused with ${status}: ${body}`);
    const client = new RawStomp(connection);
    client.send("CONNECT", { "accept-version": "1.2", host: "gong" });
    const { command } = await client.next();
    if (command === "CONNECTED") return client;
    throw new Error(`${command}, not CONNECTED`);
  }

  /** It has gone, by {@linkcode drop}. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Sends a frame; frames go out in the order of the calls. */
  send(command: string, headers: Headers, body = ""): void {
    const frame = encodeStompFrame("1.2", command, Object.entries(headers), body);
    this.#write(encodeFrame(OPCODE.text, toBytes(frame)));
  }

  /** The next frame of the server. @throws when the connection ends first */
  async next(): Promise<StompFrame> {
    while (this.#arrived.length === 0) {
      const { opcode, payload } = await this.#connection.readFrame();
      if (opcode === OPCODE.close) throw new Error(`closed with ${(payload[0] ?? 0) << 8 | (payload[1] ?? 0)}`);
      if (opcode === OPCODE.ping) this.#write(encodeFrame(OPCODE.pong, payload));
      if (opcode === OPCODE.text) this.#arrived.push(...this.#reader.read(decoder.decode(payload)));
      if (opcode === OPCODE.binary) this.#arrived.push(...this.#reader.read(payload));
    }
    return this.#arrived.shift()!;
  }

  /** Waits for a RECEIPT; MESSAGEs that come before it are kept. @throws when an ERROR or another RECEIPT comes first */
  async receipt(id: string): Promise<void> {
    const before: StompFrame[] = [];
    for (;;) {
      const frame = await this.next();
      const { command, headers, body } = frame;
      if (command === "MESSAGE") before.push(frame);
      else if (command === "RECEIPT" && headers.get("receipt-id") === id) break;
      else throw new Error(`${command} of ${headers.get("receipt-id")} ${decoder.decode(body)}, not RECEIPT of ${id}`);
    }
    this.#arrived.unshift(...before);
  }

  /**
   * Ends the connection without a word; what was sent before goes out.
   *
   * @param last a frame that only half of is sent: a half of the WebSocket's, or of STOMP's in a whole one
   */
  async drop(last?: { readonly command: string; readonly headers: Headers; readonly of: "websocket" | "stomp" }) {
    if (last) {
      const frame = toBytes(encodeStompFrame("1.2", last.command, Object.entries(last.headers)));
      const half = frame.subarray(0, frame.length - 5);
      this.#write(
        last.of === "stomp" ? encodeFrame(OPCODE.text, half) : encodeFrame(OPCODE.text, frame).subarray(0, -5),
      );
    }
    this.#isGone = true;
    await this.#writing;
    this.#connection.close();
  }

  #write(bytes: Uint8Array): void {
    // A reader of the connection sees that it has ended.
    this.#writing = this.#writing.then(() => this.#connection.write(bytes)).catch(() => {});
  }
}

function toBytes(frame: Data): Uint8Array {
  return typeof frame === "string" ? encoder.encode(frame) : frame;
}
