import { assert, assertEquals, assertMatch } from "@std/assert";
import { createPages } from "../lib/pages.ts";

const STATIC = new URL("../static/", import.meta.url);
const pages = createPages({ config: { dev: false } });

function ask(path: string, init?: RequestInit): Promise<Response | undefined> {
  const url = new URL(path, "http://localhost");
  return pages(new Request(url, init), url);
}

async function get(path: string, init?: RequestInit): Promise<Response> {
  const response = await ask(path, init);
  assert(response !== undefined, `${path} is not answered`);
  return response;
}

/** The pages. */
const HTML = ["/", "/admin", "/static/chat.html", "/static/stomp.html"];
/** The client of Socket.IO, which is another's. */
const VENDORED = "/static/socket.io.min.js";
/** Where servers of Socket.IO have it. */
const USUAL = ["/socket.io/socket.io.js", "/socket.io/socket.io.min.js"];

/** Paths of every file below `static/`, and of the pages. */
function paths(): string[] {
  const files = [...Deno.readDirSync(STATIC)].map(({ name }) => name).filter((name) => !name.endsWith(".html"));
  return [...HTML, ...files.map((name) => `/static/${name}`), "/gong.js", "/gong.d.ts"];
}

/** A client, ours or that of Socket.IO, which pages of others load. Ours is at the root too. */
function isClient(path: string): boolean {
  return /\bgong\.(js|d\.ts)$/.test(path) || path.includes("socket.io");
}

/** What the text of a page or script loads, as absolute paths. */
function loads(path: string, text: string): string[] {
  const base = new URL(path, "http://localhost");
  return [...text.matchAll(/\b(?:src|href)="([^"]+)"|^import .* from "([^"]+)"/gm)]
    .map(([, attribute, module]) => new URL(attribute ?? module!, base).pathname);
}

Deno.test("createPages() serves every file of static/ with its type", async () => {
  const types: Record<string, string> = {
    html: "text/html; charset=utf-8",
    js: "text/javascript; charset=utf-8",
    css: "text/css; charset=utf-8",
    svg: "image/svg+xml",
    ts: "application/typescript; charset=utf-8",
  };
  for (const path of paths()) {
    const response = await get(path);
    const extension = path.includes(".") ? path.split(".").at(-1)! : "html";
    assertEquals([response.status, response.headers.get("content-type")], [200, types[extension]], path);
    const bytes = await response.bytes();
    assertEquals(response.headers.get("content-length"), String(bytes.length), path);
    const file = path.replace(/^\/(static\/)?/, "");
    if (file.includes(".")) assertEquals(bytes, await Deno.readFile(new URL(file, STATIC)), path);
  }
});

Deno.test("createPages() serves whatever the pages load, and they load nothing else", async () => {
  for (const path of paths()) {
    const text = await (await get(path)).text();
    for (const loaded of loads(path, text)) assertEquals((await get(loaded)).status, 200, `${loaded}, from ${path}`);
    // What is in a comment is loaded by nobody.
    if (path === VENDORED) continue;
    const code = isClient(path) ? text.replace(/^\/\*\*[\s\S]*?\*\//gm, "") : text;
    assertEquals(code.match(/\b(?:https?:)?\/\/(?!www\.w3\.org\/2000\/svg)[\w-]+\./g), null, `an address in ${path}`);
  }
});

Deno.test("createPages() gives every answer the strict policy", async () => {
  for (const path of [...paths(), "/favicon.ico", "/admin/"]) {
    const { headers } = await get(path);
    const policy = new Map(
      headers.get("content-security-policy")!.split("; ").map((directive) => {
        const [name, ...values] = directive.split(" ");
        return [name!, values.join(" ")];
      }),
    );
    assertEquals(Object.fromEntries(policy), {
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "img-src": "'self'",
      "connect-src": "'self'",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    }, path);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("cross-origin-opener-policy"), "same-origin");
    assertMatch(headers.get("permissions-policy")!, /\bgeolocation=\(\)/);
  }
});

Deno.test("the pages have nothing inline that the policy would have to allow", async () => {
  for (const path of HTML) {
    const text = await (await get(path)).text();
    assertEquals(text.match(/<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)/gi), null, path);
  }
  for (const path of paths().filter((path) => path.endsWith(".js") && path !== VENDORED)) {
    const text = await (await get(path)).text();
    assertEquals(
      text.match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/g),
      null,
      path,
    );
  }
});

