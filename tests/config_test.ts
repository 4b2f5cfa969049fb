import { generateKeyPairSync } from "node:crypto";
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Config,
  ConfigError,
  defaultConfig,
  type Env,
  loadConfig,
  maskConfig,
  type Option,
  OPTIONS,
  optionsHelp,
  optionsTable,
  parseApiKey,
  resolveConfig,
} from "../lib/config.ts";

const SECRET = "0123456789abcdef";
const OTHER = "fedcba9876543210";
const LINUX = { cores: 8, linux: true };
const PEM = "-----BEGIN CERTIFICATE-----\n";

function environment(variables: Record<string, string>): Env {
  return { get: (name) => new Map(Object.entries(variables)).get(name), toObject: () => variables };
}

function files(contents: Record<string, string>): (path: string) => string {
  return (path) => {
    const text = contents[path];
    if (text === undefined) throw new Deno.errors.NotFound(path);
    return text;
  };
}

interface Given {
  args?: string[];
  env?: Record<string, string>;
  /** Content of `gong.json`, named by `--config`. */
  file?: unknown;
  files?: Record<string, string>;
}

function resolve({ args = [], env = {}, file, files: others = {} }: Given) {
  const contents = { ...others, ...(file === undefined ? {} : { "gong.json": JSON.stringify(file) }) };
  const named = file === undefined ? [] : ["--config", "gong.json"];
  return resolveConfig([...named, ...args], environment(env), files(contents), { machine: LINUX });
}

function load(given: Given): Config {
  return resolve(given).config;
}

function refusal(given: Given): string {
  return assertThrows(() => load(given), ConfigError).message;
}

/** A valid value of an option that is not its default: as text, and as it is kept. */
function sample({ key, kind, choices = [] }: Option): [text: string, value: unknown] {
  const texts: Partial<Record<keyof Config, [string, unknown]>> = {
    host: ["127.0.0.9", "127.0.0.9"],
    publicUrl: ["https://push.example.com", "https://push.example.com"],
    adminListen: ["10.0.0.1:8997", "10.0.0.1:8997"],
    path: ["/other", ["/push", "/other"]],
    trustedProxies: ["10.0.0.0/8", ["10.0.0.0/8"]],
    cert: ["cert.pem", "cert.pem"],
    key: ["key.pem", "key.pem"],
    allowHost: ["push.example.com", ["push.example.com"]],
    allowOrigin: ["https://app.example.com", ["https://app.example.com"]],
    apiKey: [SECRET, [SECRET, OTHER]],
    apiKeyFile: ["keys", "keys"],
    publicChannels: ["news:*", ["news:*"]],
    allowPublish: ["chat/*", ["chat/*"]],
    tokenSecret: [SIGNER, [SIGNER]],
    tokenKeyFile: ["public.pem", ["public.pem"]],
    tokenJwks: ["https://id.example.com/keys", "https://id.example.com/keys"],
    tokenIssuer: ["id", "id"],
    tokenAudience: ["push", "push"],
    tokenCookie: ["who", "who"],
    eventJoin: ["enter", "enter"],
    eventLeave: ["exit", "exit"],
    eventTo: ["", ""],
    broker: ["sqlite:gong.db", "sqlite:gong.db"],
    brokerPrefix: ["other:", "other:"],
    brokerCa: ["ca.pem", "ca.pem"],
    sentinelUser: ["gong:pass:word", "gong:pass:word"],
    clusterListen: ["10.0.0.1:8999", "10.0.0.1:8999"],
    clusterAddress: ["http://node-1:8999", "http://node-1:8999"],
    rule: ["room:*  count=5 age=120", ["room:* count=5 age=120"]],
  };
  const found = texts[key];
  if (found !== undefined) return found;
  if (kind === "boolean") return ["true", true];
  if (kind === "choice") return [choices.at(-1)!, choices.at(-1)!];
  if (kind === "bytes") return ["3MiB", 3 * 2 ** 20];
  if (kind === "seconds") return ["5500ms", 5.5];
  assertEquals(kind, "integer", `no sample for ${key}`);
  return ["7", 7];
}

const SIGNER = "a-secret-of-at-least-32-characters";
const PUBLIC = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }) as string;
const FILES = { "cert.pem": PEM, "key.pem": PEM, keys: OTHER, "public.pem": PUBLIC };

