import { assertEquals, assertThrows } from "@std/assert";
import type { StompVersion } from "../../lib/codecs/stomp.ts";
import type { Door } from "../../lib/door.ts";
import { chooseDoor, type Speech } from "../../lib/doors/choice.ts";
import { json } from "../../lib/doors/json.ts";
import { plain } from "../../lib/doors/plain.ts";
import { readWish } from "../../lib/doors/query.ts";
import { GongError } from "../../lib/errors.ts";

/** A handshake that offers these. */
function handshake(query: string, offered: string | undefined) {
  const headers = new Headers(offered === undefined ? {} : { "sec-websocket-protocol": offered });
  const request = new Request(`http://localhost/push${query}`, { headers });
  return { request, url: new URL(request.url) };
}

/** The name of the door that is chosen, or the version of STOMP; and the subprotocol. */
function choose(query: string, offered: string | undefined, speech: Speech = "plain") {
  const { request, url } = handshake(query, offered);
  const { open, protocol } = chooseDoor(request, url, speech);
  let stomp: StompVersion | "unsaid" | undefined;
  const conversation: Door = { ...plain };
  const door = open((version) => {
    stomp = version ?? "unsaid";
    return conversation;
  });
  return [door === plain ? "plain" : door === json ? "json" : stomp, protocol];
}

/** The refusal of a query, once the door is chosen. */
function refusal(query: string, offered: string | undefined, speech: Speech = "plain"): GongError {
  const { request, url } = handshake(query, offered);
  return assertThrows(() => readWish(url, chooseDoor(request, url, speech).wish), GongError);
}

Deno.test("chooseDoor() takes the highest version of STOMP that is offered, in whatever order", () => {
  const table: [offered: string, version: StompVersion][] = [
    ["v12.stomp", "1.2"],
    ["v11.stomp", "1.1"],
    ["v10.stomp", "1.0"],
    ["v10.stomp, v11.stomp, v12.stomp", "1.2"],
    ["v10.stomp,v12.stomp,v11.stomp", "1.2"],
    ["v10.stomp,v11.stomp", "1.1"],
    ["chat, v10.stomp, v13.stomp", "1.0"],
  ];
  for (const [offered, version] of table) {
    const expected = [version, `v${version.replace(".", "")}.stomp`];
    for (const speech of ["plain", "stomp"] as const) assertEquals(choose("", offered, speech), expected, offered);
  }
});

Deno.test("chooseDoor() goes by the path where nothing is offered that anybody speaks, and chooses no subprotocol", () => {
  for (const offered of [undefined, "", "chat", "chat, v13.stomp", "V12.STOMP", "v12.stompx"]) {
    assertEquals(choose("", offered), ["plain", undefined], offered);
    assertEquals(choose("?format=plain", offered), ["plain", undefined], offered);
    assertEquals(choose("?format=json", offered), ["json", undefined], offered);
    assertEquals(choose("", offered, "stomp"), ["unsaid", undefined], offered);
  }
  assertEquals(refusal("?format=xml", undefined).field, "format");
  assertEquals(refusal("", "a b").field, "Sec-WebSocket-Protocol");
});

Deno.test("chooseDoor() leaves STOMP of the query only `echo` and `session`, and says what there is instead of others", () => {
  for (const [offered, speech] of [["v12.stomp", "plain"], [undefined, "stomp"], ["v10.stomp", "stomp"]] as const) {
    const { request, url } = handshake("?echo=false&session=a&session=b", offered);
    const wish = readWish(url, chooseDoor(request, url, speech).wish);
    assertEquals(wish, { channels: [], starts: new Map(), echo: false, formerly: ["a", "b"] });
    for (const name of ["channel", "since", "history"]) {
      const error = refusal(`?${name}=1`, offered, speech);
      assertEquals([error.code, error.field, error.message.includes("SUBSCRIBE")], ["bad_request", name, true]);
    }
    for (const format of ["json", "plain", "xml"]) {
      const { field, message } = refusal(`?format=${format}`, offered, speech);
      assertEquals([field, message.includes("STOMP")], ["format", true]);
    }
    const { field, message } = refusal("?sesion=a", offered, speech);
    assertEquals([field, message.includes("`session`")], ["sesion", true]);
    assertEquals(refusal("?chanel=a", offered, speech).message.includes("`channel`"), false);
  }
});

Deno.test("chooseDoor() opens a conversation of its own for each session that speaks STOMP", () => {
  const { request, url } = handshake("", "v12.stomp");
  const { open } = chooseDoor(request, url, "plain");
  const make = () => open(() => ({ ...plain }));
  assertEquals(make() === make(), false);
});
