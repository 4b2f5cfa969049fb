import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The fuzz tests of every run, with so many more rounds of random input. */
export async function proveFuzz(rounds: number): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--config", `${ROOT}deno.json`, `${ROOT}tests/integration/fuzz_test.ts`],
    env: { FUZZ_ROUNDS: String(rounds), NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  const output = new TextDecoder().decode(stdout);
  assertEquals(code, 0, output + new TextDecoder().decode(stderr));
  const passed = /(\d+) passed \| 0 failed/.exec(output)?.[1];
  assert(passed !== undefined && passed !== "0", output);
  return `${passed} kinds of damaged input, ${rounds} each: the server still answers`;
}