Deno.test("defaultConfig() has the documented defaults", () => {
  const config = loadConfig([], environment({}), files({}));
  assertEquals(config, defaultConfig());
  const { host, port, dev, path, allowHost, publicChannels, allowPublish, apiKey, broker } = config;
  assertEquals([host, port, dev, path], ["0.0.0.0", 8998, false, ["/push"]]);
  assertEquals([publicChannels, allowPublish, apiKey, broker], [["broadcast"], [], [], "memory:"]);
  assertEquals(allowHost, ["localhost", "127.0.0.1", "[::1]"]);
  assertEquals([config.maxMessage, config.outbox, config.memory], [65_536, 2 ** 20, 2 ** 31]);
  assertEquals([config.ping, config.drain, config.hang, config.adminSession], [25, 10, 10, 43_200]);
  assertEquals([config.maxConnections, config.maxPerAddress, config.messageRate], [20_000, 2000, 1000]);
});

Deno.test("resolveConfig() sets every option by flag, by environment and by file, and says which it was", () => {
  const settings = OPTIONS.map((option) => [option, ...sample(option)] as const);
  const flags = settings.map(([option, text]) => `--${option.flag}=${text}`);
  const variables = settings.map(([option, text]) => [option.env, text]);
  const file = settings.map(([{ key, kind }, text]) => {
    return [key, kind === "list" ? [text] : kind === "integer" ? Number(text) : kind === "boolean" ? true : text];
  });
  const ways: [string, Given, (option: Option) => string][] = [
    ["flag", { args: flags }, ({ flag }) => `--${flag}`],
    ["environment", { env: Object.fromEntries(variables) }, ({ env }) => env],
    ["file", { file: Object.fromEntries(file) }, ({ key }) => `"${key}" in gong.json`],
  ];
  for (const [way, given, where] of ways) {
    const { config, sources } = resolve({ ...given, files: FILES });
    for (const [option, , value] of settings) {
      assertEquals(config[option.key], value, `${option.key} by ${way}`);
      const source = sources.get(option.key);
      assertEquals(source?.split(" and ")[0], where(option), `${option.key} by ${way}`);
    }
  }
});

Deno.test("resolveConfig() prefers the flag to the environment, that to the file, that to the default", () => {
  const file = { port: 3, maxMessage: "3KiB", publicChannels: ["file"] };
  const env = { GONG_PORT: "2", GONG_MAX_MESSAGE: "2KiB" };
  const { config, sources } = resolve({ args: ["--port", "1"], env, file });
  assertEquals([config.port, config.maxMessage, config.publicChannels, config.drain], [1, 2048, ["file"], 10]);
  assertEquals(sources.get("port"), "--port");
  assertEquals(sources.get("maxMessage"), "GONG_MAX_MESSAGE");
  assertEquals(sources.get("publicChannels"), '"publicChannels" in gong.json');
  assertEquals(sources.get("drain"), "default");
});

Deno.test("resolveConfig() lets --no-dev and --dev=false undo what the environment sets", () => {
  const env = { GONG_DEV: "1" };
  assertEquals(load({ env }).dev, true);
  assertEquals(load({ env, args: ["--no-dev"] }).dev, false);
  assertEquals(load({ env, args: ["--dev=false"] }).dev, false);
  assertEquals(load({ env: { GONG_DEV: "0" } }).dev, false);
});

Deno.test("resolveConfig() joins repeated flags, splits commas, and replaces the list of the environment", () => {
  const env = { GONG_PUBLIC_CHANNELS: "x,y" };
  assertEquals(load({ env }).publicChannels, ["x", "y"]);
  const args = ["--public-channels", "a", "--public-channels=b, c", "--public-channels=a"];
  assertEquals(load({ env, args }).publicChannels, ["a", "b", "c"]);
  assertEquals(load({ args: ["--public-channels="] }).publicChannels, []);
  assertEquals(load({ env: { GONG_PUBLIC_CHANNELS: "" } }).publicChannels, []);
});

Deno.test("resolveConfig() takes the file from GONG_CONFIG, and --config before that", () => {
  const contents = { one: '{"port": 1}', two: '{"port": 2}' };
  assertEquals(load({ env: { GONG_CONFIG: "one" }, files: contents }).port, 1);
  assertEquals(load({ env: { GONG_CONFIG: "one" }, args: ["--config", "two"], files: contents }).port, 2);
});

