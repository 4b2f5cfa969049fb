/**
 * The pages: a fixed list of files from `static/`, each under the same strict policy.
 *
 * @module
 */
import { eTag, ifNoneMatch } from "@std/http/etag";
import type { Config } from "./config.ts";
import { GongError } from "./errors.ts";
import { problem } from "./http/problem.ts";

/** What {@linkcode createPages} needs. */
export interface PagesOptions {
  /** With `dev` each request reads its file anew, so that an edit shows at the next reload. */
  readonly config: Pick<Config, "dev">;
}

/** Path of a page → its file. No other path reaches the file system. */
const PAGES: ReadonlyMap<string, string> = new Map([
  ["/", "index.html"],
  ["/admin", "admin.html"],
  ...[
    "admin.css",
    "admin.js",
    "api.js",
    "broadcast.js",
    "chat.css",
    "chat.html",
    "chat.js",
    "chat_panel.js",
    "compose.js",
    "confirm.js",
    "connections.js",
    "favicon.svg",
    "feed.js",
    "figures.js",
    "gong.d.ts",
    "gong.js",
    "instants.js",
    "messages.js",
    "notify.js",
    "paging.js",
    "presence.js",
    "push.css",
    "push.js",
    "recent.js",
    "schedule_form.js",
    "schedules.js",
    "send.js",
    "socket.io.min.js",
    "stomp.css",
    "stomp.html",
    "stomp.js",
    "stomp_client.js",
    "stomp_codec.js",
    "stomp_log.js",
    "style.css",
    "text.js",
    "trace.js",
    "users.js",
    "views.js",
  ].map((file): [string, string] => [`/static/${file}`, file]),
  ["/favicon.ico", "favicon.svg"],
  ["/gong.js", "gong.js"],
  ["/gong.d.ts", "gong.d.ts"],
  // Where servers of Socket.IO have their client: pages name it so.
  ["/socket.io/socket.io.js", "socket.io.min.js"],
  ["/socket.io/socket.io.min.js", "socket.io.min.js"],
]);

/**
 * The clients are for pages of any origin, and have nothing in them that is anybody's. Where the types of ours are, Deno
 * is told by `X-TypeScript-Types`; TypeScript finds them beside it.
 */
const PUBLIC: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map(
  ["gong.js", "gong.d.ts", "socket.io.min.js"].map((file) => [file, {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    ...(file === "gong.js" ? { "x-typescript-types": "./gong.d.ts" } : {}),
  }]),
);

const TYPES: ReadonlyMap<string, string> = new Map([
  ["html", "text/html; charset=utf-8"],
  ["js", "text/javascript; charset=utf-8"],
  ["css", "text/css; charset=utf-8"],
  ["svg", "image/svg+xml"],
  ["ts", "application/typescript; charset=utf-8"],
]);

/**
 * `connect-src 'self'` covers WebSockets of the own host (Content Security Policy Level 3, section 6.7.2.8: the scheme
 * part matches `ws` where `http` is meant). Forms are sent by script only, so that a key can never end in a URL.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const SECURITY = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": ["camera", "display-capture", "geolocation", "microphone", "payment", "usb"]
    .map((feature) => `${feature}=()`).join(", "),
};

interface Content {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly tag: string;
}

/**
 * Answers the paths of the pages and of what they load; `undefined` for every other path.
 *
 * Each file has an `ETag` and is revalidated at each use; the admin page itself is never stored.
 */
export function createPages({ config }: PagesOptions): (request: Request, url: URL) => Promise<Response | undefined> {
  const cache = new Map<string, Promise<Content>>();

  function content(file: string): Promise<Content> {
    const known = config.dev ? undefined : cache.get(file);
    if (known !== undefined) return known;
    const read = readContent(file);
    cache.set(file, read);
    // One failed read (no descriptor free, say) is not the answer for ever.
    read.catch(() => cache.delete(file));
    return read;
  }

  return async (request, url) => {
    if (url.pathname === "/admin/") return redirect("../admin");
    const file = PAGES.get(url.pathname);
    if (file === undefined) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return problem(new GongError("method_not_allowed"), { allow: ["GET", "HEAD"] });
    }
    const { bytes, tag } = await content(file);
    const headers = new Headers({ ...SECURITY, ...PUBLIC.get(file), "content-type": typeOf(file) });
    if (url.pathname === "/admin") headers.set("cache-control", "no-store");
    else {
      headers.set("cache-control", "no-cache");
      headers.set("etag", tag);
      if (!ifNoneMatch(request.headers.get("if-none-match"), tag)) return new Response(null, { status: 304, headers });
    }
    headers.set("content-length", String(bytes.length));
    return new Response(request.method === "HEAD" ? null : bytes, { headers });
  };
}

/** Beside this module, so that it is found in the source tree and inside a compiled binary alike. */
async function readContent(file: string): Promise<Content> {
  const bytes = await Deno.readFile(new URL(`../static/${file}`, import.meta.url));
  return { bytes, tag: await eTag(bytes) };
}

function typeOf(file: string): string {
  return TYPES.get(file.slice(file.lastIndexOf(".") + 1)) ?? "application/octet-stream";
}

/** Relative, since a proxy may serve us under a path of its own. */
function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { ...SECURITY, location } });
}
