import { assert, assertEquals } from "@std/assert";
import { startCluster } from "../support/cluster.ts";
import { haproxyTest, startHaproxy, testHaproxy } from "../support/haproxy.ts";
import { publish } from "../support/publish.ts";
import {
  connectThrough,
  dieAndResume,
  nextLine,
  portsOf,
  PROXIED,
  stopBehind,
  talkAnywhere,
  trust,
} from "./through.ts";
import { until } from "../support/until.ts";

haproxyTest("HAProxy takes deploy/haproxy.cfg, and has nothing to warn of", async () => {
  const { code, said } = await testHaproxy([8998, 8999]);
  assertEquals(code, 0, said);
  assert(!said.includes("[WARNING]"), said);
});

haproxyTest("HAProxy hands on the doors, and neither large bodies, other paths nor tokens to its log", async () => {
  await using cluster = await startCluster({ args: PROXIED });
  await using haproxy = await startHaproxy(portsOf(cluster));
  using client = trust();
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${haproxy.url}${path}`, { ...init, client });
    await response.body?.cancel();
    return response.status;
  };
  await using heard = await connectThrough(haproxy, "/push?format=json&channel=a");
  await publish(cluster.nodes[0]!, [{ channel: "a", data: "hello" }]);
  assertEquals(JSON.parse(await nextLine(heard)).data, "hello");
  for (const path of ["/admin", "/api/stats", "/metrics", "/ready"]) assertEquals([path, await ask(path)], [path, 404]);
  const polling = "/socket.io/?EIO=4&transport=polling";
  assertEquals(await ask(polling, { method: "POST", body: "4".repeat(110_000) }), 413);
  assertEquals(await ask("/poll?channel=a&timeout=0&token=secret-of-somebody"), 401);
  await until(async () => (await haproxy.log()).includes('"path":"/poll"'), () => haproxy.log());
  const log = await haproxy.log();
  assert(!log.includes("secret-of-somebody"), log);
});

haproxyTest(
  "clients of Socket.IO reach either node through HAProxy with each request, and are none the worse for it",
  async () => {
    await using cluster = await startCluster({ args: PROXIED });
    await using haproxy = await startHaproxy(portsOf(cluster));
    await talkAnywhere(cluster, haproxy);
  },
);

haproxyTest(
  "a node that is killed costs its clients one reconnect through HAProxy, and nothing that was acknowledged",
  async () => {
    await dieAndResume(startHaproxy);
  },
);

haproxyTest(
  "a node that ends behind HAProxy ends nobody's session of Socket.IO but its own, which go on at the other",
  async () => {
    await stopBehind(startHaproxy);
  },
);