Deno.test("ConfigError names an unknown flag, variable or key, and the nearest valid one", () => {
  assertEquals(refusal({ args: ["--prot", "1"] }), "--prot: there is no such flag; the nearest is --port");
  assertEquals(refusal({ env: { GONG_PROT: "1" } }), "GONG_PROT: there is no such setting; the nearest is GONG_PORT");
  assertEquals(refusal({ file: { prot: 1 } }), '"prot" in gong.json: there is no such setting; the nearest is "port"');
  assertStringIncludes(refusal({ file: JSON.parse('{"__proto__": {}}') }), '"__proto__" in gong.json');
  assertStringIncludes(refusal({ args: ["serve"] }), '"serve": an argument too many');
  assertStringIncludes(
    assertThrows(() => defaultConfig({ prot: 1 } as Partial<Config>), ConfigError).message,
    'the nearest is "port"',
  );
  assertEquals(load({ env: { HOME: "/", GONGX: "1" } }).port, 8998);
});

Deno.test("ConfigError names a bad value, where it stands, and what would be right", () => {
  const cases: [Given, string][] = [
    [{ args: ["--port", "x"] }, '--port "x": expected a whole number'],
    [{ args: ["--port", "65536"] }, '--port "65536": must be at most 65535'],
    [{ args: ["--port=-1"] }, '--port "-1": expected a whole number'],
    [{ env: { GONG_PORT: "" } }, 'GONG_PORT "": expected a whole number'],
    [{ file: { port: "8998" } }, '"port" in gong.json "8998": expected a whole number'],
    [{ file: { port: null } }, '"port" in gong.json "null": expected a whole number'],
    [{ file: { port: 1.5 } }, '"port" in gong.json "1.5": expected a whole number'],
    [{ args: ["--max-message", "17MiB"] }, '--max-message "17MiB": must be at most 16MiB'],
    [{ env: { GONG_MAX_MESSAGE: "64kb" } }, 'GONG_MAX_MESSAGE "64kb": expected a size'],
    [{ args: ["--ping", "0"] }, '--ping "0": must be at least 100ms'],
    [{ args: ["--hang", "4s"] }, '--hang "4s": must be at least 5s'],
    [{ args: ["--stuck-budget", "1000"] }, '--stuck-budget "1000": must be at least 1MiB'],
    [{ args: ["--ping", "9000h"] }, '--ping "9000h": must be at most 2000000s'],
    [{ file: { ping: true } }, '"ping" in gong.json "true": expected a number of seconds'],
    [{ env: { GONG_DEV: "yes" } }, 'GONG_DEV "yes": expected true or false'],
    [{ file: { dev: "true" } }, '"dev" in gong.json "true": expected true or false'],
    [{ args: ["--log-level", "inof"] }, "expected one of debug, info, warning, error; the nearest is info"],
    [{ file: { path: "/push" } }, '"path" in gong.json "/push": expected an array of strings'],
    [{ file: { path: [1] } }, '"path" in gong.json "[1]": expected an array of strings'],
    [{ args: ["--public-channels", "a,,b"] }, '--public-channels "a,,b": item 2, "": an item is empty'],
  ];
  for (const [given, message] of cases) assertStringIncludes(refusal(given), message);
});

Deno.test("OPTIONS bounds every number: just outside is refused, the bounds themselves are not", () => {
  for (const option of OPTIONS) {
    const { key, kind, min = 0, max } = option;
    if (kind !== "integer" && kind !== "bytes" && kind !== "seconds") continue;
    const isolates = key === "isolates";
    // An outbox holds at least one message.
    const other = key === "outbox" ? { maxMessage: 1 } : key === "maxMessage" ? { outbox: 2 ** 30 } : {};
    if (!isolates) assertEquals(defaultConfig({ ...other, [key]: min })[key], min);
    assertThrows(() => defaultConfig({ [key]: min - 1 }), ConfigError, `${key} `);
    if (max !== undefined && !isolates) assertEquals(defaultConfig({ ...other, [key]: max })[key], max);
    assertThrows(() => defaultConfig({ [key]: (max ?? 2_000_000) + 1 }), ConfigError, "must be at most");
    assertThrows(() => defaultConfig({ [key]: NaN }), ConfigError);
    assertThrows(() => defaultConfig({ [key]: Infinity }), ConfigError);
  }
});