Deno.test("createPages() has the browser revalidate files by their tag, and never store the admin page", async () => {
  const first = await get("/static/style.css");
  const tag = first.headers.get("etag")!;
  assertMatch(tag, /^"[^"]+"$/);
  assertEquals(first.headers.get("cache-control"), "no-cache");
  const second = await get("/static/style.css", { headers: { "if-none-match": `W/${tag}, "other"` } });
  assertEquals([second.status, second.headers.get("etag"), await second.text()], [304, tag, ""]);
  assertEquals(second.headers.get("content-security-policy"), first.headers.get("content-security-policy"));
  assertEquals((await get("/static/style.css", { headers: { "if-none-match": '"other"' } })).status, 200);

  const admin = await get("/admin", { headers: { "if-none-match": "*" } });
  assertEquals([admin.status, admin.headers.get("cache-control"), admin.headers.get("etag")], [200, "no-store", null]);
  await admin.body?.cancel();
});

Deno.test("createPages() answers HEAD without a body, and other methods with 405", async () => {
  for (const path of ["/", "/admin", "/static/push.js"]) {
    const head = await get(path, { method: "HEAD" });
    const { headers } = await get(path);
    assertEquals([head.status, head.body], [200, null], path);
    assertEquals([...head.headers], [...headers], path);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await get(path, { method });
      assertEquals([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"], `${method} ${path}`);
      assertEquals((await refused.json()).code, "method_not_allowed");
    }
  }
});

Deno.test("createPages() leaves every path that is not on its list to others", async () => {
  const foreign = [
    "/index.html",
    "/static/",
    "/static",
    "/static/index.html",
    "/static/admin.html",
    "/static/../lib/pages.ts",
    "/static/..%2flib%2fpages.ts",
    "/static/%2e%2e/deno.json",
    "/static/....//deno.json",
    "/static/push.js/",
    "/static/push.js%00.css",
    "/static//push.js",
    "/STATIC/push.js",
    "/admin/login",
    "/__proto__",
    "/push",
  ];
  for (const path of foreign) assertEquals(await ask(path), undefined, path);
});

Deno.test("createPages() sends /admin/ to /admin by a relative address", async () => {
  const response = await get("/admin/");
  assertEquals([response.status, response.headers.get("location")], [308, "../admin"]);
  assertEquals(new URL(response.headers.get("location")!, "http://localhost/admin/").pathname, "/admin");
});

Deno.test("createPages() reads a file once, and anew for each request in development", async () => {
  const counts = new Map<boolean, number>();
  const original = Deno.readFile;
  try {
    for (const dev of [false, true]) {
      let reads = 0;
      Deno.readFile = (...args) => (reads++, original(...args));
      const serve = createPages({ config: { dev } });
      const url = new URL("http://localhost/static/text.js");
      for (let time = 0; time < 3; time++) await (await serve(new Request(url), url))!.bytes();
      counts.set(dev, reads);
    }
  } finally {
    Deno.readFile = original;
  }
  assertEquals([...counts], [[false, 1], [true, 3]]);
});

Deno.test("createPages() does not remember a read that failed", async () => {
  const original = Deno.readFile;
  const serve = createPages({ config: { dev: false } });
  const url = new URL("http://localhost/static/text.js");
  try {
    Deno.readFile = () => Promise.reject(new Error("no descriptor is free"));
    const failed = await serve(new Request(url), url).catch((error: Error) => error.message);
    assertEquals(failed, "no descriptor is free");
  } finally {
    Deno.readFile = original;
  }
  assertEquals((await serve(new Request(url), url))?.status, 200);
});

Deno.test("createPages() gives the clients to pages of every origin, and nothing else", async () => {
  for (const path of [...paths(), ...USUAL, "/favicon.ico"]) {
    const { headers } = await get(path);
    const allowed = [headers.get("access-control-allow-origin"), headers.get("cross-origin-resource-policy")];
    assertEquals(allowed, isClient(path) ? ["*", "cross-origin"] : [null, "same-origin"], path);
    assertEquals(headers.get("access-control-allow-credentials"), null, path);
  }
  assertEquals((await get("/gong.js")).headers.get("x-typescript-types"), "./gong.d.ts");
});

Deno.test("createPages() serves the client of Socket.IO as its package has it, where servers of Socket.IO do", async () => {
  // The package is there once it is imported; its name leads to `build/esm-debug/index.js`.
  await import("socket.io-client");
  const expected = await Deno.readFile(new URL("../../dist/socket.io.min.js", import.meta.resolve("socket.io-client")));
  const tags = new Set<string | null>();
  for (const path of [VENDORED, ...USUAL]) {
    const response = await get(path);
    assertEquals(response.headers.get("content-type"), "text/javascript; charset=utf-8", path);
    assertEquals(await response.bytes(), expected, path);
    tags.add(response.headers.get("etag"));
  }
  assertEquals(tags.size, 1);
  const known = await get(USUAL[0]!, { headers: { "if-none-match": [...tags][0]! } });
  assertEquals(known.status, 304);
  assertEquals(await ask("/socket.io/"), undefined);
});
