import { assert, assertEquals } from "@std/assert";
import { describeBytes, printable } from "../../lib/cli/printable.ts";

Deno.test("printable() leaves text of any script, tabulators and backslashes as they are", () => {
  for (const text of ["", "plain", "a\tb", "Grüße 世界 🔔 עברית", "C:\\new"]) assertEquals(printable(text), text);
});

Deno.test("printable() shows every control character, and nothing else of Latin-1", () => {
  for (let code = 0; code < 256; code++) {
    const text = String.fromCharCode(code);
    const isControl = code !== 9 && (code < 32 || (code > 126 && code < 160));
    assertEquals(printable(text) !== text, isControl, `U+${code.toString(16)}`);
    assert(/^[\t -~\u00a0-\u00ff]+$/.test(printable(text)));
  }
});

Deno.test("printable() shows what breaks lines, turns the direction of writing or is not seen", () => {
  const shown: Record<string, string> = {
    "\n": "\\n",
    "\r": "\\r",
    "\x1b": "\\x1b",
    "\x9b": "\\x9b",
    "\u2028": "\\u2028",
    "\u202e": "\\u202e",
    "\u2066": "\\u2066",
    "\u200b": "\\u200b",
    "\ufeff": "\\ufeff",
    "\ud800": "\\ud800",
  };
  for (const [mark, text] of Object.entries(shown)) assertEquals(printable(`a${mark}b`), `a${text}b`);
});

Deno.test("describeBytes() tells the number of bytes and shows the first 32", () => {
  assertEquals(describeBytes(new Uint8Array()), "[0 bytes]");
  assertEquals(describeBytes(Uint8Array.of(0, 255)), "[2 bytes: 00 ff]");
  assertEquals(describeBytes(new Uint8Array(32)).includes("..."), false);
  assertEquals(describeBytes(new Uint8Array(33)).endsWith("00 ...]"), true);
});
