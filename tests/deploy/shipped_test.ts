import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient } from "@redis/client";
import { OPTIONS } from "../../lib/config/options.ts";
import { connect } from "../support/client.ts";
import { startCluster } from "../support/cluster.ts";
import { findProgram } from "../support/programs.ts";
import { publish } from "../support/publish.ts";
import { redisTest, startRedis } from "../support/redis.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));

Deno.test("files of deploy/ name settings that there are", async () => {
  const settings = new Set(OPTIONS.map(({ env }) => env));
  const named: string[] = [];
  for await (const { name } of Deno.readDir(new URL("deploy/", ROOT))) {
    for (const [env] of (await read(`deploy/${name}`)).matchAll(/GONG_[A-Z_]+/g)) named.push(env);
  }
  assert(named.length > 8);
  assertEquals(named.filter((env) => !settings.has(env)), []);
});

Deno.test("flags that files of deploy/ and the runbook name are flags", async () => {
  const flags = new Set(OPTIONS.map(({ flag }) => flag));
  for (const path of ["deploy/nginx.conf", "deploy/haproxy.cfg", "deploy/compose.yaml", "docs/runbook.md"]) {
    // In prose, or after `gong serve`: options of other programs stand elsewhere.
    for (const [, flag = ""] of (await read(path)).matchAll(/(?:^|[\s(`,])--([a-z][a-z-]+)/g)) {
      assert(flags.has(flag) || OF_OTHERS.has(flag), `${path}: --${flag}`);
    }
  }
});

/** Of docker, curl, journalctl, redis-server, redis-cli and the commands of Gong. */
const OF_OTHERS = new Set(
  ("action askpass build channel cluster inspect json no-log-prefix no-raw since user " +
    "aclfile appendonly appendfsync maxmemory maxmemory-policy").split(" "),
);

Deno.test("deploy/Dockerfile builds with the Deno that the README names", async () => {
  const [, named] = /^npx -y deno@([\d.]+) /m.exec(await read("README.md")) ?? [];
  const [, built] = /^ARG DENO_VERSION=([\d.]+)$/m.exec(await read("deploy/Dockerfile")) ?? [];
  assert(named !== undefined);
  assertEquals(built, named);
});

Deno.test("how long the service and the containers may take to stop is longer than --drain", async () => {
  const drain = OPTIONS.find(({ flag }) => flag === "drain")!.default as number;
  const [, service] = /^TimeoutStopSec=(\d+)s$/m.exec(await read("deploy/gong.service")) ?? [];
  const [, container] = /^ {2}stop_grace_period: (\d+)s$/m.exec(await read("deploy/compose.yaml")) ?? [];
  for (const seconds of [service, container]) assert(Number(seconds) >= drain + 10, `${seconds} s`);
});

Deno.test({
  name: "systemd understands every line of deploy/gong.service",
  // It comes with an init: where that is another there is none to be had.
  ignore: findProgram("systemd-analyze") === undefined,
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "gong-unit-" });
    const unit = (await read("deploy/gong.service")).replaceAll("/usr/local/bin/gong", "/bin/true");
    await Deno.writeTextFile(`${dir}/gong.service`, unit);
    try {
      const command = new Deno.Command("systemd-analyze", { args: ["verify", `${dir}/gong.service`], stdin: "null" });
      const { success, stderr } = await command.output();
      const said = new TextDecoder().decode(stderr);
      assert(success && !said.includes("gong.service"), said);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

redisTest("the user of deploy/redis.acl may do all that two nodes ask of Redis, and no more", async () => {
  const dir = await Deno.makeTempDir({ prefix: "gong-acl-" });
  await Deno.writeTextFile(`${dir}/redis.acl`, await read("deploy/redis.acl"));
  try {
    await using redis = await startRedis({ args: ["--aclfile", `${dir}/redis.acl`] });
    const url = `redis://gong:change-this-password@127.0.0.1:${redis.port}`;
    await using cluster = await startCluster({ redis, url, args: ["--rule", "a presence=joins"] });
    const [one, other] = cluster.nodes;
    await using heard = await connect(`${other!.ws}/push?channel=a&user=1`);
    await publish(one!, [{ channel: "a", data: "hello", id: "1" }]);
    assertEquals(await heard.nextText(), "hello");
    const order = { id: "tea", in: 0.1, channel: "a", data: "tea" };
    const made = await fetch(`${one!.url}/api/schedules`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(order),
    });
    assertEquals(made.ok, true, await made.text());
    assertEquals(await heard.nextText(), "tea");
    for (const command of [["GET", "other"], ["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"]]) {
      await assertRejects(() => ask(url, command), Error, "NOPERM");
    }
    for (const node of cluster.nodes) assert(!/NOPERM|permission/i.test(node.output()), node.output());
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** One command, as the user of the URL. */
async function ask(url: string, command: string[]): Promise<unknown> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  client.on("error", () => {});
  await client.connect();
  try {
    return await client.sendCommand(command);
  } finally {
    client.destroy();
  }
}

Deno.test("deploy/redis.acl has the rights that the README names", async () => {
  const rightsIn = (text: string) => Array.from(text.matchAll(/ (\+\S+)/g), ([, right]) => right).sort();
  const [line = ""] = /^ACL SETUSER gong .*$/m.exec(await read("README.md")) ?? [];
  assert(rightsIn(line).length > 20);
  assertEquals(rightsIn(await read("deploy/redis.acl")), rightsIn(line));
});

Deno.test("deploy/redis.acl allows every command that is called inside of Redis", async () => {
  const allowed = new Set(Array.from((await read("deploy/redis.acl")).matchAll(/\+([a-z|]+)/g), ([, name]) => name));
  const called: string[] = [];
  const folder = "lib/brokers/redis/functions";
  for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
    const source = await read(`${folder}/${name}`);
    for (const [, command] of source.matchAll(/redis\.p?call\(\s*['"]([A-Z]+)['"]/g)) {
      called.push(command!.toLowerCase());
    }
  }
  assert(called.length > 20);
  assertEquals([...new Set(called)].filter((command) => !allowed.has(command)), []);
});
