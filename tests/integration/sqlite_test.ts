/**
 * The SQLite broker in a server: what stays over a restart, and what keeps it from starting, in one line each.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openFile } from "../../lib/brokers/sqlite/file.ts";
import { SCHEMA } from "../../lib/brokers/sqlite/schema.ts";
import { inFolder } from "../support/folder.ts";
import { type Gong, runGong, startGong } from "../support/gong.ts";

const SERVE = ["--isolates", "1", "--broker", "sqlite:gong.db"];

async function publish(gong: Gong, body: object): Promise<{ epoch: string; offset: number }> {
  const response = await fetch(`${gong.url}/api/publish`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  assertEquals(response.status, 200, JSON.stringify(answer));
  return answer.positions[0];
}

Deno.test("gong serve --broker sqlite: goes on where it was, whether it was stopped or killed", () =>
  inFolder(async (dir) => {
    let epoch = "";
    for (const [round, end] of (["stop", "kill", "stop"] as const).entries()) {
      await using gong = await startGong(SERVE, { dir });
      const position = await publish(gong, { channel: "a", data: round });
      if (round > 0) assertEquals(position.epoch, epoch);
      epoch = position.epoch;
      assertEquals(position.offset, round + 1);
      await gong[end]();
    }
    assertEquals((Deno.statSync(`${dir}/gong.db`).mode ?? 0) & 0o777, 0o600);
    const { code, stdout } = await runGong(["check", "--broker", "sqlite:gong.db"], { dir });
    assertEquals(code, 0);
    assertMatch(stdout, /^gong\.db has \d+ bytes$/m);
  }));

Deno.test("gong serve refuses a file that another Gong has, in one line", () =>
  inFolder(async (dir) => {
    await using first = await startGong(SERVE, { dir });
    await publish(first, { channel: "a", data: 1 });
    const second = await runGong(["serve", "--dev", "--port", "0", ...SERVE], { dir });
    assertEquals([second.code, second.stdout], [1, ""]);
    assertStringIncludes(second.stderr, "gong: gong.db is in use by another Gong");
    assertEquals((await publish(first, { channel: "a", data: 2 })).offset, 2);
  }));

Deno.test("of two Gongs that are started at once on one file, new or not, one serves", () =>
  inFolder(async (dir) => {
    for (let round = 1; round <= 2; round++) {
      const started = await Promise.allSettled([1, 2].map(() => startGong(SERVE, { dir })));
      const serving = started.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
      try {
        assertEquals(serving.length, 1);
        const refused = started.find((one) => one.status === "rejected");
        assertStringIncludes(String(refused?.reason), "gong.db is in use by another Gong");
        assertEquals((await publish(serving[0]!, { channel: "a", data: 1 })).offset, round);
      } finally {
        for (const gong of serving) await gong.stop();
      }
    }
  }));

Deno.test("gong serve says in one line what is wrong with its file, and leaves it as it is", () =>
  inFolder(async (dir) => {
    openFile(`${dir}/newer.db`, { schema: [...SCHEMA, "SELECT 1"] }).close();
    Deno.writeTextFileSync(`${dir}/text.db`, "not a database\n".repeat(100));
    openFile(`${dir}/torn.db`, { schema: SCHEMA }).close();
    Deno.truncateSync(`${dir}/torn.db`, 5000);
    Deno.mkdirSync(`${dir}/folder.db`);
    const cases = [
      ["newer.db", "newer.db was written by a newer Gong"],
      ["text.db", "text.db is not a file of Gong"],
      ["torn.db", "torn.db is damaged"],
      ["folder.db", "folder.db is a folder"],
      ["none/x.db", "none/x.db: there is no such folder"],
      ["/etc/gong.db", "/etc/gong.db is in none of the folders that this program is permitted to"],
      ["/tmp/gong.db", "/tmp/gong.db is in none of the folders that this program is permitted to"],
    ] as const;
    for (const [file, reason] of cases) {
      const path = file.startsWith("/") ? file : `${dir}/${file}`;
      const read = () => file.endsWith("r.db") || file.includes("/") ? undefined : Deno.readFileSync(path);
      const before = read();
      const { code, stdout, stderr } = await runGong(
        ["serve", "--dev", "--port", "0", "--isolates", "1", "--broker", `sqlite:${file}`],
        { dir },
      );
      assertEquals([code, stdout], [1, ""], stderr);
      // Beside the log, and what Deno itself says.
      const own = stderr.trimEnd().split("\n").filter((line) => !/^(?:\{|Warning )/.test(line));
      assertEquals(own.length, 1, stderr);
      assert(own[0]!.startsWith(`gong: ${reason}`), stderr);
      assertEquals(read(), before);
    }
  }));
