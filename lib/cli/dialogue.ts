/**
 * What the person or the pipe at the console says, line by line.
 *
 * @module
 */

import type { Io } from "./command.ts";
import type { Conversation, Ending } from "./conversation.ts";
import { InputError, readLines } from "./input.ts";
import { printable } from "./printable.ts";
import type { Screen } from "./screen.ts";

/** What the lines mean that are not published. */
export const WORDS = `  ping     sends a ping frame and tells how long its pong took
  close    closes with the handshake, tells the code that came back, and leaves
  quit     leaves; so does the end of the input
  help     shows these words
A line that begins with \\ is published without it: \\ping publishes ping.
`;

/** Bytes of one line: no server of ours takes more in one message. */
const LONGEST_LINE = 16 * 2 ** 20;

/** Milliseconds. */
const ECHO_PATIENCE = 500;

/** Who talks to whom, and how. */
export interface Dialogue {
  readonly conversation: Conversation;
  readonly io: Io;
  readonly screen: Screen;
  /** Seconds to wait for a pong. */
  readonly timeout: number;
  /** Publish every line as it is. */
  readonly literal: boolean;
  /** Aborted when a signal ends the dialogue; its reason is the exit code. */
  readonly leave: AbortSignal;
}

/** What ended the input: a word, its end, or the end of the connection. */
type Last = "quit" | "close" | "end" | "over";

/** Serves the input to its end or to that of the connection, and closes. Resolves to the exit code. */
export async function converse(dialogue: Dialogue): Promise<number> {
  const { conversation, screen } = dialogue;
  let last: Last;
  try {
    last = await serve(dialogue);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    screen.end();
    screen.notice(`standard input: ${error.message}`);
    await conversation.close();
    return 1;
  }
  if (last === "end" && !dialogue.io.interactive && !await reach(dialogue)) return 1;
  if (conversation.over) last = "over";
  const ending = await conversation.close();
  if (dialogue.leave.aborted) return dialogue.leave.reason;
  if (last !== "over" && (ending.code === 1000 || ending.code === 1005)) {
    if (last === "close") screen.notice(`closed: ${nameCode(ending)}`);
    return 0;
  }
  screen.notice(describeEnding(ending, last));
  return 1;
}

async function serve({ conversation, io, screen, timeout, literal }: Dialogue): Promise<Last> {
  screen.prompt();
  for await (const line of readLines(io.stdin, LONGEST_LINE, conversation.ended)) {
    screen.answered();
    switch (literal ? undefined : line) {
      case "":
        break;
      case "help":
        screen.notice(WORDS.trimEnd());
        break;
      case "ping": {
        const told = tellPong(conversation, screen, timeout);
        // A person may go on meanwhile; in a pipe the next line may be `quit`.
        if (!io.interactive) await told;
        break;
      }
      case "quit":
      case "close":
        return line as "quit" | "close";
      default:
        await conversation.send(!literal && line.startsWith("\\") ? line.slice(1) : line);
    }
    if (conversation.over) break;
    screen.prompt();
  }
  screen.end();
  return conversation.over ? "over" : "end";
}

async function tellPong(conversation: Conversation, screen: Screen, timeout: number): Promise<void> {
  const time = await conversation.ping(timeout);
  if (time !== undefined) screen.notice(`pong: ${time.toFixed(time < 10 ? 2 : 0)} ms`);
  else if (!conversation.over) screen.notice(`no pong within ${timeout} s`);
}

/**
 * Waits until the server has read everything. Frames are read in order, so what was sent before a ping was read when
 * its pong is back. Whether the last line was taken is known only when it comes back as a message; not every server
 * sends it, so that is waited for a while only.
 *
 * @returns false when the server does not answer: then the connection is ended
 */
async function reach({ conversation, screen, timeout }: Dialogue): Promise<boolean> {
  if (await conversation.ping(timeout) !== undefined) await conversation.echo(ECHO_PATIENCE);
  else if (!conversation.over) {
    screen.notice(`the server does not answer: no pong within ${timeout} s`);
    conversation.abort();
    await conversation.ended;
    return false;
  }
  return true;
}

function describeEnding(ending: Ending, last: Last): string {
  if (ending.error !== undefined) return `the connection broke: ${printable(ending.error.message)}`;
  if (ending.code !== 1006) return printable(`closed by the server: ${nameCode(ending)} ${ending.reason}`.trimEnd());
  return last === "over" ? "the server dropped the connection" : "the server did not answer the close handshake";
}

/** RFC 6455 section 7.1.5: 1005 is never sent, it says that no code was. */
function nameCode({ code }: Ending): string {
  return code === 1005 ? "no code" : String(code);
}
