import { assert, assertEquals, assertNotMatch } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { parseRule } from "../../lib/config/rule.ts";
import { currentTable, withCurrentTable, writtenTable } from "./readme.ts";

const ROOT = new URL("../../", import.meta.url);
const README = await Deno.readTextFile(new URL("README.md", ROOT));

Deno.test("README.md has every setting as optionsTable() gives it: run `deno task readme`", () => {
  assertEquals(writtenTable(README), currentTable());
});

Deno.test("withCurrentTable() replaces a table that is out of date, and nothing else", () => {
  const old = "a\n<!-- settings: x -->\n\n| Flag |\n| ---- |\n\n<!-- end of settings -->\nb\n";
  const updated = withCurrentTable(old);
  assertEquals(writtenTable(updated), currentTable());
  assert(updated.startsWith("a\n<!-- settings: x -->\n") && updated.endsWith("<!-- end of settings -->\nb\n"));
});

Deno.test("README.md names one version of Deno, the only place that pins it", async () => {
  const versions = new Set(Array.from(README.matchAll(/deno@([\d.]+)/g), ([, version]) => version));
  assertEquals(versions.size, 1);
  const script = await Deno.readTextFile(new URL(".ci/run", ROOT));
  assertNotMatch(script, /deno@\d/);
});

Deno.test("README.md has the two commands alone on their lines, where .ci/run looks for one of them", () => {
  for (const task of ["dev", "ok"]) {
    const line = new RegExp(`^npx -y deno@[\\d.]+ task ${task}$`, "m");
    assert(line.test(README), `no line ${line}`);
  }
});

Deno.test("README.md names tasks that there are, and all of them", () => {
  const named = new Set(Array.from(README.matchAll(/^\| `deno task ([\w]+)`/gm), ([, task]) => task));
  assertEquals([...named].sort(), Object.keys(manifest.tasks).filter((task) => task !== "layers").sort());
});

Deno.test("README.md calls commands that there are, with rules that are accepted", () => {
  const named = new Set(Array.from(README.matchAll(/^\| `gong ([\w]+)`/gm), ([, command]) => command));
  const called = Array.from(README.matchAll(/^gong (\S+)/gm), ([, word]) => word!);
  assert(called.length > 4);
  for (const word of called) assert(named.has(word), `gong ${word}`);
  const rules = Array.from(README.matchAll(/--rule ['"]([^'"]+)['"]/g), ([, rule]) => rule!);
  assert(rules.length > 3);
  for (const rule of rules) parseRule(rule);
});

Deno.test("README.md links to files that there are", async () => {
  for (const [, path = ""] of README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
    assert((await Deno.stat(new URL(path, ROOT))).isFile, path);
  }
});
