/**
 * The HAProxy of `deploy/haproxy.cfg`, with ports and paths of a test.
 *
 * @module
 */
import { adaptFile, CERTIFICATE, freePort, type Front, startFront } from "./front.ts";
import { findProgram, programTest } from "./programs.ts";

/** A test that needs HAProxy. */
export function haproxyTest(name: string, run: () => Promise<void>): void {
  programTest("haproxy", name, run);
}

async function write(nodes: readonly [number, number]) {
  const dir = await Deno.makeTempDir({ prefix: "gong-haproxy-" });
  const port = freePort();
  const file = await adaptFile("haproxy.cfg", [
    [/gong-1:8998/g, `127.0.0.1:${nodes[0]}`],
    [/gong-2:8998/g, `127.0.0.1:${nodes[1]}`],
    [/bind :443 /, `bind 127.0.0.1:${port} `],
    [/hdr Host push\.example\.com/g, "hdr Host localhost"],
    [/\/etc\/haproxy\/tls\/push\.pem/, `${dir}/push.pem`],
    // A machine that stands still is no node that has gone.
    [/fall 3 /g, "fall 30 "],
    // As many descriptors as a test may have.
    [/maxconn 65000/, "maxconn 1000"],
    [/maxconn 64000/, "maxconn 900"],
  ]);
  const { cert, key } = CERTIFICATE;
  await Deno.writeTextFile(`${dir}/push.pem`, await Deno.readTextFile(cert) + await Deno.readTextFile(key));
  await Deno.writeTextFile(`${dir}/haproxy.cfg`, file);
  return { dir, port, file: `${dir}/haproxy.cfg` };
}

/** Starts it in front of nodes on these ports. */
export async function startHaproxy(nodes: readonly [number, number]): Promise<Front> {
  const { dir, port, file } = await write(nodes);
  return startFront({ name: "haproxy", args: ["-db", "-f", file], port, dir, log: () => Promise.resolve("") });
}

/** Whether HAProxy takes the file, and what it says about it. */
export async function testHaproxy(nodes: readonly [number, number]): Promise<{ readonly code: number; said: string }> {
  const { dir, file } = await write(nodes);
  try {
    const command = new Deno.Command(findProgram("haproxy") ?? "haproxy", { args: ["-c", "-f", file], stdin: "null" });
    const { code, stdout, stderr } = await command.output();
    return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