Deno.test("resolveConfig() listens on loopback with --dev, and elsewhere only with --dev-remote", () => {
  assertEquals(load({ args: ["--dev"] }).host, "127.0.0.1");
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"]) load({ args: ["--dev", "--host", host] });
  for (const host of ["0.0.0.0", "::", "192.168.0.1", "127.0.0.1.example.com", "localhost.example.com"]) {
    assertStringIncludes(refusal({ args: ["--dev", "--host", host] }), "--host: --dev opens everything to everybody");
    assertEquals(load({ args: ["--dev", "--dev-remote", "--host", host] }).host, host);
  }
  assertEquals(load({ args: ["--dev", "--host", "[::1]"] }).host, "::1");
  assertStringIncludes(refusal({ args: ["--dev"], env: { GONG_HOST: "0.0.0.0" } }), "GONG_HOST: ");
});

Deno.test("resolveConfig() takes one isolate a core, and only one off Linux", () => {
  const isolates = (args: string[], linux: boolean) =>
    resolveConfig(args, environment({}), files({}), { machine: { cores: 8, linux } }).config.isolates;
  assertEquals([isolates([], true), isolates(["--isolates", "3"], true)], [8, 3]);
  assertEquals([isolates([], false), isolates(["--isolates", "1"], false)], [1, 1]);
  assertThrows(() => isolates(["--isolates", "2"], false), ConfigError, "--isolates: only Linux");
});

Deno.test("resolveConfig() wants an outbox that holds a message", () => {
  assertStringIncludes(refusal({ args: ["--max-message", "2MiB"] }), "has to be at least as large");
  assertEquals(load({ args: ["--max-message", "2MiB", "--outbox", "2MiB"] }).outbox, 2 ** 21);
});

Deno.test("resolveConfig() wants three different names of events, or none, and leaves the server its own", () => {
  const none = ["--event-join=", "--event-leave=", "--event-to="];
  const { eventJoin, eventLeave, eventTo } = load({ args: none });
  assertEquals([eventJoin, eventLeave, eventTo], ["", "", ""]);
  assertEquals(load({ args: ["--event-join", "leave", "--event-leave", "join"] }).eventJoin, "leave");
  for (const [flag, name] of [["--event-join", "leave"], ["--event-join", "to"], ["--event-leave", "to"]] as const) {
    assertEquals(refusal({ args: [flag, name] }), `${flag}: of the events of rooms two are ${name}`);
  }
  for (const name of ["$join", "a\tb", "a".repeat(65)]) {
    assertStringIncludes(refusal({ args: ["--event-to", name] }), "--event-to");
  }
  assertEquals(load({ args: ["--event-to", "a".repeat(64)] }).eventTo.length, 64);
});

Deno.test("resolveConfig() wants certificate and key together, and readable PEM files", () => {
  assertStringIncludes(refusal({ args: ["--cert", "cert.pem"], files: FILES }), "--cert: TLS needs --key too");
  assertStringIncludes(refusal({ env: { GONG_KEY: "key.pem" }, files: FILES }), "GONG_KEY: TLS needs --cert too");
  const both = ["--cert", "cert.pem", "--key", "key.pem"];
  assertEquals(load({ args: both, files: FILES }).cert, "cert.pem");
  assertStringIncludes(refusal({ args: both, files: { "cert.pem": PEM } }), "--key: there is no file key.pem");
  assertStringIncludes(refusal({ args: both, files: { ...FILES, "key.pem": "x" } }), "key.pem is not a PEM file");
});

Deno.test("resolveConfig() wants to know where other nodes reach one that listens everywhere", () => {
  for (const host of ["0.0.0.0", "[::]"]) {
    const args = ["--cluster-listen", `${host}:8999`];
    assertStringIncludes(refusal({ args }), "--cluster-listen: nobody reaches a node at");
    assertEquals(load({ args: [...args, "--cluster-address", "http://10.0.0.1:8999"] }).clusterListen, `${host}:8999`);
  }
});

