/**
 * nginx with its module nchan, as Debian's `libnginx-mod-nchan` has it.
 *
 * @module
 */
import { figuresOfProcess } from "../support/load.ts";
import { freePort, type Peer } from "./peers.ts";

const MODULES = ["/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so"];
const PROGRAMS = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
/** What would be put into the folders of the system's own nginx. */
const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
/** How long it may take until it answers, in milliseconds. */
const PATIENCE = 10_000;

/** What is missing on this machine, if anything. */
export function missingNchan(): string | undefined {
  if (!findFile(PROGRAMS)) return "nginx is not installed";
  if (!findFile(MODULES)) return "nginx has no module nchan (Debian: libnginx-mod-nchan)";
  return undefined;
}

/** Starts it with so many workers; what it costs is what those do. */
export async function startNchan(workers: number): Promise<Peer> {
  const folder = await Deno.makeTempDir({ prefix: "gong-nchan-" });
  const port = freePort();
  await Deno.writeTextFile(`${folder}/nginx.conf`, configuration(workers, port));
  const child = new Deno.Command(findFile(PROGRAMS)!, {
    args: ["-p", `${folder}/`, "-c", "nginx.conf", "-e", "stderr"],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  async function stop(): Promise<void> {
    child.kill("SIGTERM");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
  try {
    await untilItListens(port);
  } catch (error) {
    await stop();
    throw error;
  }
  const pids = (await Deno.readTextFile(`/proc/${child.pid}/task/${child.pid}/children`)).trim().split(" ").map(Number);
  const all = pids.map(figuresOfProcess);
  return {
    name: "nchan",
    url: `http://127.0.0.1:${port}`,
    async figures() {
      const figures = await Promise.all(all.map((read) => read()));
      return {
        cpuSeconds: figures.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
        rss: figures.reduce((sum, { rss }) => sum + rss, 0),
      };
    },
    [Symbol.asyncDispose]: stop,
  };
}

function configuration(workers: number, port: number): string {
  return `
load_module ${findFile(MODULES)};
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes ${workers};
worker_rlimit_nofile 20000;
events {
  worker_connections 8192;
  multi_accept on;
}
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
${TEMPORARY.map((name) => `  ${name}_temp_path ${name};`).join("\n")}
  nchan_shared_memory_size 256m;
  server {
    listen 127.0.0.1:${port} backlog=4096${workers > 1 ? " reuseport" : ""};
    location = /sse {
      nchan_subscriber eventsource;
      nchan_channel_id $arg_id;
      nchan_subscriber_first_message newest;
    }
    location = /poll {
      nchan_subscriber longpoll;
      nchan_channel_id $arg_id;
      nchan_subscriber_first_message newest;
    }
    location = /publish {
      nchan_publisher http;
      nchan_channel_id $arg_id;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 10m;
    }
  }
}
`;
}

async function untilItListens(port: number): Promise<void> {
  for (const limit = performance.now() + PATIENCE;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (performance.now() >= limit) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function findFile(paths: readonly string[]): string | undefined {
  return paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
