import { assertEquals } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";
import { createSuite } from "./suite.ts";

const suite = createSuite();
const WAYS = [["polling"], ["websocket"], ["polling", "websocket"]] as const;

/**
 * Runs in the page: connects, emits an event, and tells what it is acknowledged with, or why it is not. It stays connected:
 * a GET that is overtaken by the POST that says goodbye finds no session, which the browser reports.
 */
function talk(
  { url, transports, headers }: {
    readonly url: string;
    readonly transports: readonly string[];
    readonly headers: Readonly<Record<string, string>>;
  },
): Promise<unknown> {
  // deno-lint-ignore no-explicit-any
  const socket = (globalThis as any).io(`${url}/a`, {
    ...{ transports, withCredentials: true, reconnection: false, extraHeaders: headers },
  });
  return new Promise((resolve) => {
    socket.on("connect_error", (error: Error) => resolve(error.message));
    socket.emit("hello", (answer: { offset?: number; error?: unknown }) => {
      resolve(answer.error ?? answer.offset! > 0);
    });
  });
}

for (const transports of WAYS) {
  suite.test(`a page of another origin talks by ${transports.join(" and ")} if that origin is allowed, with its cookie`, async ({ visit, use }) => {
    const site = use(Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      return new Response("<!DOCTYPE html><title>elsewhere</title>", { headers: { "content-type": "text/html" } });
    }));
    const origin = `http://127.0.0.1:${site.addr.port}`;
    const rules = ["--rule", "a subscribe=users publish=users", "--token-cookie", "who"];
    const env = { GONG_TOKEN_SECRET: TOKEN_SECRET };
    const settings = ["--isolates", "2", ...rules];
    const gong = use(await startGong([...settings, "--allow-origin", origin], { dev: false, env }));
    const page = await visit(origin);
    await page.addScriptTag({ url: `${gong.url}/socket.io/socket.io.js` });
    // Cookies know no ports.
    await page.context().addCookies([{ name: "who", value: signToken({ sub: "42" }), url: origin }]);
    assertEquals(await page.evaluate(talk, { url: gong.url, transports, headers: {} }), true);
    // One that a page may send only after it has asked.
    await page.context().clearCookies();
    if (transports[0] === "polling") {
      const headers = { authorization: `Bearer ${signToken({ sub: "43" })}` };
      assertEquals(await page.evaluate(talk, { url: gong.url, transports, headers }), true);
    }

    const strict = use(await startGong(settings, { dev: false, env }));
    const other = await visit(origin, { expected: /CORS|net::ERR_|403|WebSocket connection/ });
    await other.addScriptTag({ url: `${gong.url}/socket.io/socket.io.js` });
    const error = await other.evaluate(talk, { url: strict.url, transports, headers: {} });
    assertEquals(error, transports[0] === "polling" ? "xhr poll error" : "websocket error");
  });
}
