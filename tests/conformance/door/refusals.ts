/**
 * What a door does not do is refused before anything is sent, in its own form, by the name of what is wrong.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Gong } from "../../support/gong.ts";
import { DoorClient } from "../../support/doors/door_client.ts";
import { Refused, type Wish } from "../../support/doors/wire.ts";
import type { Case, Context } from "./case.ts";

/** One refusal. */
interface Row {
  readonly wish: Partial<Wish>;
  readonly status?: number;
  /** The parameter that is at fault. */
  readonly field?: string;
}

const MANY = (count: number) => Array.from({ length: count }, (_, n) => `open.${n}`);
const FORBIDDEN = { status: 403 };

async function isRefused(context: Context, gong: Gong, { wish, status = 400, field }: Row): Promise<void> {
  const whole = { channels: ["open.a"], ...wish };
  const title = JSON.stringify(whole).slice(0, 200);
  const refused = await DoorClient.open(context.open, gong, whole).then((client) => client.drop(), (error) => error);
  if (!(refused instanceof Refused)) throw new Error(`not refused: ${title}`, { cause: refused });
  assertEquals(refused.status, status, `${title}: ${refused.body}`);
  assertEquals(refused.headers.get("cache-control"), "no-store");
  if (context.features.refusals === "text") {
    assertMatch(refused.contentType, /^text\/plain/);
    // A sentence has no field, but says what it is about.
    if (field) assertStringIncludes(refused.body.toLowerCase(), field, title);
    return;
  }
  const problem = refused.problem;
  assert(problem, `${title}: ${refused.contentType}`);
  assertEquals([problem.status, problem.code], [status, status === 403 ? "forbidden" : "bad_request"], title);
  if (field) assertEquals(problem.field, field, title);
}

function needs({ refusals }: Context["features"]): boolean {
  return refusals !== "late" && refusals !== "ending";
}

export const REFUSALS: readonly Case[] = [
  {
    title: "a channel that may not be heard is refused, named by the query or by the cursor",
    needs,
    async run(context) {
      const { servers: { guarded: gong } } = context;
      await isRefused(context, gong, { wish: { channels: ["secret"] }, ...FORBIDDEN });
      await isRefused(context, gong, { wish: { channels: ["open.a", "secret"] }, ...FORBIDDEN });
      await isRefused(context, gong, { wish: { channels: ["$admin"] }, ...FORBIDDEN });
      await isRefused(context, gong, { wish: { since: "secret@e:1" }, ...FORBIDDEN });
      (await context.connect(gong, { channels: ["open.a", "broadcast"] })).drop();
    },
  },
  {
    title: "more channels than one session may hear are refused",
    needs,
    async run(context) {
      const { servers: { guarded: gong } } = context;
      await isRefused(context, gong, { wish: { channels: MANY(4) }, field: "channel" });
      const since = MANY(4).map((channel) => `${channel}@e:1`).join();
      await isRefused(context, gong, { wish: { channels: MANY(3), since } });
      (await context.connect(gong, { channels: MANY(3) })).drop();
    },
  },
  {
    title: "a query that is malformed is refused by the name of the parameter",
    needs,
    async run(context) {
      const { servers: { open: gong } } = context;
      const rows: Row[] = [
        ...["no channel", "ä", "", "x".repeat(129), "a,b", "a@b"].map((name): Row => {
          return { wish: { channels: [name] }, field: "channel" };
        }),
        ...["x", "e:-1", "e:1.5", "e:", ":1", "open.a@e", "open.a@e:1,", "open.a@e:1,open.a@e:2", "e e:1", "e:1e3"]
          .map((since): Row => ({ wish: { since }, field: "since" })),
        { wish: { channels: ["open.a", "open.b"], since: "e:1" }, field: "since" },
        { wish: { since: MANY(33).map((channel) => `${channel}@e:1`).join() }, field: "since" },
        { wish: { since: `open.a@${"e".repeat(65)}:1` }, field: "since" },
        { wish: { since: "open.a@e:9999999999999999" }, field: "since" },
        ...["-1", "1.5", "x", "", "10001", "1e3", "99999999999999999999"].map((value): Row => {
          return { wish: { query: `history=${value}` }, field: "history" };
        }),
        { wish: { query: "echo=maybe" }, field: "echo" },
        { wish: { sessions: MANY(9) }, field: "session" },
        { wish: { query: "colour=red" }, field: "colour" },
        { wish: { query: "Channel=a" }, field: "Channel".toLowerCase() },
      ];
      for (const row of rows.slice(0, -1)) await isRefused(context, gong, row);
    },
  },
  {
    title: "33 channels are too many for a cursor",
    needs: ({ refusals }) => refusals === "problem",
    async run(context) {
      const { servers: { open: gong } } = context;
      await isRefused(context, gong, { wish: { channels: MANY(33) }, field: "channel" });
      await isRefused(context, gong, { wish: { channels: [] }, field: "channel" });
      await isRefused(context, gong, { wish: { channels: MANY(32), since: "other@e:1" } });
      (await context.connect(gong, { channels: MANY(32) })).drop();
    },
  },
];
