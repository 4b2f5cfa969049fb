/**
 * What is typed or piped into a command.
 *
 * @module
 */

/** Standard input cannot be taken as it is. */
export class InputError extends Error {
  override readonly name = "InputError";
}

const LF = 10;
const CR = 13;

/**
 * The lines of a stream, without their ends (LF or CR LF); the last one need not have an end.
 *
 * @param most bytes of one line
 * @param stop ends the lines when it resolves, even while one is awaited
 * @throws {InputError} for a longer line, or one that is not UTF-8
 */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  most: number,
  stop: Promise<unknown> = new Promise(() => {}),
): AsyncGenerator<string> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  const hold = (piece: Uint8Array) => {
    held += piece.length;
    if (held > most) throw new InputError(`a line is longer than ${most} bytes`);
    pieces.push(piece);
  };
  const take = () => {
    const line = join(pieces, held);
    pieces = [];
    held = 0;
    return decode(line.at(-1) === CR ? line.subarray(0, -1) : line);
  };
  const reader = stream.getReader();
  const stopped = stop.then(() => undefined);
  for (;;) {
    const read = await Promise.race([reader.read(), stopped]);
    if (read === undefined) return;
    if (read.done) break;
    const chunk = read.value;
    let start = 0;
    for (let end; (end = chunk.indexOf(LF, start)) !== -1; start = end + 1) {
      hold(chunk.subarray(start, end));
      yield take();
    }
    if (start < chunk.length) hold(chunk.subarray(start));
  }
  if (held > 0) yield take();
}

/**
 * All of a stream as text, without one line end at its end.
 *
 * @param most bytes in all
 * @throws {InputError} when there is more, or it is not UTF-8
 */
export async function readText(stream: ReadableStream<Uint8Array>, most: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of stream) {
    held += chunk.length;
    if (held > most) throw new InputError(`there are more than ${most} bytes`);
    pieces.push(chunk);
  }
  return decode(join(pieces, held)).replace(/\r?\n$/, "");
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InputError("it is not UTF-8 text");
  }
}
