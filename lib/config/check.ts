/**
 * What only several settings together can get wrong.
 *
 * @module
 */

import type { Value } from "./options.ts";
import { isLoopback, parseApiKey, parseListenAddress } from "./forms.ts";
import { type Config, ConfigError } from "./schema.ts";

/** The machine that a configuration is for. */
export interface Machine {
  readonly cores: number;
  /** Elsewhere a port cannot be shared between isolates. */
  readonly linux: boolean;
}

/** Every setting with a value of its kind, not yet checked against the others. */
export type Draft = { -readonly [K in keyof Config]: Config[K] };

// Shorter ones can be guessed; in `dev` keys protect nothing.
const SHORTEST_SECRET = 16;
/** Events that must not have the same name. */
const PAIRS = [["eventJoin", "eventLeave"], ["eventTo", "eventJoin"], ["eventLeave", "eventTo"]] as const;

/**
 * Fills in what depends on other settings or on the machine, and freezes.
 *
 * @param where names a setting the way it was given, e.g. `--host` or `GONG_HOST`
 * @throws {ConfigError} for what does not go together
 */
export function finishConfig(draft: Draft, machine: Machine, where: (key: keyof Config) => string): Config {
  function refuse(key: keyof Config, reason: string): never {
    throw new ConfigError(`${where(key)}: ${reason}`);
  }

  if (draft.host === "") draft.host = draft.dev ? "127.0.0.1" : "0.0.0.0";
  if (draft.isolates === 0) draft.isolates = machine.linux ? Math.max(1, machine.cores) : 1;
  if (!draft.path.includes("/push")) draft.path = ["/push", ...draft.path];

  if (draft.isolates > 1 && !machine.linux) {
    refuse("isolates", "only Linux lets isolates share a port; elsewhere it is 1");
  }
  if (draft.cert !== "" && draft.key === "") refuse("cert", "TLS needs --key too");
  if (draft.key !== "" && draft.cert === "") refuse("key", "TLS needs --cert too");
  if (draft.dev && !draft.devRemote && !isLoopback(draft.host)) {
    refuse("host", `--dev opens everything to everybody, so ${draft.host} needs --dev-remote too`);
  }
  const admin = draft.adminListen === "" ? undefined : parseListenAddress(draft.adminListen).host;
  if (draft.dev && !draft.devRemote && admin !== undefined && !isLoopback(admin)) {
    refuse("adminListen", `--dev opens everything to everybody, so ${admin} needs --dev-remote too`);
  }
  const own = parseListenAddress(draft.clusterListen).host;
  if (draft.clusterAddress === "" && (own === "0.0.0.0" || own === "::")) {
    refuse("clusterListen", `nobody reaches a node at ${own}: --cluster-address has to say where others do`);
  }
  if (draft.outbox < draft.maxMessage) {
    refuse(
      "outbox",
      "a message of --max-message would close every session that hears it; it has to be at least as large",
    );
  }
  for (const [key, other] of PAIRS) {
    if (draft[key] === "" || draft[key] !== draft[other]) continue;
    // One of them at least was given.
    refuse(where(key) === key ? other : key, `of the events of rooms two are ${draft[key]}`);
  }
  checkKeys(draft, (reason) => refuse("apiKey", reason));
  return freeze(draft);
}

function checkKeys(draft: Draft, refuse: (reason: string) => never): void {
  const names = new Set<string>();
  const secrets = new Set<string>();
  for (const text of draft.apiKey) {
    const { name, secret } = parseApiKey(text);
    if (!draft.dev && secret.length < SHORTEST_SECRET) {
      refuse(`the secret of key ${name} has fewer than ${SHORTEST_SECRET} characters`);
    }
    if (secrets.has(secret)) refuse(`key ${name} has the secret of another`);
    secrets.add(secret);
    // Keys without a name may be several, old and new beside each other; a name says which it is.
    if (!text.includes(":")) continue;
    if (names.has(name)) refuse(`there are two keys of the name ${name}`);
    names.add(name);
  }
}

function freeze(draft: Draft): Config {
  const values: Value[] = Object.values(draft);
  for (const value of values) Object.freeze(value);
  return Object.freeze(draft);
}
