import { assertEquals } from "@std/assert";
import { connect } from "../support/client.ts";
import { startGong } from "../support/gong.ts";

const SCRIPT = new URL("./in_node.mjs", import.meta.url).pathname;

/** Version of the `node` on the path, if there is one. */
async function findNode(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return undefined;
  }
}

const node = await findNode();
const ignore = node === undefined && Deno.env.get("CI") === undefined;

/** Node 20 has a `WebSocket` only if it is told to; later ones have it unless they are told not to. */
const WAYS = [["--no-experimental-websocket", "sse"], ["--experimental-websocket", "websocket"]] as const;

for (const [flag, transport] of WAYS) {
  Deno.test({
    name: `Gong hears, publishes, resumes and ends in Node over ${transport}`,
    ignore,
    async fn() {
      if (node === undefined) throw new Error("no node here");
      await using server = await startGong(["--isolates", "1"]);
      const dir = await Deno.makeTempDir();
      try {
        await Deno.copyFile(new URL("../../static/gong.js", import.meta.url), `${dir}/gong.mjs`);
        const { code, stdout, stderr } = await new Deno.Command("node", {
          args: ["--expose-gc", flag, SCRIPT, `${dir}/gong.mjs`, server.url],
          stdin: "null",
        }).output();
        const expected = [
          `open ${transport}`,
          'text "of node"',
          "bytes 0,255,16",
          "late timeout",
          "resumed 1,2,3",
          "closed",
          "",
        ];
        const printed = new TextDecoder().decode(stdout).split("\n");
        assertEquals([code, printed], [0, expected], `${node}: ${new TextDecoder().decode(stderr)}`);
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
      await using other = await connect(`${server.ws}/push?channel=a`);
      other.send("the server is well");
      assertEquals(await other.nextText(), "the server is well");
    },
  });
}