Deno.test("resolveConfig() wants the key that belongs to the certificate, which may be a chain", () => {
  const read = (name: string) => Deno.readTextFileSync(new URL(`fixtures/${name}`, import.meta.url));
  const args = ["--cert", "cert.pem", "--key", "key.pem"];
  const chain = read("localhost.pem") + read("authority.pem");
  const files = { "cert.pem": chain, "key.pem": read("localhost.key") };
  assertEquals(load({ args, files }).key, "key.pem");
  const other = refusal({ args, files: { ...files, "key.pem": read("self_signed.key") } });
  assertEquals(other, "--key: key.pem is not the key of cert.pem");
});

Deno.test("resolveConfig() wants a key for tokens in each of the files, and repeats nothing of them", () => {
  const args = ["--token-key-file", "public.pem,other.pem"];
  assertEquals(load({ args, files: { ...FILES, "other.pem": PUBLIC } }).tokenKeyFile, ["public.pem", "other.pem"]);
  assertEquals(refusal({ args, files: FILES }), "--token-key-file: there is no file other.pem");
  const other = refusal({ args, files: { ...FILES, "other.pem": "hunter2" } });
  assertEquals(other, "--token-key-file: other.pem: expected a public key or a certificate as PEM");
});

Deno.test("resolveConfig() reads other flags beside the settings, and knows them when one is misspelt", () => {
  const more = { text: ["user"], list: ["channels"] };
  const read = (args: string[]) => resolveConfig(args, environment({}), files({}), { machine: LINUX, more });
  const { config, flags } = read(["--user", "42", "--port", "81", "--channels", "a", "--channels=b"]);
  assertEquals([config.port, flags.text.get("user"), flags.list.get("channels")], [81, "42", ["a", "b"]]);
  assertThrows(() => read(["--usr", "42"]), ConfigError, "the nearest is --user");
  assertThrows(() => read(["--pot", "42"]), ConfigError, "the nearest is --port");
});

Deno.test("resolveConfig() refuses files that cannot be read or are not JSON objects, without quoting them", () => {
  assertEquals(refusal({ args: ["--config", "nope"] }), "--config nope: there is no file nope");
  const cases: [Error, string][] = [
    [new Deno.errors.PermissionDenied("Permission denied (os error 13)"), "x cannot be read: Permission denied"],
    [new Deno.errors.NotCapable(), "x is in none of the folders that this program is permitted to read"],
  ];
  for (const [error, reason] of cases) {
    const refuse = () => {
      throw error;
    };
    const load = () => resolveConfig(["--config", "x"], environment({}), refuse);
    assertThrows(load, ConfigError, `--config x: ${reason}`);
  }
  for (const text of ["", "{", `{"apiKey": ["hunter2hunter2hu"] x`, `{"apiKey": hunter2}`, `"hunter2`]) {
    const message = refusal({ args: ["--config", "bad"], files: { bad: text } });
    assertMatch(message, /^--config bad: this is not JSON: ./);
    assert(!message.includes("hunter2"), message);
  }
  for (const text of ["[]", "null", "1", '"x"']) {
    assertStringIncludes(refusal({ args: ["--config", "bad"], files: { bad: text } }), "expected an object");
  }
});

Deno.test("resolveConfig() keeps origins as browsers write them, and refuses what is none", () => {
  const args = ["--allow-origin", "https://App.example.com:443/,http://localhost:3000"];
  assertEquals(load({ args }).allowOrigin, ["https://app.example.com", "http://localhost:3000"]);
  assertEquals(load({ args: ["--public-url", "https://p.example.com/"] }).publicUrl, "https://p.example.com");
  const bad = ["*", "app.example.com", "ftp://x", "https://*.example.com", "https://x/path", "https://u:p@x", "null"];
  for (const origin of bad) {
    assertStringIncludes(refusal({ args: ["--allow-origin", origin] }), "--allow-origin");
    assertStringIncludes(refusal({ args: ["--public-url", origin] }), "--public-url");
  }
});

Deno.test("resolveConfig() keeps host names without port, and refuses what is none", () => {
  const args = ["--allow-host", "Push.Example.com,[::1],10.0.0.1"];
  assertEquals(load({ args }).allowHost, ["push.example.com", "[::1]", "10.0.0.1"]);
  for (const host of ["x:80", "x:81", "http://x", "x/y", "u@x", "*", "::1", "a b", "x?y", "x#y"]) {
    assertStringIncludes(refusal({ args: ["--allow-host", host] }), "--allow-host");
  }
});

