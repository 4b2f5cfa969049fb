/**
 * `gong console`: a WebSocket by hand.
 *
 * @module
 */

import { parseFlags, UsageError } from "../flags.ts";
import { CLIENT_FLAGS, CLIENT_USAGE, readCredentials, readTimeout, readTrust } from "./client_flags.ts";
import type { Command, Io } from "./command.ts";
import { Conversation } from "./conversation.ts";
import { converse, WORDS } from "./dialogue.ts";
import { ConnectError } from "./dial.ts";
import { type OpenOptions, openWebSocket, RefusedError } from "./open_websocket.ts";
import { describeBytes, printable } from "./printable.ts";
import { Screen } from "./screen.ts";
import { openSignals, type Signals } from "./signals.ts";
import { DEFAULT_WS_URL, parseWsUrl } from "./ws_url.ts";

const usage = `Usage: gong console [FLAGS] [ws://HOST:PORT/PATH]

Publishes each line that is typed or piped in as a text frame, and prints each message that comes in. The address is
${DEFAULT_WS_URL} unless said; in one that is given, a missing scheme is ws, a missing host 127.0.0.1, a
missing port 80 (wss: 443), a missing path /push.

  --channel NAME       Adds channel=NAME to the address; may be repeated. The first is the one published to.
${CLIENT_USAGE}  --origin ORIGIN      Sent as Origin, e.g. https://app.example.com: to try what a browser may.
  --literal            Publish every line as it is: no words, nothing left out.

Words, unless --literal; a line with nothing in it is left out:
${WORDS}
Messages go to standard output, one a line: control characters as \\n or \\x1b, bytes as their number and the first 32.
Everything else goes to standard error. In a pipe (echo hello | gong console) the end of the input waits until the
server has read every line and, for half a second at most, until the last one comes back as a message; then it closes
with the handshake.

Exit code: 0 left by the input, and the server closed in answer; 1 refused, not reached, or ended by the server or the
network; 2 wrong usage; 130 ended by Ctrl-C, which closes with the handshake (again: at once).
`;

export const command: Command = {
  name: "console",
  summary: "Talks to a WebSocket by hand: publish lines, see messages, ping",
  usage,
  run: (args, io) => runConsole(args, io, openSignals()),
};

interface Arguments extends OpenOptions {
  readonly url: URL;
  readonly timeout: number;
  readonly literal: boolean;
}

/**
 * Runs the command with other signals than this process's own.
 *
 * @throws {UsageError}
 */
export async function runConsole(args: readonly string[], io: Io, signals: Signals): Promise<number> {
  const { url, timeout, literal, ...options } = await readArguments(args, io);
  const screen = new Screen(io);
  const leave = new AbortController();
  let conversation: Conversation | undefined;
  const deafen = signals.listen((_name, code) => {
    if (leave.signal.aborted) return conversation?.abort();
    leave.abort(code);
    conversation?.close();
  });
  let unprinted: unknown;
  try {
    const socket = await openWebSocket(url, { ...options, timeout, signal: leave.signal });
    conversation = new Conversation(socket, (message) => {
      try {
        screen.message(typeof message === "string" ? printable(message) : describeBytes(message));
      } catch (error) {
        // Nobody reads our output any more. Thrown here, it would be nobody's.
        unprinted = error;
        conversation?.abort();
      }
    });
    if (io.interactive) screen.notice(`connected to ${printable(url.href)}; help lists the words`);
    const code = await converse({ conversation, io, screen, timeout, literal, leave: leave.signal });
    if (unprinted !== undefined) throw unprinted;
    return code;
  } catch (error) {
    if (leave.signal.aborted) return leave.signal.reason;
    if (error instanceof RefusedError) screen.notice(`refused: ${printable(error.message)}`);
    else if (error instanceof ConnectError) screen.notice(`no connection: ${printable(error.message)}`);
    else throw error;
    return 1;
  } finally {
    deafen();
  }
}

async function readArguments(args: readonly string[], io: Io): Promise<Arguments> {
  const flags = parseFlags(args, {
    text: [...CLIENT_FLAGS.text, "origin"],
    list: ["channel"],
    boolean: [...CLIENT_FLAGS.boolean, "literal"],
    most: 1,
  });
  const url = parseWsUrl(flags.rest[0] ?? DEFAULT_WS_URL);
  for (const name of flags.list.get("channel") ?? []) url.searchParams.append("channel", name);
  const origin = flags.text.get("origin");
  if (origin !== undefined && !/^[!-~]+$/.test(origin)) {
    throw new UsageError("--origin: expected an origin, e.g. https://app.example.com");
  }
  return {
    url,
    headers: {
      "User-Agent": "gong-console",
      ...origin !== undefined && { Origin: origin },
      ...readCredentials(flags, io.env),
    },
    trust: await readTrust(flags, url.protocol === "wss:"),
    timeout: readTimeout(flags),
    literal: flags.boolean.get("literal") ?? false,
  };
}
