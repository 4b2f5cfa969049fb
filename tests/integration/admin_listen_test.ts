import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { claimPort } from "../../lib/supervisor/port_claim.ts";
import { connect } from "../support/client.ts";
import { runGong, startGong } from "../support/gong.ts";

const KEY = "listen-secret-0123456789";
const MOVED = [
  "/admin",
  "/admin/",
  "/admin/session",
  "/admin/login",
  "/api/stats",
  "/api/publish",
  "/api/nothing",
  "/metrics",
];

Deno.test("--admin-listen: admin page, API and metrics are there alone; doors, health and pages are on both", async () => {
  await using gong = await startGong(["--isolates", "2", "--admin-listen", "127.0.0.1:0", "--api-key", KEY], {
    dev: false,
  });
  const admin = String(gong.ready.adminUrl);
  assert(/^http:\/\/127\.0\.0\.1:\d+$/.test(admin) && admin !== gong.url, admin);
  const authorization = `Bearer ${KEY}`;
  for (const path of MOVED) {
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const hidden = await fetch(gong.url + path, { method, headers: { authorization } });
      const unknown = await fetch(`${gong.url}/nothing`, { method, headers: { authorization } });
      const seen = (response: Response) => [response.status, response.headers.get("content-type")];
      assertEquals([...seen(hidden), await hidden.text()], [...seen(unknown), await unknown.text()], path);
    }
  }
  const read = async (path: string) => {
    const response = await fetch(admin + path, { headers: { authorization }, redirect: "manual" });
    await response.body?.cancel();
    return response.status;
  };
  for (const path of ["/admin", "/api/stats", "/metrics", "/health", "/ready"]) {
    assertEquals(await read(path), 200, path);
  }
  for (const path of ["/health", "/ready", "/", "/static/style.css"]) {
    const response = await fetch(gong.url + path);
    await response.body?.cancel();
    assertEquals(response.status, 200, path);
  }

  await using client = await connect(`${gong.ws}/push?channel=broadcast`);
  const published = await fetch(`${admin}/api/publish`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ channel: "broadcast", data: "from elsewhere" }),
  });
  assertEquals([published.status, (await published.json()).positions.length], [200, 1]);
  assertEquals(await client.nextText(), "from elsewhere");
});

Deno.test("--admin-listen: its page logs in and hears its feed at its own address, whatever --public-url is", async () => {
  const args = ["--isolates", "1", "--admin-listen", "127.0.0.1:0", "--public-url", "https://push.example.com"];
  await using gong = await startGong([...args, "--api-key", KEY], { dev: false });
  const admin = String(gong.ready.adminUrl);
  const login = (origin: string) =>
    fetch(`${admin}/admin/login`, {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ key: KEY }),
    });
  const foreign = await login("https://evil.example.com");
  await foreign.body?.cancel();
  assertEquals(foreign.status, 403);
  const response = await login(admin);
  assertEquals(response.status, 204);
  const [cookie = ""] = (response.headers.get("set-cookie") ?? "").split(";");
  // The page has come without TLS, so that a browser would keep no `Secure` cookie.
  assert(/^gong=/.test(cookie), cookie);
  await using feed = await connect(`${admin.replace("http", "ws")}/push?format=json&channel=$admin`, {
    headers: { cookie, origin: admin },
  });
  for (;;) if ((await feed.nextText()).includes('"channel":"$admin"')) break;
});

Deno.test("--admin-listen: a port that is taken is named with its setting, and the other is free again", async () => {
  const claim = claimPort("127.0.0.1", 0);
  try {
    const { code, stderr } = await runGong([
      ...["serve", "--dev", "--port", "0", "--isolates", "1"],
      ...["--admin-listen", `127.0.0.1:${claim.port}`],
    ]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `port ${claim.port} is in use on 127.0.0.1`);
    assertStringIncludes(stderr, "--admin-listen names another");
  } finally {
    claim.release();
  }
});

Deno.test("--admin-listen: with --dev it is on loopback only, unless --dev-remote is given", async () => {
  const { code, stderr } = await runGong(["serve", "--dev", "--port", "0", "--admin-listen", "0.0.0.0:0"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--admin-listen: --dev opens everything to everybody");
});
