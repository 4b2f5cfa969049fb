import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/flags.ts";
import { DEFAULT_HTTP_URL, DEFAULT_WS_URL, parseHttpUrl, parseWsUrl } from "../../lib/cli/ws_url.ts";

const COMPLETED: readonly [string, string][] = [
  [DEFAULT_WS_URL, "ws://127.0.0.1:8998/push"],
  ["", "ws://127.0.0.1/push"],
  ["ws://", "ws://127.0.0.1/push"],
  ["wss://", "wss://127.0.0.1/push"],
  [":8998", "ws://127.0.0.1:8998/push"],
  ["ws://:8998", "ws://127.0.0.1:8998/push"],
  ["ws://:8998/chat", "ws://127.0.0.1:8998/chat"],
  ["ws:///chat", "ws://127.0.0.1/chat"],
  ["/chat", "ws://127.0.0.1/chat"],
  ["//example.com/chat", "ws://example.com/chat"],
  ["localhost:8998", "ws://localhost:8998/push"],
  ["example.com", "ws://example.com/push"],
  ["example.com/", "ws://example.com/"],
  ["example.com?channel=a", "ws://example.com/push?channel=a"],
  ["wss://example.com/push/?channel=a&channel=b", "wss://example.com/push/?channel=a&channel=b"],
  ["WSS://EXAMPLE.com", "wss://example.com/push"],
  ["ws://example.com:80", "ws://example.com/push"],
  ["wss://example.com:443", "wss://example.com/push"],
  ["wss://example.com:80", "wss://example.com:80/push"],
  ["[::1]:8998", "ws://[::1]:8998/push"],
  ["wss://[2001:db8::1]/a", "wss://[2001:db8::1]/a"],
  ["  localhost  ", "ws://localhost/push"],
];

for (const [text, href] of COMPLETED) {
  Deno.test(`parseWsUrl() completes ${JSON.stringify(text)} to ${href}`, () => {
    assertEquals(parseWsUrl(text).href, href);
  });
}

const REFUSED: readonly [string, string][] = [
  ["http://127.0.0.1:8998", "write ws://"],
  ["https://example.com", "write wss://"],
  ["HTTP://example.com", "write ws://"],
  ["ftp://example.com", "only ws:// and wss://"],
  ["ws+unix:///run/gong", "only ws:// and wss://"],
  ["8998", "written :8998"],
  ["ws://8998/push", "written :8998"],
  ["localhost:port", "not an address"],
  ["localhost:65536", "not an address"],
  ["::1", "not an address"],
  ["ws://exa mple.com", "not an address"],
  ["ws://example.com/#top", "fragment"],
  ["example.com#top", "fragment"],
];

for (const [text, says] of REFUSED) {
  Deno.test(`parseWsUrl() refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseWsUrl(text), UsageError, says);
  });
}

Deno.test("parseWsUrl() refuses a password in the address and does not repeat it", () => {
  for (const text of ["ws://me:hunter2@example.com/", "me:hunter2@example.com", "wss://me:hunter2@:port"]) {
    const error = assertThrows(() => parseWsUrl(text), UsageError, "--api-key");
    assertEquals(error.message.includes("hunter2"), false);
  }
});

Deno.test("parseHttpUrl() completes in the same way", () => {
  assertEquals(parseHttpUrl(DEFAULT_HTTP_URL).href, "http://127.0.0.1:8998/");
  assertEquals(parseHttpUrl(":8998").href, "http://127.0.0.1:8998/");
  assertEquals(parseHttpUrl("https://example.com").href, "https://example.com/");
  assertEquals(parseHttpUrl("example.com:8998/gong").href, "http://example.com:8998/gong");
});

Deno.test("parseHttpUrl() tells a WebSocket address how to be written", () => {
  assertThrows(() => parseHttpUrl("ws://127.0.0.1:8998"), UsageError, "write http://");
  assertThrows(() => parseHttpUrl("wss://example.com"), UsageError, "write https://");
  assertThrows(() => parseHttpUrl("file:///etc"), UsageError, "only http:// and https://");
});
