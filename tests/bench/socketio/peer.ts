/**
 * npm `socket.io` on Node. It is installed when it is first needed, into the user's folder of caches.
 *
 * @module
 */
import { type Peer, startChild } from "../peers.ts";

/** The version that Gong is measured beside. */
export const VERSION = "4.8.4";

const SERVER = new URL("./server.mjs", import.meta.url).pathname;

/** What is missing on this machine, if anything. */
export function missingNode(): string | undefined {
  for (const program of ["node", "npm"]) {
    try {
      new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    } catch {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

/**
 * @param options `recovery`: clients can come back to what they missed; `collects`: its figures are those after a
 * collection of garbage
 */
export async function startSocketio(
  { recovery = false, collects = false }: { recovery?: boolean; collects?: boolean } = {},
): Promise<Peer> {
  const folder = await install();
  const command = ["node", ...(collects ? ["--expose-gc"] : []), SERVER, folder, ...(recovery ? ["recovery"] : [])];
  return startChild("socket.io", command, { path: "/socket.io/", env: { NODE_ENV: "production" }, collects });
}

/** Resolves to the folder. */
async function install(): Promise<string> {
  const caches = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME")}/.cache`;
  const folder = `${caches}/gong-bench/socket.io-${VERSION}`;
  await Deno.mkdir(folder, { recursive: true });
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--prefix", folder, "--prefer-offline", "--no-audit", "--no-fund", `socket.io@${VERSION}`],
    cwd: folder,
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error(`npm cannot install socket.io: ${new TextDecoder().decode(stderr)}`);
  return folder;
}
