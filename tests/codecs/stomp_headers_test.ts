import { assert, assertEquals, assertThrows } from "@std/assert";
import type { StompVersion } from "../../lib/codecs/stomp.ts";
import { GongError } from "../../lib/errors.ts";
import { LIMITS, readWhole } from "../support/stomp_frames.ts";

const VERSIONS: readonly StompVersion[] = ["1.0", "1.1", "1.2"];

/** The headers of one frame in text. */
function headers(version: StompVersion, text: string): [string, string][] {
  const [frame, ...more] = readWhole(version, `${text}\n\n\0`);
  assertEquals(more, []);
  return frame!.headers.map(([name, value]) => [name, value]);
}

/** The refusal of a message. */
function refusal(version: StompVersion, data: string | Uint8Array, limits = LIMITS): GongError {
  const error = assertThrows(() => readWhole(version, data, limits), GongError);
  assert(error.message.length < 250, error.message);
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x1f\x7f-\x9f]/.test(error.message), error.message);
  return error;
}

function refused(version: StompVersion, data: string | Uint8Array, code: string, ...words: string[]): void {
  const error = refusal(version, data);
  assertEquals(error.code, code, JSON.stringify(data));
  for (const word of words) assert(error.message.includes(word), error.message);
}

Deno.test("StompReader unescapes names and values as their version says", () => {
  const text = String.raw`SEND
a\cb:c\nd\\n\c`;
  assertEquals(headers("1.0", text), [[String.raw`a\cb`, String.raw`c\nd\\n\c`]]);
  for (const version of ["1.1", "1.2"] as const) assertEquals(headers(version, text), [["a:b", "c\nd\\n:"]]);
  assertEquals(
    headers(
      "1.2",
      String.raw`SEND
\r:a\rb`,
    ),
    [["\r", "a\rb"]],
  );
});

Deno.test("StompReader refuses an escape that the version does not define", () => {
  for (const escape of ["\\t", "\\", "\\C", "\\N", "\\é", "\\🎉", "\\\\\\", "\\ n"]) {
    for (const text of [`SEND\na:x${escape}\n\n\0`, `SEND\n${escape}:x\n\n\0`]) {
      for (const version of ["1.1", "1.2"] as const) refused(version, text, "bad_request", "undefined escape");
      assertEquals(readWhole("1.0", text).length, 1);
    }
  }
  refused("1.1", "SEND\na:x\\r\n\n\0", "bad_request", '"\\r"', '"a:x\\r"');
});

Deno.test("StompReader never unescapes what negotiates the version", () => {
  const text = String.raw`a\cb:c\n\t\r\\`;
  for (const command of ["CONNECT", "STOMP", "CONNECTED"]) {
    for (const version of VERSIONS) {
      const [accept, ...rest] = headers(version, `${command}\naccept-version:1.2\n${text}`);
      assertEquals(accept, ["accept-version", "1.2"]);
      assertEquals(rest, [[String.raw`a\cb`, String.raw`c\n\t\r\\`]]);
    }
  }
});

Deno.test("StompReader takes the first of a repeated header, and what is unescaped to the same is repeated", () => {
  for (const version of VERSIONS) {
    assertEquals(headers(version, "SEND\na:1\nb:2\na:3\nb:"), [["a", "1"], ["b", "2"]]);
  }
  assertEquals(headers("1.2", "SEND\na\\c:1\na\\c:2\n__proto__:x"), [["a:", "1"], ["__proto__", "x"]]);
  assertEquals(headers("1.0", "SEND\n a : 1 \na:2"), [["a", "1"]]);
});

Deno.test("StompReader drops the CR of a line's end in 1.2, and in a CONNECT of any version", () => {
  assertEquals(headers("1.2", "SEND\r\na:1\r\nb:2\n\r"), [["a", "1"], ["b", "2"]]);
  assertEquals(headers("1.2", "SEND\r\na:1\r\r\nb:\r"), [["a", "1\r"], ["b", ""]]);
  for (const version of VERSIONS) {
    for (const command of ["CONNECT", "STOMP"]) {
      assertEquals(headers(version, `${command}\r\naccept-version:1.2\r\nb:\r\n\r`), [["accept-version", "1.2"], [
        "b",
        "",
      ]]);
    }
  }
  for (const version of ["1.0", "1.1"] as const) {
    assertEquals(headers(version, "SEND\na:1\r\nb:\r"), [["a", "1\r"], ["b", "\r"]]);
    refused(version, "SEND\r\na:1\n\n\0", "bad_request", '"SEND"', "CR");
    refused(version, "SEND\na:1\n\r\n\0", "bad_request", "no colon");
  }
});

Deno.test("StompReader drops spaces around names and values in 1.0 alone", () => {
  const padded = "SEND\n  a  :  1 2  \nb: \t3\n c:";
  assertEquals(headers("1.0", padded), [["a", "1 2"], ["b", "\t3"], ["c", ""]]);
  for (const version of ["1.1", "1.2"] as const) {
    assertEquals(headers(version, padded), [["  a  ", "  1 2  "], ["b", " \t3"], [" c", ""]]);
  }
  for (const command of ["CONNECT", "STOMP"]) {
    assertEquals(headers("1.0", `${command}\nlogin: <username>\npasscode:x `), [["login", "<username>"], [
      "passcode",
      "x",
    ]]);
    const negotiating = [["passcode", " x "], ["accept-version", "1.1"]];
    assertEquals(headers("1.0", `${command}\npasscode: x \naccept-version:1.1`), negotiating as [string, string][]);
    assertEquals(headers("1.2", `${command}\npasscode: x `), [["passcode", " x "]]);
  }
});

