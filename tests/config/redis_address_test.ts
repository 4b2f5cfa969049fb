import { assert, assertEquals, assertThrows } from "@std/assert";
import { toBroker, toKeyPrefix, toListenAddress, toSentinelUser } from "../../lib/config/forms.ts";
import { parseAddress, urlOf } from "../../lib/config/redis_address.ts";

Deno.test("parseAddress() reads one server, Sentinels, and a cluster", () => {
  const one = { isTls: false, isCluster: false, credentials: "", name: undefined, database: 0 };
  const rows: [string, ReturnType<typeof parseAddress>][] = [
    ["redis://localhost", { ...one, hosts: [{ host: "localhost", port: 6379 }] }],
    ["redis://10.0.0.1:80/", { ...one, hosts: [{ host: "10.0.0.1", port: 80 }] }],
    ["rediss://[::1]:7000/3", { ...one, isTls: true, database: 3, hosts: [{ host: "[::1]", port: 7000 }] }],
    ["redis://u:p%40x@h:1", { ...one, credentials: "u:p%40x@", hosts: [{ host: "h", port: 1 }] }],
    ["redis+sentinel://h1,h2:2/main", {
      ...one,
      name: "main",
      hosts: [{ host: "h1", port: 26_379 }, { host: "h2", port: 2 }],
    }],
    ["rediss+sentinel://:p@h1/a.b-c/2", {
      ...{ isTls: true, isCluster: false, credentials: ":p@", name: "a.b-c", database: 2 },
      hosts: [{ host: "h1", port: 26_379 }],
    }],
    ["redis+cluster://h1,h2:2/", {
      ...{ ...one, isCluster: true },
      hosts: [{ host: "h1", port: 6379 }, { host: "h2", port: 2 }],
    }],
    ["rediss+cluster://u:p@[::1]:7000", {
      ...{ ...one, isTls: true, isCluster: true, credentials: "u:p@" },
      hosts: [{ host: "[::1]", port: 7000 }],
    }],
  ];
  for (const [text, address] of rows) {
    assertEquals(parseAddress(text), address, text);
    assertEquals(toBroker(text), text);
  }
  assertEquals(urlOf(rows[3]![1], "h", 1), "redis://u:p%40x@h:1/0");
  assertEquals(urlOf(rows[5]![1], "::1", 9), "rediss://:p@[::1]:9/2");
});

Deno.test("parseAddress() refuses what is none, and says what would be", () => {
  const texts = [
    ...["redis://", "redis:", "redis:h", "redis://h/name", "redis://h:70000", "redis://h/1/2", "redis://a b"],
    ...[
      "redis://h?x=1",
      "redis+sentinel://h",
      "redis+sentinel://h,/x",
      "redis+cluster://",
      "redis+cluster://h/0",
      "redis+sentinel://h/a b",
    ],
  ];
  for (const password of ["hunt?er2", "hunt#er2", "hun@ter2", "hunter%2", "hunter%ff", "hunt er2"]) {
    const { message } = assertThrows(() => parseAddress(`redis://u:${password}@h`), SyntaxError);
    assert(!/hun|ter2/.test(message), `no part of the password is shown: ${message}`);
  }
  for (const kind of ["redis", "redis+sentinel", "redis+cluster"]) {
    for (const rest of ["u:hunter2", "u:p@hun#ter2,x@h", "u:hun,ter2#@h"]) {
      const { message } = assertThrows(
        () => parseAddress(`${kind}://${rest}${kind === "redis+sentinel" ? "/main" : ""}`),
        SyntaxError,
      );
      assert(!/hun|ter2/.test(message), `no part of the password is shown: ${message}`);
    }
  }
  for (const text of texts) {
    assertThrows(() => parseAddress(text), SyntaxError);
    assertThrows(() => toBroker(text), SyntaxError);
  }
});

Deno.test("toKeyPrefix() and toListenAddress() take what Redis and a listener can use", () => {
  for (const text of ["gong:", "a", "Prod/eu-1."]) assertEquals(toKeyPrefix(text), text);
  for (const text of ["", "a b", "a{b}", "a*", "é", "a,b", "x".repeat(65), "a\n"]) {
    assertThrows(() => toKeyPrefix(text), SyntaxError);
  }
  for (const text of ["127.0.0.1:0", "10.0.0.1:80", "[::1]:8999", "node:1"]) assertEquals(toListenAddress(text), text);
  for (const text of ["", "8999", ":8999", "127.0.0.1", "127.0.0.1:70000", "http://a:1", "a:1/x", "a:b@c:1"]) {
    assertThrows(() => toListenAddress(text), SyntaxError);
  }
});

Deno.test("toSentinelUser() takes a user and a password, or a password alone, as they are", () => {
  for (const text of ["", "gong:pass:word", ":p%40 x@", "g:é"]) assertEquals(toSentinelUser(text), text);
  for (
    const text of [
      "hunter2",
      "hunter2:",
      ":",
      "hun ter:2",
      "g:hunter2\n",
      `${"g".repeat(65)}:hunter2`,
      `:${"x".repeat(513)}`,
    ]
  ) {
    const { message } = assertThrows(() => toSentinelUser(text), SyntaxError);
    assertEquals(message, "expected USER:PASSWORD, or :PASSWORD where there is no user");
  }
});
