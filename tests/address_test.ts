import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createAddresses, parseNetwork } from "../lib/address.ts";
import { seeded } from "./support/random.ts";

function forwarded(...values: string[]): Headers {
  return new Headers(values.map((value): [string, string] => ["x-forwarded-for", value]));
}

Deno.test("createAddresses().of() counts IPv4 singly and IPv6 by /64", () => {
  const { of } = createAddresses([]);
  const table: [remote: string, address: string][] = [
    ["192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::ffff", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8::/64"],
    ["::1", "::/64"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::ffff:c000:207", "192.0.2.7"],
    ["fe80::1%eth0", "fe80::/64"],
    ["fe80:0:0:9::1%25eth0", "fe80:0:0:9::/64"],
    ["", "unknown"],
    ["localhost", "unknown"],
    ["/run/gong.sock", "unknown"],
  ];
  for (const [remote, address] of table) assertEquals(of(remote, new Headers()), address, remote);
});

Deno.test("createAddresses().of() ignores X-Forwarded-For unless the peer is a trusted proxy", () => {
  assertEquals(createAddresses([]).of("10.0.0.1", forwarded("198.51.100.1")), "10.0.0.1");
  const { of } = createAddresses(["10.0.0.0/8"]);
  assertEquals(of("192.0.2.7", forwarded("198.51.100.1")), "192.0.2.7");
  assertEquals(of("10.0.0.1", forwarded("198.51.100.1")), "198.51.100.1");
  assertEquals(of("10.0.0.1", new Headers()), "10.0.0.1");
});

Deno.test("createAddresses().of() walks X-Forwarded-For from right to left while the hop is trusted", () => {
  const { of } = createAddresses(["10.0.0.0/8", "2001:db8:ffff::/48", "192.0.2.1"]);
  const table: [header: string[], address: string][] = [
    [["203.0.113.9, 198.51.100.1"], "198.51.100.1"],
    [["203.0.113.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"],
    [["203.0.113.9", "198.51.100.1", "10.0.0.2"], "198.51.100.1"],
    [["198.51.100.1, 192.0.2.1, 10.9.9.9"], "198.51.100.1"],
    [["198.51.100.1,2001:db8:ffff::1,10.9.9.9"], "198.51.100.1"],
    [["2001:db8:1:2::9, 10.0.0.2"], "2001:db8:1:2::/64"],
    [["::ffff:198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"],
    [["198.51.100.1:4711"], "198.51.100.1"],
    [["[2001:db8:1:2::9]"], "2001:db8:1:2::/64"],
    [["[2001:db8:1:2::9]:4711"], "2001:db8:1:2::/64"],
    [["10.0.0.3, 10.0.0.2"], "10.0.0.3"],
  ];
  for (const [header, address] of table) {
    assertEquals(of("10.0.0.1", forwarded(...header)), address, header.join(" | "));
  }
});

Deno.test("createAddresses().of() stops at the last good hop when it meets garbage", () => {
  const { of } = createAddresses(["10.0.0.0/8"]);
  const garbage = [
    "",
    " ",
    ",",
    "unknown",
    "_hidden",
    "example.com",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "0x7f.0.0.1",
    "2130706433",
    "1.2.3.4/8",
    "1.2.3.4 5.6.7.8",
    "1.2.3.4:x",
    "1.2.3.4:123456",
    "[1.2.3.4",
    "[]",
    "::g",
    ":::",
    "1::2::3",
    "<script>",
    '"1.2.3.4"',
    "é",
  ];
  for (const entry of garbage) {
    assertEquals(of("10.0.0.1", forwarded(`198.51.100.1, ${entry}, 10.0.0.2`)), "10.0.0.2", entry);
    assertEquals(of("10.0.0.1", forwarded(entry)), "10.0.0.1", entry);
  }
});

Deno.test("createAddresses().of() looks at no more than the end of a long header, and at no entry cut in two", () => {
  const { of } = createAddresses(["10.0.0.0/8"]);
  // 2,048 characters end exactly after the first 1 of 111.2.3.4, which leaves 11.2.3.4.
  const tail = ",10.0.0.2" + " ".repeat(2048 - "11.2.3.4,10.0.0.2".length - ",10.0.0.2".length) + ",10.0.0.2";
  assertEquals(of("10.0.0.1", forwarded(`111.2.3.4${tail}`)), "10.0.0.2");
  assertEquals(of("10.0.0.1", forwarded(`11.2.3.4${tail}`)), "11.2.3.4");
  assertEquals(of("10.0.0.1", forwarded("198.51.100.1" + ", 10.0.0.2".repeat(31))), "198.51.100.1");
  assertEquals(of("10.0.0.1", forwarded("198.51.100.1" + ", 10.0.0.2".repeat(32))), "10.0.0.2");
  assertEquals(of("10.0.0.1", forwarded("10.0.0.2,".repeat(20_000) + "10.0.0.3")), "10.0.0.2");
});

Deno.test("parseNetwork() reads CIDRs and single addresses of both families", () => {
  const table: [text: string, inside: string, outside: string][] = [
    ["10.0.0.0/8", "10.255.0.1", "11.0.0.1"],
    ["192.0.2.1", "192.0.2.1", "192.0.2.2"],
    ["192.0.2.128/25", "192.0.2.255", "192.0.2.127"],
    ["2001:db8::/32", "2001:db8:9::1", "2001:db9::1"],
    ["2001:db8::1", "2001:db8::1", "2001:db8::2"],
    ["::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"],
    ["::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"],
  ];
  for (const [text, inside, outside] of table) {
    const { of } = createAddresses([text]);
    assertEquals(of(inside, forwarded("198.51.100.1")), "198.51.100.1", `${text} has ${inside}`);
    assert(of(outside, forwarded("198.51.100.1")) !== "198.51.100.1", `${text} lacks ${outside}`);
  }
  assertEquals(createAddresses(["0.0.0.0/0"]).of("2001:db8::1", forwarded("198.51.100.1")), "2001:db8::/64");
});

Deno.test("parseNetwork() refuses what is neither", () => {
  const wrong = [
    "",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/8x",
    "10/8",
    "::/129",
    "::ffff:10.0.0.0/95",
    "fe80::1%eth0",
    "localhost",
    "*",
  ];
  for (const text of wrong) assertThrows(() => parseNetwork(text), SyntaxError, JSON.stringify(text));
});

Deno.test("createAddresses().of() gives an address for every random header, and a foreign client none of its choice", () => {
  const random = seeded(3);
  const { of } = createAddresses(["10.0.0.0/8"]);
  const pieces = [
    "1",
    "10.0.0.2",
    "198.51.100.1",
    "2001:db8::1",
    "::",
    ":",
    ".",
    ",",
    " ",
    "[",
    "]",
    "%",
    "/",
    "x",
    "é",
  ] as const;
  for (let round = 0; round < 5_000; round++) {
    const headers = forwarded(random.text(pieces, 12));
    assertMatch(of("10.0.0.1", headers), /^(?:\d+\.\d+\.\d+\.\d+|[0-9a-f:]+\/64)$/);
    assertEquals(of("192.0.2.7", headers), "192.0.2.7");
  }
});
