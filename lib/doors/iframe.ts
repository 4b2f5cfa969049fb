/**
 * The hidden iframe: a page that never ends, a script for each line.
 *
 * @module
 */
import { encodeCall, encodeScriptLine, escapeJson } from "../codecs/script.ts";
import { GongError } from "../errors.ts";
import type { HttpDoor } from "./http.ts";
import { createStreamDoor, toBytes } from "./stream_door.ts";

/** A path of at most five identifiers, e.g. `parent.onPush`. */
const CALLBACK = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*){0,4}$/;
const MAX_CALLBACK = 64;
/** Browsers that gather the beginning of a page before they run it have enough with so much. */
const PADDING = `<!--${" ".repeat(1024)}-->\n`;

const door = createStreamDoor({
  name: "iframe",
  codec: {
    name: "iframe",
    encode: encodeScriptLine,
    stamp: (line, cursor) => encodeCall("push", line as string, JSON.stringify(cursor)),
    pack: (calls) => toBytes(calls.join("")),
  },
  encodeLine(_type, line, cursor) {
    return encodeCall("push", escapeJson(line), ...cursor === undefined ? [] : [JSON.stringify(cursor)]);
  },
  heartbeat: "\n",
});

/** `GET /iframe?callback=parent.onPush`. */
export const iframe: HttpDoor = {
  parameters: ["callback"],
  open(call) {
    const callback = call.query.get("callback") ?? "";
    if (callback.length > MAX_CALLBACK || !CALLBACK.test(callback)) {
      throw new GongError("bad_request", "`callback` has to be a path of identifiers, e.g. `parent.onPush`.", {
        field: "callback",
      });
    }
    const policy = [
      "default-src 'none'",
      "script-src 'unsafe-inline'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      `frame-ancestors 'self' ${call.origins.join(" ")}`.trim(),
    ];
    const headers = {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      // Its own address may have a token in it.
      "referrer-policy": "no-referrer",
    };
    return call.stream(door, headers, pageOf(callback, call.options.config.ping));
  },
};

/** So many pings without even white space, and the server is gone. */
const SILENCE = 2.5;

/**
 * The beginning of the page. It is loaded again, as soon as the server answers, when it has ended: then the browser calls
 * `onload`, unless the connection broke, which no event tells. What tells it is that nothing more comes into the page.
 */
function pageOf(callback: string, ping: number): string {
  return `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>Gong</title>
<script>
let at, over = false, leaving = false, heard = Date.now();
function push(line, cursor) {
  document.currentScript?.remove();
  if (cursor) at = cursor;
  if (line.type === "close") over = !line.retry;
  ${callback}(line);
}
async function again() {
  if (leaving) return;
  leaving = true;
  const url = new URL(location.href);
  if (at) url.searchParams.set("since", at);
  for (let wait = 100 + Math.random() * 400; !over; wait = Math.min(wait * 2, 30000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const { status } = await fetch(url, { method: "HEAD" }).catch(() => ({ status: 0 }));
    if (status >= 200 && status < 500 && status !== 429) return location.replace(url);
  }
}
addEventListener("load", again);
new MutationObserver(() => heard = Date.now()).observe(document, { childList: true, characterData: true, subtree: true });
setInterval(() => Date.now() - heard > ${SILENCE * 1000 * ping} && again(), ${SILENCE * 100 * ping});
</script>
${PADDING}</head>
<body>
`;
}
