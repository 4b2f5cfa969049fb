import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { Expected } from "../../lib/edge/expected.ts";
import { EdgeWhereabouts } from "../../lib/edge/whereabouts.ts";
import type { EngineOrder } from "../../lib/engineio/orders.ts";
import { Stage } from "../support/stage.ts";

const SEAL = crypto.getRandomValues(new Uint8Array(32));

function open(number: number, seal = SEAL): EdgeWhereabouts {
  const never = () => new Promise<never>(() => {});
  return new EdgeWhereabouts({ number, seal, link: { request: never, notify() {} }, expected: new Expected() });
}

Deno.test("EdgeWhereabouts.ownerOf() tells the edge that has made an id, to every edge of the same seal", () => {
  for (const number of [1, 36, 5000, 2 ** 44, Number.MAX_SAFE_INTEGER - 1]) {
    const sid = open(number).newSid();
    assertMatch(sid, /^[\w.-]{40,64}$/);
    assertEquals(open(number).ownerOf(sid), "here");
    assertEquals(open(number + 1).ownerOf(sid), number);
  }
  assert(open(1).newSid() !== open(1).newSid());
});

Deno.test("EdgeWhereabouts.ownerOf() knows no id that is not whole, or of another seal", () => {
  const here = open(1);
  const sid = here.newSid();
  assertEquals(open(1, new Uint8Array(32)).ownerOf(sid), undefined);
  for (let at = 0; at < sid.length; at++) {
    const other = sid[at] === "A" ? "B" : "A";
    assertEquals(here.ownerOf(sid.slice(0, at) + other + sid.slice(at + 1)), undefined, `changed at ${at}`);
    assertEquals(here.ownerOf(sid.slice(0, at)), undefined, `cut at ${at}`);
  }
  for (const text of ["", "..", "1..", `${sid}A`, ` ${sid}`, "2" + sid, "é".repeat(40), sid.replace(".", "")]) {
    assertEquals(here.ownerOf(text), undefined, text);
  }
});

Deno.test("EdgeWhereabouts.ask() has the owner answer, abandon() tells it that the client of a poll is gone", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two] = stage.edges as [typeof stage.edge, typeof stage.edge];
  const told: string[] = [];
  const answer = Promise.withResolvers<{ status: number; body: string }>();
  two.edge.engine = {
    serve: (order: EngineOrder) => {
      told.push(`${order.kind} ${order.sid}`);
      return answer.promise;
    },
    abandon: (sid) => {
      told.push(`abandon ${sid}`);
      answer.resolve({ status: 200, body: "6" });
    },
    drain() {},
    give: () => Promise.reject(new Error("nobody asks")),
  };
  const { whereabouts } = one.edge;
  const asked = whereabouts.ask(2, { kind: "poll", sid: "s", asText: true });
  whereabouts.abandon(2, "s");
  assertEquals(await asked, { status: 200, body: "6" });
  assertEquals(told, ["poll s", "abandon s"]);
  const gone = await assertRejects(() => whereabouts.ask(9, { kind: "post", sid: "s", id: "1", body: "x" }), GongError);
  assertEquals(gone.code, "not_found");
});

Deno.test("EdgeWhereabouts.ask() rejects a poll with `not_found` when its owner ends", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two] = stage.edges as [typeof stage.edge, typeof stage.edge];
  const asked = Promise.withResolvers<void>();
  two.edge.engine = {
    serve: () => {
      asked.resolve();
      return new Promise(() => {});
    },
    abandon() {},
    drain() {},
    give: () => Promise.reject(new Error("nobody asks")),
  };
  const order = { kind: "poll", sid: "s", asText: true } as const;
  const poll = assertRejects(() => one.edge.whereabouts.ask(2, order), GongError);
  await asked.promise;
  stage.hub.detach(2);
  assertEquals((await poll).code, "not_found");
  assert(!stage.hub.directory.has(2));
});
