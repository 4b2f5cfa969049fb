import { assertEquals } from "@std/assert";
import { createNamedRights } from "../../lib/auth/named.ts";
import { defaultConfig } from "../../lib/config.ts";

const KEYS = ["shop:publish:secret-of-the-shop-1", "eye:stats:secret-of-the-eye-12", "ops:admin:secret-of-the-ops-12"];

Deno.test("createNamedRights() is what the keys of a name may, as long as there is one", () => {
  const may = createNamedRights(defaultConfig({ apiKey: KEYS, allowPublish: ["wall"], rule: ["vault publish=keys"] }));
  assertEquals(["shop", "ops", "eye", "gone"].map((name) => may(name, "news")), [true, true, false, false]);
  assertEquals(["shop", "ops", "eye", "gone"].map((name) => may(name, "wall")), [true, true, true, false]);
  assertEquals([may("shop", "vault"), may("shop", "$user/42"), may("shop", "$admin")], [true, true, false]);
});

Deno.test("createNamedRights() needs no key with dev", () => {
  const may = createNamedRights(defaultConfig({ dev: true }));
  assertEquals([may("dev", "news"), may("dev", "$user/42"), may("dev", "$admin")], [true, true, false]);
});
