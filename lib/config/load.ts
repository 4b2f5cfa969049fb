/**
 * From flags, environment and file to a {@linkcode Config}.
 *
 * @module
 */

import { type Flags, type FlagSpec, nearest, parseFlags, UsageError } from "../flags.ts";
import { type Draft, finishConfig, type Machine } from "./check.ts";
import { checkVariables } from "./environment.ts";
import { CONFIG_FLAG, CONFIG_VARIABLE, type Option, OPTIONS, type Value } from "./options.ts";
import { type Config, ConfigError, type Env } from "./schema.ts";
import { isMismatch } from "./tls_pair.ts";
import { readPublicKey } from "./token_key.ts";
import { maskItem, readJson, readText } from "./values.ts";

/** Reads a text file whole; throws what `Deno.readTextFileSync` throws. */
export type ReadFile = (path: string) => string;

/** What {@linkcode resolveConfig} can be told besides. */
export interface ResolveOptions {
  /** Default: this one. */
  readonly machine?: Machine;
  /** Flags beside those of the settings. */
  readonly more?: FlagSpec;
}

/** A configuration, and where each of its values came from. */
export interface Resolved {
  readonly config: Config;
  /** What stood on the command line, flags that are no settings too. */
  readonly flags: Flags;
  /** `--port`, `GONG_PORT`, `"port" in gong.json` or `default`. */
  readonly sources: ReadonlyMap<keyof Config, string>;
}

/** A value as it was found: `read` makes it one of its kind, `raw` is what to show when that fails. */
interface Found {
  readonly where: string;
  readonly raw: string;
  read(): Value;
}

/**
 * Resolves the settings: a flag wins over the environment, that over the file, that over the default. Lists are
 * replaced, not joined.
 *
 * @throws {ConfigError} naming what is wrong and where it stands
 */
export function resolveConfig(
  args: readonly string[],
  env: Env,
  readFile: ReadFile,
  { machine = thisMachine(), more = {} }: ResolveOptions = {},
): Resolved {
  const flags = readFlags(args, more);
  checkVariables(env);
  const path = flags.text.get(CONFIG_FLAG) ?? env.get(CONFIG_VARIABLE);
  const file = path === undefined ? new Map<string, unknown>() : readSettings(path, readFile);

  function find(option: Option): Found | undefined {
    const { key, flag, env: variable } = option;
    const text = flags.text.get(flag) ?? flags.list.get(flag)?.join(",") ?? flags.boolean.get(flag)?.toString();
    if (text !== undefined) return { where: `--${flag}`, raw: text, read: () => readText(option, text) };
    const set = env.get(variable);
    if (set !== undefined) return { where: variable, raw: set, read: () => readText(option, set) };
    if (!file.has(key)) return undefined;
    const value = file.get(key);
    return { where: `"${key}" in ${path}`, raw: toText(value), read: () => readJson(option, value) };
  }

  return { ...resolve(find, machine, readFile), flags };
}

/** As {@linkcode resolveConfig}, without the sources. */
export function loadConfig(args: readonly string[], env: Env, readFile: ReadFile): Config {
  return resolveConfig(args, env, readFile).config;
}

/**
 * The defaults with some values of one's own, checked like any other: for tests and tools. No file is read.
 *
 * @throws {ConfigError} for a wrong value
 */
export function defaultConfig(overrides: Partial<Config> = {}): Config {
  const given = new Map<string, unknown>(Object.entries(overrides));
  checkKeys(given.keys(), "");
  return resolve((option) => {
    const value = given.get(option.key);
    if (value === undefined) return undefined;
    return { where: option.key, raw: toText(value), read: () => readJson(option, value) };
  }, thisMachine()).config;
}

function resolve(
  find: (option: Option) => Found | undefined,
  machine: Machine,
  readFile?: ReadFile,
): Omit<Resolved, "flags"> {
  const values: Record<string, Value> = {};
  const sources = new Map<keyof Config, string>();
  for (const option of OPTIONS) {
    const found = find(option);
    sources.set(option.key, found?.where ?? "default");
    values[option.key] = found === undefined ? option.default : readFound(option, found);
  }
  // The rows of OPTIONS are the keys of Config, each with a default of its type.
  const draft = values as unknown as Draft;
  const where = (key: keyof Config) => sources.get(key) === "default" ? key : sources.get(key)!;
  if (readFile !== undefined) readFiles(draft, sources, readFile, where);
  return { config: finishConfig(draft, machine, where), sources };
}

