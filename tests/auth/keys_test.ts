import { assertEquals, assertThrows } from "@std/assert";
import { createKeys, findKey } from "../../lib/auth/keys.ts";

Deno.test("createKeys() keeps digests and grants, and nothing that the secret can be read from", () => {
  const [key] = createKeys(["ops:admin+stats:correct-horse"]);
  assertEquals(key?.grant, { name: "ops", scopes: ["admin", "stats"] });
  assertEquals(key?.digest.length, 32);
  assertEquals(JSON.stringify(key).includes("correct-horse"), false);
});

Deno.test("findKey() finds the key of a secret, among several of one name too", () => {
  const keys = createKeys(["app:publish:old", "app:publish:new", "ops:stats:third", "alone"]);
  const names = ["old", "new", "third", "alone"].map((secret) => findKey(keys, secret)?.grant);
  assertEquals(names, [
    { name: "app", scopes: ["publish"] },
    { name: "app", scopes: ["publish"] },
    { name: "ops", scopes: ["stats"] },
    { name: "default", scopes: ["publish", "admin", "stats"] },
  ]);
});

Deno.test("findKey() takes the first of two keys with the same secret", () => {
  const keys = createKeys(["a:stats:same", "b:admin:same"]);
  assertEquals(findKey(keys, "same")?.grant.name, "a");
});

Deno.test("findKey() finds nothing for what only resembles a key", () => {
  const keys = createKeys(["app:publish:secret"]);
  const tries = [
    "",
    "secre",
    "secret ",
    " secret",
    "Secret",
    "secrets",
    "app:publish:secret",
    "secret\0",
    "sécret",
    "x".repeat(100_000),
  ];
  for (const secret of tries) assertEquals(findKey(keys, secret), undefined, secret.slice(0, 40));
  assertEquals(findKey([], "secret"), undefined);
});

Deno.test("createKeys() refuses a malformed key without repeating it", () => {
  for (const text of ["hunter2:hunter2", "app:root:hunter2", "a b:publish:hunter2", "app:publish:"]) {
    const error = assertThrows(() => createKeys([text]), SyntaxError);
    assertEquals(error.message.includes("hunter2"), false);
  }
});
