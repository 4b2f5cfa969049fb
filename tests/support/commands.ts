/**
 * A client of the JSON door that gives commands, over a real WebSocket.
 *
 * @module
 */
import { type Client, connect } from "./client.ts";
import type { Gong } from "./gong.ts";

/** A line that the server has sent. */
// deno-lint-ignore no-explicit-any
export type Line = any;

/** One client. Lines that nobody asked for yet are kept, in their order. */
export class Commander implements AsyncDisposable {
  readonly #client: Client;
  readonly #lines: Line[] = [];
  #asked = 0;
  #reading: Promise<void> | undefined;
  /** Id of its session. */
  session = "";

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Connects, e.g. with `channel=a&user=42`. */
  static async open(gong: Pick<Gong, "ws">, query = ""): Promise<Commander> {
    const commander = new Commander(await connect(`${gong.ws}/push?format=json&${query}`));
    const { session } = await commander.take(({ type }) => type === "welcome");
    commander.session = session;
    const wanted = new URLSearchParams(query).getAll("channel").length;
    for (let n = 0; n < wanted; n++) await commander.take(({ type }) => type === "subscribed");
    return commander;
  }

  /** Number of the isolate that holds it. */
  get edge(): number {
    return parseInt(this.session, 36);
  }

  /** Gives a command; what it is answered, without the id. */
  async command(line: Record<string, unknown>): Promise<Line> {
    const id = `c${++this.#asked}`;
    this.#client.send(JSON.stringify({ id, ...line }));
    const { id: _, ...answer } = await this.take((other) => other.id === id);
    return answer;
  }

  /** The next line of the type. */
  ofType(type: string): Promise<Line> {
    return this.take((line) => line.type === type);
  }

  /** The next publication, or the next of a channel. */
  publication(channel?: string): Promise<Line> {
    return this.take((line) => "offset" in line && !("type" in line) && (channel ?? line.channel) === line.channel);
  }

  /** The first line that fits, of those that came or will; it is not given again. */
  async take(fits: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const index = this.#lines.findIndex(fits);
      if (index >= 0) return this.#lines.splice(index, 1)[0];
      // Several may wait at once, each for another line.
      await (this.#reading ??= this.#read());
    }
  }

  async #read(): Promise<void> {
    try {
      const text = await this.#client.nextText();
      this.#lines.push(...text.split("\n").map((line) => JSON.parse(line)));
    } finally {
      this.#reading = undefined;
    }
  }

  /** What came and nobody has asked for. */
  get left(): readonly Line[] {
    return this.#lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}
