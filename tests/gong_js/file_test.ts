import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import type * as declared from "../../static/gong.d.ts";
import * as actual from "../../static/gong.js";
import { startGong } from "../support/gong.ts";

const FILE = new URL("../../static/gong.js", import.meta.url);
const CONFIG = new URL("./check.json", import.meta.url);

/** Checks the types of files, and returns what is wrong with them. */
async function check(...args: string[]): Promise<string> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", ...args],
    env: { NO_COLOR: "1" },
  }).output();
  return success ? "" : new TextDecoder().decode(stderr);
}

Deno.test("gong.js has less than 8 KB when it is compressed", async () => {
  const bytes = gzipSync(await Deno.readFile(FILE), { level: 9 }).length;
  assert(bytes < 8000, `${bytes} bytes`);
});

Deno.test("gong.js imports nothing", async () => {
  assertEquals((await Deno.readTextFile(FILE)).match(/^\s*(import|export .* from) .*$/gm), null);
});

Deno.test("gong.js keeps to the types that it has", async () => {
  assertEquals(await check("--config", CONFIG.pathname, FILE.pathname), "");
});

Deno.test("gong.js exports what gong.d.ts declares", () => {
  // What is compared here is compared by the compiler.
  const names: Record<keyof typeof declared, unknown> = actual;
  assertEquals(Object.keys(names).sort(), ["Gong", "GongError"]);
});

Deno.test("whoever imports gong.js from a server gets its types too", async () => {
  await using server = await startGong(["--isolates", "1"]);
  const dir = await Deno.makeTempDir();
  try {
    const program = (call: string) => `import { Gong } from "${server.url}/gong.js";\nnew Gong().${call};\n`;
    await Deno.writeTextFile(`${dir}/right.ts`, program(`subscribe("a", ({ offset }) => offset.toFixed())`));
    await Deno.writeTextFile(`${dir}/wrong.ts`, program(`subscribe("a", ({ offset }) => offset.trim())`));
    const options = ["--no-config", "--no-lock", "--reload", "--allow-import"];
    assertEquals(await check(...options, `${dir}/right.ts`), "");
    const wrong = await check(...options, `${dir}/wrong.ts`);
    assert(wrong.includes("Property 'trim' does not exist on type 'number'"), wrong);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