Deno.test("StompReader splits a header at its first colon, and takes an empty value", () => {
  for (const version of VERSIONS) {
    assertEquals(headers(version, "SEND\na:b:c:\nd:\né🎉:ü"), [["a", "b:c:"], ["d", ""], ["é🎉", "ü"]]);
  }
});

Deno.test("StompReader takes a byte order mark for a part of the name, in a long head too", () => {
  for (const version of VERSIONS) {
    for (const long of ["x", "x".repeat(3000)]) {
      const values = [["a", long], ["b", long], ["\ufeffa", "mark"]] as const;
      const text = values.map(([name, value]) => `${name}:${value}`).join("\n");
      assertEquals(headers(version, `SEND\n${text}`), values.map(([name, value]) => [name, value]));
    }
  }
});

Deno.test("StompReader refuses a header without a colon or without a name", () => {
  for (const version of VERSIONS) {
    refused(version, "SEND\na:1\nhello\n\n\0", "bad_request", '"hello"', "colon");
    refused(version, "SEND\n:1\n\n\0", "bad_request", '":1"', "name");
    refused(version, "CONNECT\n:1\n\n\0", "bad_request", '":1"', "name");
  }
  refused("1.0", "SEND\n  :1\n\n\0", "bad_request", "name");
});

Deno.test("StompReader refuses what is no command, as soon as that shows", () => {
  const wrong = [
    "send\n",
    "Send\n",
    "SEND1\n",
    "SE ND\n",
    " SEND\n",
    "SEND \n",
    "GET / HTTP/1.1",
    "{",
    "\ufeffSEND\n",
    "É",
  ];
  wrong.push("ABCDEFGHIJKLMNOPQ", "SEND\rX", "\r\r", "A\0", "S\0\n\n\0", ":\n");
  for (const version of VERSIONS) {
    for (const text of wrong) {
      refused(version, text, "bad_request");
    }
  }
  refused("1.2", "POST / HTTP/1.1\r\n", "bad_request", '"POST / HTTP/1.1?"');
  assertEquals(readWhole("1.2", "ABCDEFGHIJKLMNOP\r\n\n\0").length, 1);
  assertEquals(readWhole("1.0", "X\n\n\0"), [{ command: "X", headers: [], body: "" }]);
});

Deno.test("StompReader refuses headers that are not UTF-8", () => {
  for (const wrong of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
    const frame = Uint8Array.of(...new TextEncoder().encode("SEND\nok:1\nab:c"), ...wrong, 0x0a, 0x0a, 0x00);
    for (const version of VERSIONS) refused(version, frame, "bad_request", '"ab:c', "UTF-8");
  }
});

Deno.test("StompReader counts headers, and bytes of each line, and names the limit that is passed", () => {
  const limits = { headers: 2, line: 6, head: 1000, body: 10 };
  for (const version of VERSIONS) {
    assertEquals(readWhole(version, "SEND\na:1\nb:2\n\n\0", limits).length, 1);
    for (const line of [6, 1000]) {
      const many = refusal(version, "SEND\na:1\na:1\na:1\n\n\0", { ...limits, line });
      assertEquals([many.code, many.message.includes("2 headers")], ["too_large", true]);
    }
    assertEquals(readWhole(version, "SEND\na:3456\nb:é45\n\n\0", limits).length, 1);
    for (const text of ["SEND\na:34567\n", "SEND\na:34567", "SEND\na:éé7", "COMMAND"]) {
      const long = refusal(version, text, limits);
      assertEquals([long.code, long.message.includes("6 bytes")], ["too_large", true], text);
    }
  }
});

Deno.test("StompReader bounds all lines of a head together, wherever it is cut", () => {
  const limits = { headers: 100, line: 100, head: 30, body: 10 };
  const fits = `SEND\n${"a:3456\n".repeat(3)}b:3\n\n`;
  assertEquals(fits.length, 30 + 1);
  for (const version of VERSIONS) {
    assertEquals(readWhole(version, `${fits.replace("b:3", "b:")}\0`, limits).length, 1);
    for (const text of [fits, `SEND\n${"a:3456\n".repeat(50)}`]) {
      const long = refusal(version, text, limits);
      assertEquals([long.code, long.message.includes("30 bytes")], ["too_large", true], text);
    }
  }
});

Deno.test("StompReader shows little of what it refuses, and nothing that does not print", () => {
  const hostile = `\x1b[31m\u202e\u2028\x7f\x85${"x".repeat(5000)}`;
  const { message } = refusal("1.2", `SEND\n${hostile}\n\n\0`);
  assert(!/[\p{C}\p{Zl}\p{Zp}]/u.test(message), message);
  assert(message.includes("x".repeat(40)) && !message.includes("x".repeat(65)), message);
  refusal("1.2", `SEND\na:\\${hostile}\n\n\0`);
  refusal("1.2", `SEND\ncontent-length:${hostile}\n\n\0`);
  refusal("1.2", hostile);
  refusal("1.2", `SEND\n${hostile}\0`);
  refusal("1.2", `SEND\na:${"🎉".repeat(5000)}`);
});
