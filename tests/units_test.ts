import { assertEquals, assertThrows } from "@std/assert";
import { formatBytes, formatSeconds, parseBytes, parseSeconds } from "../lib/units.ts";

Deno.test("parseBytes() reads plain bytes and binary units, in any case", () => {
  const cases = { "0": 0, "65536": 65_536, "64KiB": 65_536, "1mib": 1_048_576, "1.5 MiB": 1_572_864, "2GiB": 2 ** 31 };
  for (const [text, bytes] of Object.entries(cases)) assertEquals(parseBytes(text), bytes, text);
});

Deno.test("parseBytes() refuses what is no whole number of bytes", () => {
  for (const text of ["", "-1", "64KB", "1e3", "0x10", "1.5", "KiB", "1 MiB 2", "9".repeat(16), "0.0001KiB"]) {
    assertThrows(() => parseBytes(text), SyntaxError, "expected a size");
  }
});

Deno.test("parseSeconds() reads seconds and the usual units, without errors of rounding", () => {
  const cases = { "25": 25, "25s": 25, "500ms": 0.5, "2m": 120, "0.1m": 6, "12h": 43_200, "1d": 86_400, "0": 0 };
  for (const [text, seconds] of Object.entries(cases)) assertEquals(parseSeconds(text), seconds, text);
});

Deno.test("parseSeconds() refuses what is no duration", () => {
  for (const text of ["", "-1s", "soon", "1 year", "Infinity", "NaN", "1:30"]) {
    assertThrows(() => parseSeconds(text), SyntaxError, "expected a duration");
  }
});

Deno.test("formatBytes() and formatSeconds() write what parseBytes() and parseSeconds() read back", () => {
  for (const bytes of [0, 1, 1000, 1024, 65_536, 65_537, 2 ** 20, 3 * 2 ** 30, 2 ** 40]) {
    assertEquals(parseBytes(formatBytes(bytes)), bytes);
  }
  for (const seconds of [0, 0.001, 0.5, 1, 1.5, 25, 60, 90, 600, 3600, 43_200, 2_000_000]) {
    assertEquals(parseSeconds(formatSeconds(seconds)), seconds);
  }
  assertEquals([formatBytes(65_536), formatSeconds(0.5), formatSeconds(43_200)], ["64KiB", "500ms", "12h"]);
});
