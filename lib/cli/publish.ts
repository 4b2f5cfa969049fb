/**
 * `gong publish`: one message, over HTTP.
 *
 * @module
 */

import { type Flags, parseFlags, UsageError } from "../flags.ts";
import { CLIENT_FLAGS, CLIENT_USAGE, readCredentials, readTimeout, readTrust } from "./client_flags.ts";
import type { Command, Io } from "./command.ts";
import { ConnectError, dial, type DialOptions } from "./dial.ts";
import { Answer, describeRefusal, encodeRequest, type Head } from "./http.ts";
import { InputError, readText } from "./input.ts";
import { parseSeconds } from "../units.ts";
import { printable } from "./printable.ts";
import { DEFAULT_HTTP_URL, parseHttpUrl } from "./ws_url.ts";

const usage = `Usage: gong publish [FLAGS] [TEXT]

Publishes TEXT, or what standard input holds, without one line end at its end. Prints where it went, one line a
channel: news k3f9:41 is offset 41 of channel news in epoch k3f9, with "repeated" behind it if its id had been published
there before. With --trace a last line follows, "traced" and the id: GET /api/publications/ID tells what became of it.

  --channel NAME       Channel to publish to (broadcast); may be repeated.
  --json               The text is JSON: publish its value.
  --content-type TYPE  Media type (text/plain; with --json application/json).
  --id ID              The publisher's own id of the message, which its receivers see.
  --ttl TIME           For how long it may be read from history, e.g. 90, 500ms, 2m; 0: it is for who listens now.
  --trace              Note what becomes of it.
  --url URL            Address of the server (${DEFAULT_HTTP_URL}).
${CLIENT_USAGE}
Exit code: 0 taken; 1 refused, by a channel or by all, or the server was not reached; 2 wrong usage.
`;

export const command: Command = {
  name: "publish",
  summary: "Publishes one message over HTTP",
  usage,
  run,
};

/** No server of ours takes more. */
const LARGEST_INPUT = 16 * 2 ** 20;
const LARGEST_ANSWER = 2 ** 20;

interface Reply {
  readonly head: Head;
  readonly body: string;
}

async function run(args: readonly string[], io: Io): Promise<number> {
  const flags = parseFlags(args, {
    text: [...CLIENT_FLAGS.text, "url", "content-type", "id", "ttl"],
    list: ["channel"],
    boolean: [...CLIENT_FLAGS.boolean, "json", "trace"],
    most: 1,
  });
  const url = readUrl(flags);
  const options = { trust: await readTrust(flags, url.protocol === "https:"), timeout: readTimeout(flags) };
  const credentials = readCredentials(flags, io.env);
  try {
    const body = encodeBody(flags, flags.rest[0] ?? await readInput(io));
    const id = flags.boolean.get("trace") ? flags.text.get("id") ?? "" : undefined;
    return report(await post(url, credentials, body, options), { url, id }, io);
  } catch (error) {
    if (error instanceof InputError) io.stderr(`standard input: ${error.message}\n`);
    else if (error instanceof ConnectError) io.stderr(`no answer: ${printable(error.message)}\n`);
    else throw error;
    return 1;
  }
}

function readUrl(flags: Flags): URL {
  const url = parseHttpUrl(flags.text.get("url") ?? DEFAULT_HTTP_URL);
  if (url.search !== "") throw new UsageError("--url: the address of a server has no ?query");
  url.pathname = `${url.pathname.replace(/\/$/, "")}/api/publish`;
  return url;
}

async function readInput(io: Io): Promise<string> {
  if (io.interactive) io.stderr("the message, ended by Ctrl-D on a line of its own:\n");
  return await readText(io.stdin, LARGEST_INPUT);
}

function encodeBody(flags: Flags, text: string): string {
  const channels = flags.list.get("channel") ?? ["broadcast"];
  const contentType = flags.text.get("content-type");
  const id = flags.text.get("id");
  const ttl = readTtl(flags);
  return JSON.stringify({
    ...channels.length === 1 ? { channel: channels[0] } : { channels },
    data: flags.boolean.get("json") ? parseJson(text) : text,
    ...contentType !== undefined && { contentType },
    ...id !== undefined && { id },
    ...ttl !== undefined && { ttl },
    ...flags.boolean.get("trace") && { trace: true },
  });
}

function readTtl(flags: Flags): number | undefined {
  const text = flags.text.get("ttl");
  if (text === undefined) return undefined;
  try {
    return parseSeconds(text);
  } catch (error) {
    throw new UsageError(`--ttl ${text}: ${(error as Error).message}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--json: ${printable((error as Error).message)}`);
  }
}

function post(
  url: URL,
  credentials: Readonly<Record<string, string>>,
  text: string,
  options: DialOptions,
): Promise<Reply> {
  const body = new TextEncoder().encode(text);
  return dial(url, options, async (socket, signal) => {
    const answer = new Answer(socket, url);
    socket.write(encodeRequest("POST", url, {
      "User-Agent": "gong-publish",
      "Content-Type": "application/json",
      "Content-Length": String(body.length),
      Connection: "close",
      ...credentials,
    }));
    socket.write(body);
    const head = await answer.head(signal);
    // Of a refusal the status is enough, if its body breaks off.
    const read = answer.readBody(head, LARGEST_ANSWER, signal);
    await (head.status < 300 ? read : read.catch(() => {}));
    socket.destroy();
    return { head, body: answer.body(head) };
  });
}

/**
 * Says what became of the message.
 *
 * @param asked.id what it is traced under, empty if the answer tells
 */
function report({ head, body }: Reply, asked: { url: URL; id: string | undefined }, io: Io): number {
  const { positions, errors, id, detail, field } = parseObject(body);
  if (head.status < 200 || head.status > 299) {
    const words = [typeof detail === "string" ? detail : "", typeof field === "string" ? `field: ${field}` : ""];
    io.stderr(`refused: ${printable(describeRefusal(head, ...words))}\n`);
    return 1;
  }
  const lines = Array.isArray(positions) ? positions.map(describePosition) : [];
  if (lines.length === 0 || lines.includes(undefined)) {
    io.stderr(`no answer: ${asked.url.host} answered ${head.status}, but not as Gong does\n`);
    return 1;
  }
  for (const line of lines) io.stdout(`${line}\n`);
  const traced = asked.id === "" && typeof id === "string" ? id : asked.id;
  if (traced) io.stdout(`traced ${printable(traced)}\n`);
  const refused = Array.isArray(errors) ? errors.map(Object) : [];
  for (const { channel, message } of refused) io.stderr(`refused: ${printable(`${channel}: ${message}`)}\n`);
  return refused.length === 0 ? 0 : 1;
}

function describePosition(position: unknown): string | undefined {
  const { channel, epoch, offset, repeated } = Object(position);
  const known = typeof channel === "string" && typeof epoch === "string" && typeof offset === "number";
  return known ? printable(`${channel} ${epoch}:${offset}${repeated === true ? " repeated" : ""}`) : undefined;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text);
    return Object(value);
  } catch {
    return {};
  }
}