Deno.test("resolveConfig() always has /push among the paths, and refuses those of the server", () => {
  const args = ["--path", "/a/b/", "--path", "/push"];
  assertEquals(load({ args }).path, ["/a/b", "/push"]);
  assertEquals(load({ args: ["--path", "/ws"] }).path, ["/push", "/ws"]);
  assertEquals(defaultConfig({ path: ["/ws"] }).path, ["/push", "/ws"]);
  for (const path of ["/", "/admin", "/api/publish", "/socket.io/", "/metrics", "/static/x", "/gong.js"]) {
    assertStringIncludes(refusal({ args: ["--path", path] }), "is taken by the server itself");
  }
  for (const path of ["push", "//x", "/a/../b", "/a b", "/a?b", "/a#b", "/é"]) {
    assertStringIncludes(refusal({ args: ["--path", path] }), "--path");
  }
  assertEquals(load({ args: ["--path", "/apiary"] }).path, ["/push", "/apiary"]);
});

Deno.test("resolveConfig() refuses patterns outside the grammar, and those that would open reserved channels", () => {
  for (const pattern of ["$admin", "$user/*", "a b", "ä", "x".repeat(129)]) {
    assertStringIncludes(refusal({ file: { publicChannels: [pattern] } }), '"publicChannels" in gong.json');
    assertStringIncludes(refusal({ file: { allowPublish: ["ok", pattern] } }), '"allowPublish" in gong.json');
  }
  assertEquals(load({ args: ["--allow-publish", "*"] }).allowPublish, ["*"]);
});

Deno.test("resolveConfig() takes CIDRs and addresses of proxies only, and brokers that there are", () => {
  const networks = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"];
  assertEquals(load({ args: ["--trusted-proxies", networks.join(",")] }).trustedProxies, networks);
  for (const network of ["10.0.0.0/33", "10.0.0/8", "proxy", "::/129"]) {
    assertStringIncludes(refusal({ args: ["--trusted-proxies", network] }), "--trusted-proxies");
  }
  const message = refusal({ args: ["--broker", "redis://user:hunter2@host:6379/0?password=hunter2"] });
  assertStringIncludes(message, '--broker "redis://user:***@host:6379/0?password=***"');
  for (const broker of ["memory:", "sqlite:gong.db", "sqlite:/var/lib/gong/gong.db"]) {
    assertEquals(load({ args: ["--broker", broker] }).broker, broker);
  }
  for (const broker of ["sqlite:", "sqlite", "memory", "memory:x", "", "sqlite:a\0b", "file:x"]) {
    assertStringIncludes(refusal({ args: [`--broker=${broker}`] }), "--broker");
  }
});

