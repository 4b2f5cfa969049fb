import { assertEquals } from "@std/assert";
import type { Door } from "../../lib/door.ts";
import { json } from "../../lib/doors/json.ts";
import { Mover } from "../support/moving.ts";
import { Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

/** The JSON door, each publication with the cursor as of then. */
const stamped: Door = {
  ...json,
  codec: {
    ...json.codec,
    name: "stamped",
    stamp: (line, cursor) => `${String(line).slice(0, -1)},"cursor":${JSON.stringify(cursor)}}`,
  },
};

Deno.test("Edge.receive() has each cursor name all that a session hears, also what the edge has to ask for yet", async () => {
  await using stage = new Stage({ edges: 1 });
  const { edge: two, paths } = stage.startDelayedEdge();
  /** Lets everything go on, until it is so. */
  async function pass(isSo: () => boolean): Promise<void> {
    await until(async () => {
      for (const way of ["to hub", "to edge", "batch"] as const) {
        if (!isSo() && paths.waiting(way) > 0) await paths.pass(way);
      }
      return isSo();
    });
  }
  const local = two.json({ channels: ["a"] });
  await pass(() => local.socket.ofType("subscribed").length === 1);
  const client = stage.edge.json({ channels: ["a", "b"], door: stamped });
  await client.socket.subscribed(2);
  const mover = new Mover(stage.edge, client, stamped);
  await stage.publish("b", "before");
  await until(() => mover.heard("b").length === 1);
  const before = mover.lines.at(-1).cursor;

  let isThere = false;
  void mover.move(two).then(() => isThere = true);
  await pass(() => isThere);
  await stage.publish("a", "after");
  // The bus brings it, and what the hub says of `b` is not there yet.
  await until(async () => {
    if (paths.waiting("batch") > 0) await paths.pass("batch");
    return mover.heard("a").length > 0;
  });
  const { cursor } = mover.lines.at(-1);
  assertEquals(cursor.split(",").toSorted(), before.replace(/\ba@(\w+):0/, "a@$1:1").split(",").toSorted());
});
