import type { Connection } from "../connection.ts";
import { TIMEOUT } from "./wire.ts";

/** Something to be said, if anything, and what resolves when it is answered. */
export interface Step {
  readonly say?: Uint8Array<ArrayBuffer>;
  readonly answer: Promise<void>;
}

/**
 * Takes these steps on a connection, one after the other; a step that fails closes it.
 *
 * @throws {Error} what an answer was rejected with, or when the connection ended, or nothing came in time
 */
export async function converse(connection: Connection, steps: readonly Step[]): Promise<Connection> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("no answer in time")), TIMEOUT);
  const ended = connection.closed.then((reason) => {
    throw new Error(`closed before it was connected: ${reason}`);
  });
  // Once it is connected its end is for others to tell.
  ended.catch(() => {});
  try {
    for (const { say, answer } of steps) {
      if (say !== undefined) connection.write(say);
      await Promise.race([answer, ended, late]);
    }
    return connection;
  } catch (error) {
    await connection.close(Promise.resolve());
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