Deno.test("resolveConfig() takes rules of channels, and says what is wrong with one", () => {
  const rules = [
    "room:*",
    "news count=0",
    "$user/* age=7d bytes=64KiB",
    "$user/vip:* publish=token",
    "$s*/1 publish=users",
    "$queue/* subscribe=users publish=keys",
    "  a   count=5  age=500ms  presence=on  subscribe=users ",
  ];
  assertEquals(load({ args: rules.flatMap((rule) => ["--rule", rule]) }).rule, [
    "room:*",
    "news count=0",
    "$user/* age=7d bytes=64KiB",
    "$user/vip:* publish=token",
    "$s*/1 publish=users",
    "$queue/* subscribe=users publish=keys",
    "a count=5 age=500ms presence=on subscribe=users",
  ]);
  assertEquals(load({ env: { GONG_RULE: "a count=1, b age=2" } }).rule, ["a count=1", "b age=2"]);
  const cases: [string, string][] = [
    ["count=1", "expected a pattern of channels before it"],
    ["a b", '"b" is none of subscribe=WHO, publish=WHO, presence=off|on|joins, count=N, bytes=SIZE, age=TIME'],
    ["a subscribe=all", "subscribe: expected one of everyone, users, token, keys"],
    ["a presence=yes", "presence: expected one of off, on, joins"],
    ["presence=on", "expected a pattern of channels before it"],
    ["$user/* subscribe=users", "not for a rule to say"],
    ["$admin subscribe=everyone", "not for a rule to say"],
    ["$user/* presence=on", "has no presence"],
    ["$queue/* presence=on", "a queue has no presence"],
    ["$queue/jobs count=5", "a queue has no history"],
    ["$queue/jobs publish=users bytes=5", "a queue has no history"],
    ["$queue/* age=1h", "a queue has no history"],
    ["$queue/* subscribe=everyone", "subscribe=everyone would open a queue"],
    ["$queue/* publish=everyone", "publish=everyone would open a queue"],
    ["$queue* subscribe=users", "not for a rule to say"],
    ["$* publish=everyone", "expected users, token or keys"],
    ["$session/1-a publish=everyone", "expected users, token or keys"],
    ["$admin publish=keys", "only the server publishes there"],
    ["$presence/* publish=users", "only the server publishes there"],
    ["$user publish=users", "only the server publishes there"],
    ["$users/* publish=users", "only the server publishes there"],
    ["ä count=1", "expected a pattern of channels"],
    ["a count=1 count=2", "count is given twice"],
    ["a count=x", "count: expected a whole number"],
    ["a count=-1", "count: expected a whole number"],
    ["a count=", "count: expected a whole number"],
    ["a count", "count: expected a whole number"],
    ["a count=1000001", "count: must be at most 1000000"],
    ["a bytes=64kb", "bytes: expected a size"],
    ["a bytes=2GiB", "bytes: must be at most 1GiB"],
    ["a age=soon", "age: expected a duration"],
    ["a age=9000h", "age: must be at most 2000000s"],
    ["a __proto__=1", '"__proto__=1" is none of'],
  ];
  for (const [rule, reason] of cases) {
    const message = refusal({ file: { rule: [rule] } });
    assertStringIncludes(message, '"rule" in gong.json');
    assertStringIncludes(message, reason);
  }
});

Deno.test("parseApiKey() takes a key apart, and never repeats it in an error", () => {
  assertEquals(parseApiKey(SECRET), { name: "default", scopes: ["publish", "admin", "stats"], secret: SECRET });
  assertEquals(parseApiKey("app.1:publish+stats:a:b:c"), {
    name: "app.1",
    scopes: ["publish", "stats"],
    secret: "a:b:c",
  });
  const bad = ["", "hunter2:x", "hunter2:hunter2:x", "a:publish+:hunter2", "a:publish:", "a:publish:hunter2,x", ":::"];
  for (const text of [...bad, "hunter2 x", "hunter2\n", "x".repeat(257), `${"x".repeat(65)}:publish:hunter2`]) {
    const { message } = assertThrows(() => parseApiKey(text), SyntaxError);
    assert(!message.includes("hunter2"), message);
  }
});

Deno.test("resolveConfig() refuses short secrets unless dev, and equal names or secrets", () => {
  const key = (...keys: string[]) => ({ args: keys.map((text) => `--api-key=${text}`) });
  assertEquals(load(key(`app:publish:${SECRET}`, `ops:admin+stats:${OTHER}`)).apiKey.length, 2);
  // Old and new beside each other, while clients change over.
  assertEquals(load(key(SECRET, OTHER)).apiKey, [SECRET, OTHER]);
  assertEquals(load({ args: ["--dev", "--api-key", "short"] }).apiKey, ["short"]);
  assertEquals(refusal(key("hunter2")), "--api-key: the secret of key default has fewer than 16 characters");
  assertStringIncludes(refusal(key(`a:publish:${SECRET}`, `a:admin:${OTHER}`)), "two keys of the name a");
  assertStringIncludes(refusal(key(`a:publish:${SECRET}`, `b:admin:${SECRET}`)), "has the secret of another");
  const bad = [
    "hunter2hunter2é",
    "a:hunter2hunter2hu",
    "hunter2:all:hunter2hunter2",
    "a b:publish:hunter2hunter2",
    ":",
  ];
  for (const text of bad) {
    const message = refusal(key(text));
    assertStringIncludes(message, "--api-key: ");
    assert(!message.includes("hunter2"), message);
  }
});

