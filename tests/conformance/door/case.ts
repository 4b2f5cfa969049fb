/**
 * One case of the suite, and what it works with.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { formatCursor, type Heard, type OpenWire, type Told, type Wish } from "../../support/doors/wire.ts";
import type { Gong } from "../../support/gong.ts";
import { publish, type Published, type Sent } from "../../support/publish.ts";
import { until } from "../../support/until.ts";
import type { Servers } from "./servers.ts";

/** What a wire can say; what it cannot is not asked for. */
export interface DoorFeatures {
  /** What it always tells of a publication, beside its data. What it tells sometimes is looked at too. */
  readonly tells: readonly (keyof Heard)[];
  /** Whether a text keeps its line breaks, or CR and CR LF become LF. */
  readonly lineBreaks: "kept" | "LF";
  /** Has words for what is lost; otherwise the session is closed with 4410. */
  readonly tellsLoss: boolean;
  /**
   * How it says that it lets nobody in; `late` and `ending` are after the connection is open, which other tests look at:
   * by the answer to a command, or by the end of the session.
   */
  readonly refusals: "problem" | "text" | "late" | "ending";
  /** Has no word for a channel that is heard no more: the session ends. */
  readonly endsUnsubscribed?: boolean;
  /** Text that is neither `text/*` nor JSON comes as its bytes. */
  readonly otherTextAsBytes?: boolean;
  /** Hears nothing between two questions. */
  readonly asks?: boolean;
  /** Has nothing that tells a signal from a publication. */
  readonly bareSignals?: boolean;
  /** Tells strings of JSON as it tells texts. */
  readonly jsonStringsAsText?: boolean;
  /** Has no names for reserved channels: a user hears the own one. */
  readonly ordinaryOnly?: boolean;
  /** A question is answered by an acknowledgement: nobody is told its reply. */
  readonly acknowledges?: boolean;
  /** Can publish. */
  readonly publishes?: boolean;
}

/** One case. */
export interface Case {
  readonly title: string;
  /** Default: every door. */
  readonly needs?: (features: DoorFeatures) => boolean;
  readonly run: (context: Context) => Promise<void>;
}

/** What a case works with. */
export interface Context extends AsyncDisposable {
  readonly features: DoorFeatures;
  readonly servers: Servers;
  readonly open: OpenWire;
  /** A channel of this case alone. */
  channel(prefix?: string): string;
  /** Connects; dropped at the end of the case. */
  connect(gong: Gong, wish: Wish): Promise<DoorClient>;
}

