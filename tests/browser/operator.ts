/**
 * A real server with keys, users and rooms, as an operator finds it.
 *
 * @module
 */
import type { Page } from "playwright-core";
import { type Client, connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";
import { opened, type Visitor } from "./suite.ts";

const KEYS = {
  ops: "operator-operator-operator",
  graph: "statistics-statistics",
  app: "publisher-publisher",
};
const SETTINGS = [
  ...["--isolates", "2", "--token-secret", TOKEN_SECRET, "--auth-failures", "1000"],
  ...["--api-key", `ops:admin:${KEYS.ops}`, "--api-key", `graph:stats:${KEYS.graph}`],
  ...["--api-key", `app:publish:${KEYS.app}`, "--rule", "room:* presence=on subscribe=everyone"],
];

/** Keys by their names: `ops` may do everything, `graph` read the figures, `app` publish. */
export type KeyName = keyof typeof KEYS;

/** The server, where `room:*` has presence. */
export interface Operated extends Gong {
  /**
   * The page, logged in with that key, at that part. Only these answers may be errors of the console: at first nobody is
   * logged in, which is a 401.
   */
  logIn(visit: Visitor["visit"], name: KeyName, where?: string, expected?: RegExp): Promise<Page>;
  /** A user's client, at the JSON door. */
  join(user: string, channel: string, info?: unknown): Promise<Client>;
  /** Resolves when the log has an entry of that event that says that `ops` did it, and has these parts. */
  logged(event: string, ...parts: string[]): Promise<void>;
}

export async function startOperated(): Promise<Operated> {
  const gong = await startGong(SETTINGS, { dev: false });
  return Object.assign(gong, {
    async logIn(visit: Visitor["visit"], name: KeyName, where = "", expected = /401/) {
      const page = await visit(`${gong.url}/admin#${where}`, { expected });
      await page.getByLabel("Key").fill(KEYS[name]);
      await page.keyboard.press("Enter");
      return await opened(page);
    },
    join(user: string, channel: string, info?: unknown) {
      const token = signToken({ sub: user, channels: ["*"], ...info === undefined ? {} : { info } });
      return connect(`${gong.ws}/push?format=json&channel=${channel}&token=${token}`);
    },
    async logged(event: string, ...parts: string[]) {
      await gong.line((line) => [event, "ops", ...parts].every((part) => line.includes(part)));
    },
  });
}

/** The next line that is a publication, of what a client of the JSON door gets. */
export async function nextPublication(client: Client): Promise<Record<string, unknown>> {
  for (;;) {
    for (const line of (await client.nextText()).split("\n")) {
      const value = JSON.parse(line);
      if (value.type === undefined && value.offset !== undefined) return value;
    }
  }
}
