import { assertEquals } from "@std/assert";
import { encodeStompFrame, escapeStompHeader, type StompVersion } from "../../lib/codecs/stomp.ts";
import type { Data } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { readWhole } from "../support/stomp_frames.ts";

const VERSIONS: readonly StompVersion[] = ["1.0", "1.1", "1.2"];
const HOSTILE = "a:b\\c\nd\re\0f\\n\r\n\n\0";

Deno.test("encodeStompFrame() is text without a body or with one of text, and bytes with one of bytes", () => {
  for (const version of VERSIONS) {
    assertEquals(encodeStompFrame(version, "RECEIPT", [["receipt-id", "1"]]), "RECEIPT\nreceipt-id:1\n\n\0");
    assertEquals(encodeStompFrame(version, "ERROR", [], "é\n"), "ERROR\n\né\n\0");
    assertEquals(encodeStompFrame(version, "MESSAGE", new Map([["é", ""]]), ""), "MESSAGE\né:\n\n\0");
    const bytes = encodeStompFrame(version, "MESSAGE", [["é", "x"]], Uint8Array.of(0, 255)) as Uint8Array;
    assertEquals(bytes, Uint8Array.of(...new TextEncoder().encode("MESSAGE\né:x\n\n"), 0, 255, 0));
    assertEquals(encodeStompFrame(version, "X", [], new Uint8Array()), new TextEncoder().encode("X\n\n\0"));
  }
});

Deno.test("escapeStompHeader() escapes what its version can, and the rest of what would end a frame is a space", () => {
  assertEquals(escapeStompHeader("1.0", HOSTILE), "a:b\\c d e f\\n    ");
  assertEquals(escapeStompHeader("1.1", HOSTILE), "a\\cb\\\\c\\nd\re f\\\\n\r\\n\\n ");
  assertEquals(escapeStompHeader("1.2", HOSTILE), "a\\cb\\\\c\\nd\\re f\\\\n\\r\\n\\n ");
  for (const version of VERSIONS) assertEquals(escapeStompHeader(version, "/topic/é 🎉\t"), "/topic/é 🎉\t");
});

Deno.test("encodeStompFrame() escapes nothing in what negotiates the version, and lets nothing end its lines", () => {
  for (const version of VERSIONS) {
    for (const command of ["CONNECTED", "CONNECT", "STOMP"]) {
      assertEquals(
        encodeStompFrame(version, command, [["n:\n", HOSTILE]]),
        `${command}\nn  :a:b\\c d e f\\n    \n\n\0`,
      );
    }
  }
});

Deno.test("encodeStompFrame() never lets the name of a header become another's", () => {
  assertEquals(
    encodeStompFrame("1.0", "MESSAGE", [["destination:/topic/b\n", "x"]]),
    "MESSAGE\ndestination /topic/b :x\n\n\0",
  );
  assertEquals(encodeStompFrame("1.1", "MESSAGE", [["a:b", "x"]]), "MESSAGE\na\\cb:x\n\n\0");
  assertEquals(encodeStompFrame("1.2", "MESSAGE", [["a:b", "x"]]), "MESSAGE\na\\cb:x\n\n\0");
});

/** What is left of a name or value on its way out and in again. */
function surviving(version: StompVersion, text: string, isName: boolean): string {
  const printable = text.replaceAll("\0", " ");
  if (version !== "1.0") return printable;
  return printable.replace(isName ? /[\r\n:]/g : /[\r\n]/g, " ").replace(/^ +| +$/g, "");
}

Deno.test("StompReader reads what encodeStompFrame() writes, whatever is in it", () => {
  const random = seeded(17);
  const pieces = [
    "a",
    "\\",
    "n",
    "c",
    "r",
    ":",
    "\n",
    "\r",
    "\0",
    "\r\n",
    " ",
    "é",
    "🎉",
    "\\n",
    "\\\\",
    "\t",
  ] as const;
  for (let n = 0; n < 6000; n++) {
    const version = VERSIONS[n % 3]!;
    const text = random.text(pieces, 8);
    const body: Data = random.pick<Data>([text, new TextEncoder().encode(text)]);
    const size = new TextEncoder().encode(text).length;
    // A name of nothing but what becomes spaces would be an empty one in 1.0.
    const headers = Array.from({ length: random.int(5) }, () => {
      return [`x${random.text(pieces, 5)}`, random.text(pieces, 8)] as const;
    });
    const written = encodeStompFrame(version, "SEND", [...headers, ["content-length", `${size}`]], body);
    assertEquals(typeof written, typeof body);
    const expected = new Map<string, string>();
    for (const [name, value] of headers) {
      const key = surviving(version, name, true);
      if (!expected.has(key)) expected.set(key, surviving(version, value, false));
    }
    expected.set("content-length", `${size}`);
    const bytes = String.fromCharCode(...new TextEncoder().encode(text));
    assertEquals(readWhole(version, written), [{ command: "SEND", headers: [...expected], body: bytes }]);
  }
});
