/**
 * The nginx of `deploy/nginx.conf`, with ports and paths of a test.
 *
 * @module
 */
import { adaptFile, CERTIFICATE, freePort, type Front, startFront } from "./front.ts";
import { findProgram, programTest } from "./programs.ts";

/** A test that needs nginx. */
export function nginxTest(name: string, run: () => Promise<void>): void {
  programTest("nginx", name, run);
}

/** What of the file a test changes beside ports and paths: what it would wait for too long. */
export type Words = readonly (readonly [RegExp, string])[];

/** The file in a folder of its own, for nodes on these ports. */
export async function writeNginx(nodes: readonly [number, number], words: Words = []) {
  const dir = await Deno.makeTempDir({ prefix: "gong-nginx-" });
  const port = freePort();
  const file = await adaptFile("nginx.conf", [
    [/gong-1:8998/g, `127.0.0.1:${nodes[0]}`],
    [/gong-2:8998/g, `127.0.0.1:${nodes[1]}`],
    [/listen 443 /g, `listen 127.0.0.1:${port} `],
    [/server_name push\.example\.com;/, "server_name localhost;"],
    [/\/etc\/nginx\/tls\/push\.pem/, CERTIFICATE.cert],
    [/\/etc\/nginx\/tls\/push\.key/, CERTIFICATE.key],
    [/\/var\/log\/nginx/g, dir],
    [/\/run\/nginx\.pid/, `${dir}/pid`],
    ...words,
  ]);
  await Deno.writeTextFile(`${dir}/nginx.conf`, file);
  return { dir, port, args: ["-p", dir, "-c", `${dir}/nginx.conf`, "-e", "stderr"] };
}

/** Starts it in front of nodes on these ports. */
export async function startNginx(nodes: readonly [number, number], words: Words = []): Promise<Front> {
  const { dir, port, args } = await writeNginx(nodes, words);
  const read = (name: string) => Deno.readTextFile(`${dir}/${name}`);
  return startFront({
    ...{ name: "nginx", port, dir },
    args: [...args, "-g", "daemon off;"],
    log: async () => await read("access.log") + await read("error.log"),
  });
}

/** Whether nginx takes the file, and what it says about it. */
export async function testNginx(
  nodes: readonly [number, number],
): Promise<{ readonly success: boolean; said: string }> {
  const { dir, args } = await writeNginx(nodes);
  try {
    const command = new Deno.Command(findProgram("nginx") ?? "nginx", { args: [...args, "-t"], stdin: "null" });
    const { success, stderr } = await command.output();
    return { success, said: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
