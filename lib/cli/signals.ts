/**
 * The signals that ask for an end, or for what is in the files now.
 *
 * @module
 */

/** Where signals come from. */
export interface Signals {
  /**
   * Calls back for each signal that asks for an end, with the exit code of a process that it killed. While somebody
   * listens, the signal does nothing else.
   *
   * @returns stops listening
   */
  listen(handler: (signal: string, code: number) => void): () => void;
  /**
   * Calls back for each SIGHUP, which does nothing else while somebody listens.
   *
   * @returns stops listening
   */
  listenReload(handler: () => void): () => void;
}

/** 128 and the number of the signal. */
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** The signals of this process. */
export function openSignals(): Signals {
  // Windows has no SIGTERM, and Deno throws for it there.
  const names = Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGINT", "SIGTERM"] as const;
  return {
    listen(handler) {
      const listeners = names.map((name) => ({ name, listener: () => handler(name, CODES[name]) }));
      for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
      return () => {
        for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
      };
    },
    listenReload(handler) {
      if (Deno.build.os === "windows") return () => {};
      Deno.addSignalListener("SIGHUP", handler);
      return () => Deno.removeSignalListener("SIGHUP", handler);
    },
  };
}
