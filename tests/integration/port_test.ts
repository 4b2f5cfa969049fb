import { assertEquals, assertStringIncludes } from "@std/assert";
import { claimPort } from "../../lib/supervisor/port_claim.ts";
import { Lines } from "../support/lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** A server that may not get its port: `ready` says whether it did. */
interface Contender extends AsyncDisposable {
  readonly ready: Promise<boolean>;
  /** Resolves at its end, after that signal if any. */
  end(signal?: Deno.Signal): Promise<{ code: number; stderr: string }>;
}

function contend(port: number): Contender {
  const binary = Deno.env.get("GONG_BINARY");
  const source = ["run", "-P", "--no-prompt", "--config", `${ROOT}deno.json`, `${ROOT}main.ts`];
  const child = new Deno.Command(binary ?? Deno.execPath(), {
    args: [...binary ? [] : source, "serve", "--dev", "--isolates", "2", "--port", String(port)],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [stdout, stderr] = [new Lines(), new Lines()];
  const collected = Promise.all([stdout.collect(child.stdout), stderr.collect(child.stderr)]);
  async function end(signal?: Deno.Signal): Promise<{ code: number; stderr: string }> {
    try {
      if (signal) child.kill(signal);
    } catch {
      // Ended before.
    }
    await collected;
    return { code: (await child.status).code, stderr: stderr.text() };
  }
  return {
    ready: stdout.find((line) => line.includes('"ready"'), 30_000).then(() => true, () => false),
    end,
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
    },
  };
}

Deno.test("gong serve: of two that are started on one port at the same moment one is ready, the other exits 1", async () => {
  const claim = claimPort("127.0.0.1", 0);
  claim.release();
  await using one = contend(claim.port);
  await using other = contend(claim.port);
  const servers = [one, other];
  const ready = await Promise.all(servers.map((server) => server.ready));
  assertEquals(ready.filter(Boolean).length, 1, "servers that say that they are ready");
  const loser = await servers[ready.indexOf(false)]!.end();
  assertEquals(loser.code, 1, loser.stderr);
  assertStringIncludes(loser.stderr, `port ${claim.port} is in use`);
  const health = await fetch(`http://127.0.0.1:${claim.port}/health`);
  assertEquals([health.status, (await health.json()).status], [200, "ok"]);
  const winner = await servers[ready.indexOf(true)]!.end("SIGTERM");
  assertEquals(winner.code, 0, winner.stderr);
});
