import type { OnData } from "../frames.ts";

/** Packets of Engine.IO 4 as frames of a WebSocket begin with them, and of Socket.IO 5 behind `4`. */
const PING = 0x32;
const OPEN = "0{";
const CONNECT = "40";
const CONNECT_ERROR = "44";

const decoder = new TextDecoder();

/** What is read from one connection: the two answers of the server, its pings, and then events for whoever listens. */
export class SocketioReader {
  /** Resolves with the handshake of Engine.IO. */
  readonly opened: Promise<void>;
  /** Resolves when the server has taken the CONNECT; rejects with the message of a CONNECT_ERROR. */
  readonly connected: Promise<void>;
  readonly #opened = Promise.withResolvers<void>();
  readonly #connected = Promise.withResolvers<void>();
  readonly #then: OnData;
  readonly #onPing: () => void;
  #isConnected = false;
  /** The next piece is the first of its message. */
  #begins = true;

  constructor(then: OnData, onPing: () => void) {
    this.#then = then;
    this.#onPing = onPing;
    this.opened = this.#opened.promise;
    this.connected = this.#connected.promise;
    // Whoever waits for the first is told of its failure, and nobody waits for the second then.
    this.connected.catch(() => {});
  }

  readonly onData: OnData = (bytes, start, end, last) => {
    const whole = this.#begins && last;
    if (whole && bytes[start] === PING && end - start === 1) {
      this.#onPing();
      return end;
    }
    if (!this.#isConnected) {
      if (last) this.#take(decoder.decode(bytes.subarray(start, end)));
      return start;
    }
    this.#begins = last;
    return this.#then(bytes, start, end, last);
  };

  #take(packet: string): void {
    if (packet.startsWith(OPEN)) {
      this.#opened.resolve();
    } else if (packet.startsWith(CONNECT)) {
      this.#isConnected = true;
      this.#connected.resolve();
    } else if (packet.startsWith(CONNECT_ERROR)) {
      this.#connected.reject(new Error(messageOf(packet)));
    }
  }
}

/** What a CONNECT_ERROR says: `44{"message":"..."}` or `44/name,{"message":"..."}`. */
function messageOf(packet: string): string {
  return /"message":"((?:[^"\\]|\\.)*)"/.exec(packet)?.[1] ?? packet;
}