Deno.test("resolveConfig() adds the keys of --api-key-file, without comments and empty lines", () => {
  const keys = `# ours\n\n  ${SECRET}  # old\r\napp:publish:${OTHER}#1\n`;
  const args = ["--api-key-file", "keys"];
  const { config, sources } = resolve({ args, files: { keys } });
  assertEquals(config.apiKey, [SECRET, `app:publish:${OTHER}#1`]);
  assertEquals(sources.get("apiKey"), "--api-key-file");
  const third = "third-key-of-them-all";
  assertEquals(load({ args, env: { GONG_API_KEY: third }, files: { keys } }).apiKey.length, 3);
  assertStringIncludes(refusal({ args }), "--api-key-file: there is no file keys");
  assertStringIncludes(refusal({ args, files: { keys: "# none\n" } }), "--api-key-file: keys has no key in it");
  const message = refusal({ args, files: { keys: `${SECRET}\n\nhunter2 hunter2` } });
  assertStringIncludes(message, "--api-key-file: keys, line 3: ");
  assert(!message.includes("hunter2"), message);
});

Deno.test("defaultConfig() freezes deeply", () => {
  for (const config of [defaultConfig({ dev: true }), load({ args: ["--path", "/x"] })]) {
    assert(Object.isFrozen(config));
    for (const value of Object.values(config)) assert(Object.isFrozen(value));
  }
  // The defaults in the table are frozen with it; the next configuration has them all the same.
  assertEquals(defaultConfig().publicChannels, ["broadcast"]);
});

Deno.test("maskConfig() masks secrets of keys and passwords in URLs, and nothing else", () => {
  const config = defaultConfig({ apiKey: [SECRET, `app:publish+stats:${OTHER}`], publicUrl: "https://p.example.com" });
  assertEquals(maskConfig(defaultConfig({ tokenSecret: [`app:admin:${SIGNER}`] })).tokenSecret, ["***"]);
  assertEquals(maskConfig(defaultConfig({ sentinelUser: "gong:watch" })).sentinelUser, "***");
  const masked = maskConfig({ ...config, broker: "redis://:p@ss/w:rd@host:6379?x=1" });
  assertEquals(masked.apiKey, ["***", "app:publish+stats:***"]);
  assertEquals(masked.broker, "redis://:***@host:6379?x=1");
  assertEquals(masked, { ...config, apiKey: masked.apiKey, broker: masked.broker });
});

Deno.test("optionsHelp() and optionsTable() have every option with its default", () => {
  const help = optionsHelp();
  const rows = optionsTable().trimEnd().split("\n");
  assertEquals(rows.length, OPTIONS.length + 3);
  for (const { flag, env } of OPTIONS) {
    assertMatch(help, new RegExp(`^  --${flag}( |$)`, "m"));
    assertEquals(rows.filter((row) => row.includes(`\`${env}\``)).length, 1, env);
  }
  for (const row of rows) assertEquals(row.split(/(?<!\\)\|/).length, 7, row);
  assert(help.split("\n").every((line) => line.length <= 100));
  assertMatch(help, /--max-message SIZE .*\n?.*Default:\s+64KiB\./);
});

Deno.test("resolveConfig() sees misspelt variables under the permissions of deno.json, and reads no others", async () => {
  const config = new URL("../lib/config.ts", import.meta.url).href;
  const code = `
    import { loadConfig } from "${config}";
    const env = { get: (name) => Deno.env.get(name), toObject: () => Deno.env.toObject() };
    try {
      console.log(loadConfig([], env, () => "").port);
      console.log(Object.keys(Deno.env.toObject()).sort().join());
    } catch (error) {
      console.log(error.message);
    }`;
  const refused = "GONG_PROT: there is no such setting; the nearest is GONG_PORT";
  const cases: [string[], Record<string, string>, RegExp][] = [
    [["-P"], { GONG_PORT: "81" }, /^81\nGONG_PORT,NO_COLOR$/],
    [["-P"], { GONG_PROT: "81" }, new RegExp(`^${refused}$`)],
    [["--allow-env=GONG_*"], { GONG_PORT: "81", GONG_PROT: "82" }, /^81\nRequires env access/],
  ];
  const root = new URL("../", import.meta.url).pathname;
  for (const [permissions, env, output] of cases) {
    const args = ["--no-lock", "--no-check", "--quiet", "--no-prompt", `--allow-read=${root}`, ...permissions];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", ...args, "--config", `${root}deno.json`, "--ext=ts", "-"],
      env: { ...env, NO_COLOR: "1", OTHER: "1" },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(code));
    await writer.close();
    const { stdout } = await child.output();
    assertMatch(new TextDecoder().decode(stdout).trim(), output);
  }
});
