/**
 * STOMP over a WebSocket by hand: any frame can be sent, whole or in pieces, and what comes is awaited.
 *
 * @module
 */
import { encodeStompFrame, type StompFrame, StompReader, type StompVersion } from "../../lib/codecs/stomp.ts";
import { type Client, type ClientOptions, type Closed, connect } from "./client.ts";

/** Headers of a frame, in order. */
export type Headers = readonly (readonly [name: string, value: string])[] | Readonly<Record<string, string>>;

/** How a client begins. */
export interface StompOptions extends Omit<ClientOptions, "protocols"> {
  /** Said in `accept-version`. Default `1.2`. */
  readonly version?: StompVersion;
  /** Path and query. Default `/ws`. */
  readonly target?: string;
  /** Subprotocols. Default that of the version; none with an empty list. */
  readonly protocols?: readonly string[];
  /** More headers of CONNECT. */
  readonly connect?: Headers;
  /** How long each wait may take, in milliseconds. Default 10,000. */
  readonly patience?: number;
}

/** What a frame has to be: its command, or what is true of it. */
export type Wanted = string | ((frame: StompFrame) => boolean);

/** More than a server would send. */
const LIMITS = { headers: 200, line: 100_000, head: 1_000_000, body: 64 * 2 ** 20 };

/** One connection. */
export class StompClient implements AsyncDisposable {
  readonly version: StompVersion;
  readonly client: Client;
  /** Frames of the server that were not asked for yet, in the order of arrival. */
  readonly arrived: StompFrame[] = [];
  /** Messages of line ends alone. */
  beats = 0;
  readonly #reader: StompReader;
  readonly #patience: number;
  #receipts = 0;

  constructor(client: Client, version: StompVersion, patience: number) {
    this.client = client;
    this.version = version;
    this.#patience = patience;
    this.#reader = new StompReader(LIMITS);
    // CONNECTED has no escapes in any version.
    this.#reader.version = version;
  }

  /** Resolves when the connection has ended, however. */
  get closed(): Promise<Closed> {
    return this.client.closed;
  }

  /** Sends a frame: in a text message, or in a binary one when the body is bytes. */
  send(command: string, headers: Headers = {}, body: string | Uint8Array = ""): void {
    this.raw(encodeStompFrame(this.version, command, pairs(headers), body));
  }

  /** Sends a message as it is. */
  raw(message: string | Uint8Array): void {
    this.client.send(message as string | Uint8Array<ArrayBuffer>);
  }

  /** Sends a frame with a `receipt`, and resolves to the RECEIPT. What comes before it is kept. */
  async ask(command: string, headers: Headers = {}, body: string | Uint8Array = ""): Promise<StompFrame> {
    const receipt = `receipt-${++this.#receipts}`;
    this.send(command, [...pairs(headers), ["receipt", receipt]], body);
    return await this.find((frame) => frame.headers.get("receipt-id") === receipt);
  }

  /** Subscribes, and resolves to the RECEIPT; the id is the destination unless there is another. */
  subscribe(destination: string, headers: Readonly<Record<string, string>> = {}): Promise<StompFrame> {
    return this.ask("SUBSCRIBE", { id: destination, destination, ...headers });
  }

  /**
   * The next frame.
   *
   * @throws when it is not of that command or kind, or is an ERROR that nobody wants; when the connection ends, or nothing
   * comes in time
   */
  async next(wanted: Wanted = () => true): Promise<StompFrame> {
    const frame = await this.#shift();
    if (fits(frame, wanted)) return frame;
    throw new Error(`not ${typeof wanted === "string" ? wanted : "what is wanted"}, but ${describe(frame)}`);
  }

  /**
   * The first frame that fits; those before it are kept for later.
   *
   * @throws when an ERROR comes first, which nobody wants; when the connection ends, or nothing comes in time
   */
  async find(wanted: Wanted): Promise<StompFrame> {
    for (let at = 0;; at++) {
      while (this.arrived.length <= at) await this.#read();
      const frame = this.arrived[at]!;
      if (fits(frame, wanted)) return this.arrived.splice(at, 1)[0]!;
      if (frame.command === "ERROR") throw new Error(`an unexpected ${describe(frame)}`);
    }
  }

  /** The bodies of the next so many MESSAGEs, as text. */
  async texts(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push(textOf(await this.next("MESSAGE")));
    return texts;
  }

  /** Waits for the ERROR, and for the close behind it. */
  async fails(): Promise<{ readonly error: StompFrame; readonly closed: Closed }> {
    const error = await this.find("ERROR");
    return { error, closed: await this.closed };
  }

  /** Drops the connection, without a DISCONNECT. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }

  async #shift(): Promise<StompFrame> {
    while (this.arrived.length === 0) await this.#read();
    return this.arrived.shift()!;
  }

  async #read(): Promise<void> {
    const message = await this.client.next(this.#patience);
    if (/^[\r\n]+$/.test(typeof message === "string" ? message : "")) this.beats++;
    this.arrived.push(...this.#reader.read(message));
  }
}

/** Opens a WebSocket, and says nothing on it. */
export async function openStomp(
  gong: { readonly ws: string },
  { version = "1.2", target = "/ws", protocols, patience = 10_000, headers }: StompOptions = {},
): Promise<StompClient> {
  const offered = protocols ?? [`v${version.replace(".", "")}.stomp`];
  const options = { protocols: [...offered], ...(headers === undefined ? {} : { headers }) };
  return new StompClient(await connect(`${gong.ws}${target}`, options), version, patience);
}

/**
 * Opens a WebSocket, says CONNECT and waits for CONNECTED.
 *
 * @example
 * await using client = await connectStomp(gong, { version: "1.1" });
 * await client.subscribe("/topic/news");
 * client.send("SEND", { destination: "/topic/news" }, "hello");
 * assertEquals(textOf(await client.next("MESSAGE")), "hello");
 */
export async function connectStomp(gong: { readonly ws: string }, options: StompOptions = {}): Promise<StompClient> {
  const client = await openStomp(gong, options);
  client.send("CONNECT", [["accept-version", client.version], ["host", "gong"], ...pairs(options.connect ?? {})]);
  const { headers } = await client.next("CONNECTED");
  if (headers.get("version") === client.version) return client;
  throw new Error(`STOMP ${headers.get("version")}, not ${client.version}`);
}

/** The body as text. @throws TypeError when it is not UTF-8 */
export function textOf({ body }: Pick<StompFrame, "body">): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
}

function pairs(headers: Headers): (readonly [string, string])[] {
  return Array.isArray(headers) ? [...headers] : Object.entries(headers);
}

function fits(frame: StompFrame, wanted: Wanted): boolean {
  return typeof wanted === "string" ? frame.command === wanted : wanted(frame);
}

function describe({ command, headers, body }: StompFrame): string {
  return `${command} ${JSON.stringify([...headers])} ${new TextDecoder().decode(body.subarray(0, 200))}`;
}