function readFlags(args: readonly string[], more: FlagSpec): Flags {
  const named = (test: (option: Option) => boolean) => OPTIONS.filter(test).map((option) => option.flag);
  const isList = ({ kind }: Option) => kind === "list";
  const isBoolean = ({ kind }: Option) => kind === "boolean";
  try {
    return parseFlags(args, {
      ...more,
      text: [CONFIG_FLAG, ...named((option) => !isList(option) && !isBoolean(option)), ...more.text ?? []],
      list: [...named(isList), ...more.list ?? []],
      boolean: [...named(isBoolean), ...more.boolean ?? []],
    });
  } catch (error) {
    throw error instanceof UsageError ? new ConfigError(error.message) : error;
  }
}

function readFound(option: Option, { where, raw, read }: Found): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const shown = option.secret ? "" : ` ${JSON.stringify(maskItem(option, raw))}`;
    throw new ConfigError(`${where}${shown}: ${error.message}`);
  }
}

function readSettings(path: string, readFile: ReadFile): Map<string, unknown> {
  const where = `--${CONFIG_FLAG} ${path}`;
  const text = readOrRefuse(path, readFile, where);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // V8 quotes what stands around the place: `..."apiKey": "..."`.
    const reason = (error as Error).message.replace(/, (?:\.\.\.)?".*$/s, "");
    throw new ConfigError(`${where}: this is not JSON: ${reason}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new ConfigError(`${where}: expected an object, e.g. {"port": 8998}`);
  }
  const settings = new Map<string, unknown>(Object.entries(json));
  checkKeys(settings.keys(), ` in ${path}`);
  return settings;
}

function checkKeys(keys: Iterable<string>, place: string): void {
  const known: readonly string[] = OPTIONS.map((option) => option.key);
  for (const key of keys) {
    if (known.includes(key)) continue;
    throw new ConfigError(`"${key}"${place}: there is no such setting; the nearest is "${nearest(key, known)}"`);
  }
}

/** Joins the keys of the key file to the others, and sees to it that the files of TLS and of tokens can be read. */
function readFiles(
  draft: Draft,
  sources: Map<keyof Config, string>,
  readFile: ReadFile,
  where: (key: keyof Config) => string,
): void {
  const [cert, key] = (["cert", "key"] as const).map((key) => {
    if (draft[key] === "") return "";
    const text = readOrRefuse(draft[key], readFile, where(key));
    if (!text.includes("-----BEGIN ")) throw new ConfigError(`${where(key)}: ${draft[key]} is not a PEM file`);
    return text;
  }) as [string, string];
  if (isMismatch(cert, key)) throw new ConfigError(`${where("key")}: ${draft.key} is not the key of ${draft.cert}`);
  for (const path of draft.tokenKeyFile) {
    const text = readOrRefuse(path, readFile, where("tokenKeyFile"));
    try {
      readPublicKey(text);
    } catch (error) {
      throw new ConfigError(`${where("tokenKeyFile")}: ${path}: ${(error as Error).message}`);
    }
  }
  const path = draft.apiKeyFile;
  if (path === "") return;
  const option = OPTIONS.find(({ key }) => key === "apiKey")!;
  const place = `${where("apiKeyFile")}: ${path}`;
  const keys = readOrRefuse(path, readFile, where("apiKeyFile")).split("\n").flatMap((line, index) => {
    const text = line.replace(/(^|\s)#.*$/s, "").trim();
    if (text === "") return [];
    return readFound(option, { where: `${place}, line ${index + 1}`, raw: "", read: () => readJson(option, [text]) });
  }) as string[];
  if (keys.length === 0) throw new ConfigError(`${place} has no key in it`);
  const given = draft.apiKey.length > 0 ? `${where("apiKey")} and ` : "";
  draft.apiKey = [...draft.apiKey, ...keys];
  sources.set("apiKey", `${given}${where("apiKeyFile")}`);
}

function readOrRefuse(path: string, readFile: ReadFile, where: string): string {
  try {
    return readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new ConfigError(`${where}: there is no file ${path}`);
    if (error instanceof Deno.errors.NotCapable) {
      throw new ConfigError(`${where}: ${path} is in none of the folders that this program is permitted to read`);
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${where}: ${path} cannot be read: ${reason}`);
  }
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
}

function thisMachine(): Machine {
  return { cores: navigator.hardwareConcurrency, linux: Deno.build.os === "linux" };
}
