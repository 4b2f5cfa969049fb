/**
 * Part of the gate: imports flow one way. Fails, with one line a violation, on an import upwards, a cycle,
 * a file in no layer, and on a use of what belongs to one file alone.
 *
 * @module
 */

/** Files and folders of the program, lowest first: each imports only from the lines above it here. */
export const LAYERS: readonly string[] = [
  "lib/types.ts",
  "lib/errors.ts",
  "lib/bytes.ts",
  "lib/few_map.ts",
  "lib/multimap.ts",
  "lib/tally.ts",
  "lib/budget.ts",
  "lib/flags.ts",
  "lib/units.ts",
  "lib/timer.ts",
  "lib/lookout.ts",
  "lib/globs.ts",
  "lib/reserved.ts",
  "lib/address.ts",
  "lib/config/",
  "lib/config.ts",
  "lib/channel_rules.ts",
  "lib/version.ts",
  "lib/log/",
  "lib/log.ts",
  "lib/metrics/",
  "lib/metrics.ts",
  "lib/vitals.ts",
  "lib/when.ts",
  "lib/json.ts",
  "lib/codecs/",
  "lib/draft.ts",
  "lib/rates.ts",
  "lib/deadlines.ts",
  "lib/lately.ts",
  "lib/auth/",
  "lib/auth.ts",
  "lib/auth_live.ts",
  "lib/http/",
  "lib/brokers/",
  "lib/turn.ts",
  "lib/link.ts",
  "lib/bus.ts",
  "lib/engineio/orders.ts",
  "lib/methods.ts",
  "lib/cluster/",
  "lib/hub/",
  "lib/hub.ts",
  "lib/outbox.ts",
  "lib/periodic.ts",
  "lib/audience.ts",
  "lib/carrier.ts",
  "lib/socket.ts",
  "lib/stream.ts",
  "lib/engineio/",
  "lib/socketio/",
  "lib/door.ts",
  "lib/session/",
  "lib/session.ts",
  "lib/edge/",
  "lib/edge.ts",
  "lib/doors/",
  "lib/api/",
  "lib/api.ts",
  "lib/pages.ts",
  "lib/admin.ts",
  "lib/server.ts",
  "lib/worker.ts",
  "lib/supervisor/",
  "lib/supervisor.ts",
  "lib/cli/",
  "main.ts",
];

/** What only one file or folder may name, and why. */
const RESERVED: readonly { name: string; pattern: RegExp; allowed: (path: string) => boolean; reason: string }[] = [
  {
    name: "BroadcastChannel",
    pattern: /\bBroadcastChannel\b/,
    allowed: (path) => path === "lib/bus.ts",
    reason: "it loses messages in silence, which only lib/bus.ts makes good",
  },
  {
    name: "Deno.upgradeWebSocket",
    pattern: /\bupgradeWebSocket\b/,
    allowed: (path) => path === "lib/socket.ts",
    reason: "lib/socket.ts is the one WebSocket engine",
  },
  {
    name: "Deno",
    pattern: /\bDeno\./,
    allowed: (path) => !path.startsWith("lib/codecs/"),
    reason: "a codec is a pure function of values and bytes",
  },
];

/** A statement `import ... from "x"`, `export ... from "x"` or `import "x"`, as the formatter lays it out. */
const STATIC_IMPORT = /^(?:import|export)\b[^"';]*?["'](\.[^"']+\.ts)["']/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*["'](\.[^"']+\.ts)["']/g;

/**
 * Every violation in `files` (path from the root → text), as one sentence each.
 *
 * @param layers paths of files, or of folders with a slash at the end, lowest first; files of one folder may import
 * each other
 */
export function checkLayers(files: ReadonlyMap<string, string>, layers: readonly string[]): string[] {
  const violations: string[] = [];
  const imports = new Map<string, string[]>();
  for (const [path, text] of files) {
    const code = withoutComments(text);
    const height = layerOf(path, layers);
    imports.set(path, importsOf(path, code));
    if (height < 0) violations.push(`${path} is in no layer: name it in tests/tools/layers.ts`);
    for (const target of imports.get(path) ?? []) {
      const other = layerOf(target, layers);
      if (height >= 0 && (other > height || other === height && layers[other] === target)) {
        violations.push(`${path} imports ${target}, which is not below it`);
      }
    }
    for (const { name, pattern, allowed, reason } of RESERVED) {
      if (pattern.test(code) && !allowed(path)) violations.push(`${path} uses ${name}: ${reason}`);
    }
  }
  for (const layer of layers) {
    const there = layer.endsWith("/") ? [...files.keys()].some((path) => path.startsWith(layer)) : files.has(layer);
    if (!there) violations.push(`${layer} is a layer but is not there: take it out of tests/tools/layers.ts`);
  }
  const cycle = findCycle(imports);
  if (cycle) violations.push(`import cycle: ${cycle.join(" → ")}`);
  return violations;
}

/** Index of the layer that is `path` or contains it, the longest name first; -1 without one. */
function layerOf(path: string, layers: readonly string[]): number {
  const exact = layers.indexOf(path);
  return exact >= 0 ? exact : layers.findIndex((layer) => layer.endsWith("/") && path.startsWith(layer));
}

/** The program's own files that `code` imports. */
function importsOf(path: string, code: string): string[] {
  const found = [...code.matchAll(STATIC_IMPORT), ...code.matchAll(DYNAMIC_IMPORT)];
  const targets = found.map(([, specifier = ""]) => new URL(specifier, `file:///${path}`).pathname.slice(1));
  return [...new Set(targets)];
}

/** The text without the comments that begin a line or follow code after a space; the formatter leaves no others. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/(^|\s)\/\/ .*$/gm, "$1");
}

/** The first cycle met, its first file repeated at its end. */
function findCycle(imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  function visit(path: string): string[] | undefined {
    const at = trail.indexOf(path);
    if (at >= 0) return [...trail.slice(at), path];
    if (done.has(path)) return undefined;
    trail.push(path);
    for (const target of imports.get(path) ?? []) {
      const cycle = visit(target);
      if (cycle) return cycle;
    }
    trail.pop();
    done.add(path);
    return undefined;
  }
  for (const path of imports.keys()) {
    const cycle = visit(path);
    if (cycle) return cycle;
  }
  return undefined;
}

/** Every TypeScript file of the program below `root`, but for declarations: path from the root → text. */
async function readProgram(root: URL): Promise<Map<string, string>> {
  const files = new Map([["main.ts", await Deno.readTextFile(new URL("main.ts", root))]]);
  async function walk(folder: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
      if (isDirectory) await walk(`${folder}${name}/`);
      else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) {
        files.set(`${folder}${name}`, await Deno.readTextFile(new URL(`${folder}${name}`, root)));
      }
    }
  }
  await walk("lib/");
  return new Map([...files].sort());
}

if (import.meta.main) {
  const files = await readProgram(new URL("../../", import.meta.url));
  const violations = checkLayers(files, LAYERS);
  for (const violation of violations) console.error(`layers: ${violation}`);
  if (violations.length > 0) Deno.exit(1);
  console.log(`layers: ${files.size} files, ${LAYERS.length} layers, nothing imports upwards`);
}
