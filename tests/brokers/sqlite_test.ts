import { testBroker } from "../conformance/broker.ts";
import { SqliteFolder } from "../support/sqlite.ts";

const folder = new SqliteFolder();
globalThis.addEventListener("unload", () => Deno.removeSync(folder.path, { recursive: true }));

testBroker("sqlite", (announce, bounds) => folder.open(folder.newFile(), announce, bounds), {
  atomic: true,
  clock: true,
  bytes: true,
  forgets: true,
  reopen(broker, how, announce, bounds) {
    const file = folder.fileOf(broker);
    return folder.open(how === "closed" ? file : folder.copy(file), announce, bounds);
  },
});