export function createContext({ open, features, servers }: Pick<Context, "open" | "features" | "servers">): Context {
  const stack = new AsyncDisposableStack();
  /** Nodes that somebody has come to for a channel. */
  const visited = new Map<string, Set<Gong>>();

  /** Who is told nothing does not know when it is subscribed, and another node may publish before that. */
  async function untilListening(gong: Gong, node: Gong, { channels, since, history }: Wish): Promise<void> {
    const { listening } = servers;
    // Who names a place is given what comes after it in any case.
    if (!listening || features.tells.length > 0 || since !== undefined || history !== undefined) return;
    for (const channel of channels) {
      const nodes = visited.get(channel) ?? new Set();
      visited.set(channel, nodes.add(node));
      // One that is refused, or has ended by itself, is not waited for for long.
      await until(async () => await listening(gong, channel) >= nodes.size, undefined, 300).catch(() => {});
    }
  }

  return {
    features,
    servers,
    open,
    channel: (prefix = "c.") => `${prefix}${crypto.randomUUID().slice(0, 8)}`,
    async connect(gong, wish) {
      const node = servers.nodeOf(gong);
      const client = stack.use(await DoorClient.open(open, node, elsewhere(wish, gong, node)));
      await untilListening(gong, node, wish);
      return client;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A page of the one server is one of the other. */
function elsewhere(wish: Wish, { url }: Gong, node: Gong): Wish {
  if (!wish.headers) return wish;
  const headers = Object.entries(wish.headers).map(([name, value]) => [name, value === url ? node.url : value]);
  return { ...wish, headers: Object.fromEntries(headers) };
}

/** The position before a publication, as `since` of its channel alone. */
export function before({ channel, position: { epoch, offset } }: Published): string {
  return `${channel}@${epoch}:${offset - 1}`;
}

/** The cursor of somebody who stood at `start` and has heard these since. */
export function cursorAfter(start: readonly Published[], heard: readonly Published[]): string {
  return formatCursor(new Map([...start, ...heard].map(({ channel, position }) => [channel, position])));
}

/** That this is all that was published, to the last character, each channel in its order. */
export function assertHeard(context: Context, heard: readonly Heard[], published: readonly Published[]): void {
  const left = new Map<string, Published[]>();
  for (const one of published) left.set(one.channel, [...left.get(one.channel) ?? [], one]);
  for (const [index, one] of heard.entries()) {
    const candidates = [...left.values()].flatMap(([first]) => first ?? []);
    const expected = one.channel === undefined
      ? candidates.find((sent) => isData(context.features, one.data, sent))
      : left.get(one.channel)?.[0];
    assert(expected, `number ${index + 1} is not the next of any channel: ${describe(one)}`);
    assertIs(context.features, one, expected);
    left.get(expected.channel)!.shift();
  }
  assertEquals([...left.values()].flat(), [], "not heard");
}

/** Takes as much as was published, and finds it to be just that. */
export async function hears(context: Context, client: DoorClient, published: readonly Published[]): Promise<void> {
  assertHeard(context, await client.take(published.length), published);
}

/** That nothing more has come: what is published now is what they hear next. */
export async function hearsNothingMore(
  context: Context,
  gong: Gong,
  clients: DoorClient | readonly DoorClient[],
  channels: readonly string[],
): Promise<void> {
  const sent = channels.map((channel): Sent => ({ channel, data: `end of ${channel}, ${crypto.randomUUID()}` }));
  const published = await publish(gong, sent, { key: context.servers.key });
  for (const client of [clients].flat()) await hears(context, client, published);
}

function assertIs({ tells, ...features }: DoorFeatures, heard: Heard, sent: Published): void {
  const { data, ...rest } = heard;
  assert(
    isData({ tells, ...features }, data, sent),
    `${describe(heard)} is not ${describe(sent)}`,
  );
  const { channel, position, event, id, tags } = sent;
  const expected: Omit<Heard, "data"> = { channel, position, event, id, tags, contentType: contentTypeOf(sent) };
  for (const name of ["channel", "position", "event", "id", "tags", "contentType"] as const) {
    if (tells.includes(name) || rest[name] !== undefined) {
      assertEquals(rest[name], expected[name], `${name} of ${describe(sent)}`);
    }
  }
  if (tells.includes("time")) assert(Math.abs(Date.now() - rest.time!) < 600_000, `published at ${rest.time}`);
}

function isData({ lineBreaks, otherTextAsBytes, jsonStringsAsText }: DoorFeatures, told: Told, sent: Sent): boolean {
  const { data } = sent;
  if (otherTextAsBytes && typeof data === "string" && !/^text\/|^application\/json$/.test(contentTypeOf(sent))) {
    return "bytes" in told && equal(told.bytes, new TextEncoder().encode(data));
  }
  if (data instanceof Uint8Array) return "bytes" in told && equal(told.bytes, data);
  if (contentTypeOf(sent) === "application/json") {
    const value = typeof data === "string" ? JSON.parse(data) : data;
    if ("bytes" in told) return false;
    if (jsonStringsAsText && typeof value === "string") return "text" in told && told.text === value;
    return JSON.stringify("json" in told ? told.json : parse(told.text)) === JSON.stringify(value);
  }
  const text = lineBreaks === "kept" ? data : String(data).replaceAll(/\r\n?/g, "\n");
  return "text" in told && told.text === text;
}

function contentTypeOf({ data, contentType }: Sent): string {
  if (contentType !== undefined) return contentType;
  if (data instanceof Uint8Array) return "application/octet-stream";
  return typeof data === "string" ? "text/plain" : "application/json";
}

function equal(some: Uint8Array, other: Uint8Array): boolean {
  return some.length === other.length && some.every((byte, index) => byte === other[index]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describe(value: unknown): string {
  return JSON.stringify(value).slice(0, 300);
}
