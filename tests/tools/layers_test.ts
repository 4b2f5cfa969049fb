import { assertEquals } from "@std/assert";
import { checkLayers } from "./layers.ts";

const LAYERS = ["lib/types.ts", "lib/codecs/", "lib/bus.ts", "lib/socket.ts", "lib/doors/", "main.ts"];

/** A sound program of these layers, with some of its files replaced. */
function program(changed: Record<string, string> = {}): Map<string, string> {
  return new Map(Object.entries({
    "lib/types.ts": "export type A = string;\n",
    "lib/codecs/sse.ts": 'import type { A } from "../types.ts";\nexport const a: A = "";\n',
    "lib/bus.ts": 'export { a } from "./codecs/sse.ts";\nnew BroadcastChannel("bus");\n',
    "lib/socket.ts": "export const open = Deno.upgradeWebSocket;\n",
    "lib/doors/plain.ts": 'import {\n  open,\n} from "../socket.ts";\nopen();\n',
    "lib/doors/mod.ts": 'import "./plain.ts";\n',
    "main.ts": 'import "./lib/doors/mod.ts";\n',
    ...changed,
  }));
}

function violations(changed: Record<string, string>): string[] {
  return checkLayers(program(changed), LAYERS);
}

Deno.test("checkLayers() finds nothing in a program whose imports go one way", () => {
  assertEquals(violations({}), []);
});

Deno.test("checkLayers() reports an import upwards, of types and over several lines too", () => {
  const expected = ["lib/types.ts imports lib/doors/plain.ts, which is not below it"];
  assertEquals(violations({ "lib/types.ts": 'import type { P } from "./doors/plain.ts";\n' }), expected);
  assertEquals(violations({ "lib/types.ts": 'import {\n  a,\n  b,\n} from "./doors/plain.ts";\n' }), expected);
  assertEquals(violations({ "lib/types.ts": 'export * from "./doors/plain.ts";\n' }), expected);
  assertEquals(violations({ "lib/types.ts": 'const p = await import("./doors/plain.ts");\n' }), expected);
});

Deno.test("checkLayers() reports a cycle inside one folder", () => {
  assertEquals(violations({ "lib/doors/plain.ts": 'import "./mod.ts";\n' }), [
    "import cycle: lib/doors/plain.ts → lib/doors/mod.ts → lib/doors/plain.ts",
  ]);
});

Deno.test("checkLayers() reports a second user of BroadcastChannel", () => {
  assertEquals(violations({ "lib/doors/plain.ts": "const c = new BroadcastChannel(name);\n" }), [
    "lib/doors/plain.ts uses BroadcastChannel: it loses messages in silence, which only lib/bus.ts makes good",
  ]);
});

Deno.test("checkLayers() reports a second user of Deno.upgradeWebSocket, under any spelling", () => {
  const expected = ["lib/doors/plain.ts uses Deno.upgradeWebSocket: lib/socket.ts is the one WebSocket engine"];
  assertEquals(violations({ "lib/doors/plain.ts": "Deno.upgradeWebSocket(request);\n" }), expected);
  assertEquals(violations({ "lib/doors/plain.ts": "const { upgradeWebSocket } = Deno;\n" }), expected);
});

Deno.test("checkLayers() reports a codec that uses Deno", () => {
  assertEquals(violations({ "lib/codecs/sse.ts": "export const now = Deno.uptime();\n" }), [
    "lib/codecs/sse.ts uses Deno: a codec is a pure function of values and bytes",
  ]);
});

Deno.test("checkLayers() reports a file in no layer, and a layer without a file", () => {
  assertEquals(violations({ "lib/stray.ts": "" }), ["lib/stray.ts is in no layer: name it in tests/tools/layers.ts"]);
  const broken = program();
  broken.delete("lib/socket.ts");
  assertEquals(checkLayers(broken, LAYERS), [
    "lib/socket.ts is a layer but is not there: take it out of tests/tools/layers.ts",
  ]);
});

Deno.test("checkLayers() does not mistake a comment for code", () => {
  const text = "/** Not BroadcastChannel, says Deno.serve. */\nexport const a = 1; // nor Deno.exit\n";
  assertEquals(violations({ "lib/codecs/sse.ts": text }), []);
});
