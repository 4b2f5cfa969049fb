import { assert, assertEquals, assertRejects } from "@std/assert";
import type { OnData } from "../../../lib/cli/bench/frames.ts";
import { Prelude } from "../../../lib/cli/bench/wires/stomp_prelude.ts";
import { assertDeliveredOnce, runLoad } from "../../support/load.ts";
import { startGong } from "../../support/gong.ts";
import { messageFor, serveStomp } from "./stomp_peer.ts";

const small = { subscribers: 6, rate: 0, count: 40, workers: 2, format: "stomp" } as const;

/** Tests with isolates: what the runtime keeps for them is not a leak of the test. */
function loadTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

loadTest("runLoad() of STOMP subscribes with a receipt, all with one id, and sends to the same topic", async () => {
  await using peer = serveStomp();
  const report = await runLoad({ url: peer.url, ...small, publishers: 2, size: 77, apiKey: "s3cret" });
  assertDeliveredOnce(report);
  assertEquals([report.format, report.publishers, report.delivered], ["stomp", 2, 240]);
  const of = (command: string) => peer.said.filter((frame) => frame.command === command);
  assertEquals(of("CONNECT").length, 8);
  for (const { headers } of of("CONNECT")) assertEquals(headers, { "accept-version": "1.2", host: "127.0.0.1" });
  assertEquals(of("SUBSCRIBE").length, 6);
  for (const { headers } of of("SUBSCRIBE")) {
    assertEquals(headers, { id: "sub-0", destination: "/topic/broadcast", receipt: "sub-0" });
  }
  assert(of("SEND").length >= 40);
  for (const { headers, body } of of("SEND")) {
    assertEquals(headers, { destination: "/topic/broadcast", "content-type": "text/plain" });
    assertEquals(body.length, 77);
  }
  assertEquals([...peer.keys], ["s3cret"]);
  assertEquals([...peer.queries], [""]);
});

loadTest("runLoad() of STOMP names the channel as a header has it, and gives each an id of its own", async () => {
  await using peer = serveStomp();
  const report = await runLoad({ url: peer.url, ...small, channel: "a:b", distinctIds: true });
  assertDeliveredOnce(report);
  const subscribed = peer.said.filter(({ command }) => command === "SUBSCRIBE");
  assertEquals(new Set(subscribed.map(({ headers }) => headers.id)).size, 6);
  assertEquals(new Set(subscribed.map(({ headers }) => headers.destination)), new Set(["/topic/a\\cb"]));
});

loadTest("runLoad() of STOMP finds messages that share a WebSocket message", async () => {
  let held: string[] = [];
  await using peer = serveStomp((frame, _client, clients) => {
    if (frame.command !== "SEND") return false;
    held.push(frame.body);
    const isProbe = frame.body.slice(12, 17) === "99999";
    if (!isProbe && held.length < 10) return true;
    for (const client of clients) {
      const joined = held.map((body) => messageFor(client, { ...frame, body })).join("");
      if (joined !== "") client.send(joined);
    }
    held = [];
    return true;
  });
  assertDeliveredOnce(await runLoad({ url: peer.url, ...small }));
});

loadTest("runLoad() of STOMP tells the message of the ERROR that a subscriber was refused with", async () => {
  let asked = 0;
  await using peer = serveStomp(({ command }, client) => {
    if (command !== "SUBSCRIBE" || ++asked % 3 !== 0) return false;
    client.send("ERROR\ncode:forbidden\nmessage:Not\\c for you.\n\nMore of it.\0");
    return true;
  });
  const report = await runLoad({ url: peer.url, ...small });
  assertEquals(report.failed, { "Not: for you.": 2 });
  assertEquals([report.connected, report.delivered, report.lost], [4, 160, 0]);
});

loadTest("runLoad() of STOMP counts nobody as connected whose connection ends before the RECEIPT", async () => {
  await using peer = serveStomp(({ command }, client) => {
    if (command === "SUBSCRIBE") client.close(4403);
    return command === "SUBSCRIBE";
  });
  const report = await runLoad({ url: peer.url, ...small, publishers: 0, duration: 0 });
  assertEquals(report.failed, { "closed before it was connected: 4403": 6 });
  assertEquals(report.connected, 0);
});

loadTest("runLoad() of STOMP refuses a server that does not take the subprotocol", async () => {
  await using peer = serveStomp(undefined, null);
  const report = await runLoad({ url: peer.url, ...small, publishers: 0, duration: 0 });
  assertEquals(report.failed, { "101 without the subprotocol v12.stomp": 6 });
});

loadTest("runLoad() of STOMP counts refusals by the code of the ERROR", async () => {
  await using peer = serveStomp(({ command, body }, client) => {
    if (command !== "SEND" || !body.includes("00000000000003")) return false;
    client.send("\nERROR\nmessage:Too much.\ncode:overloaded\n\n\0");
    return true;
  });
  // What is lost is waited for, so long that a machine that stands still has not lost the rest too.
  const report = await runLoad({ url: peer.url, ...small, settle: 3 });
  assertEquals(report.refused, { overloaded: 1 });
  assertEquals(report.lost, 6);
});

loadTest("runLoad() of STOMP delivers everything through the server, with one id and with many", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  for (const distinctIds of [false, true]) {
    const report = await runLoad({ url: `${gong.ws}/push`, ...small, distinctIds, channel: "room:42" });
    assertDeliveredOnce(report);
    assertEquals(report.delivered, 240);
  }
});

Deno.test("Prelude gives on what is behind the last answer, and nothing before it, cut wherever it may be", async () => {
  const before = "\nCONNECTED\nversion:1.2\n\n\0\n\nRECEIPT\nreceipt-id:sub-0\n\n\0";
  const text = `${before}MESSAGE\n\nfirst\0`;
  const bytes = new TextEncoder().encode(text);
  for (let cut = 0; cut <= bytes.length; cut++) {
    let given = "";
    const prelude = new Prelude(["CONNECTED", "RECEIPT"], (all, start, end) => {
      given += new TextDecoder().decode(all.subarray(start, end));
      return end;
    });
    // Two WebSocket messages in one buffer, the first with something before it that is not its own.
    feed(prelude.onData, bytes, 0, cut);
    feed(prelude.onData, bytes, cut, bytes.length);
    await Promise.all(prelude.answers);
    assertEquals(given, "MESSAGE\n\nfirst\0", `cut at ${cut}`);
  }
});

Deno.test("Prelude wants the pieces of a message again until it is whole", () => {
  const bytes = new TextEncoder().encode("CONNECTED\n\n\0");
  const prelude = new Prelude(["CONNECTED"], (_bytes, _start, end) => end);
  assertEquals(prelude.onData(bytes, 0, 5, false), 0);
  assertEquals(prelude.onData(bytes, 0, bytes.length, true), bytes.length);
});

Deno.test("Prelude rejects what an ERROR leaves without an answer", async () => {
  const prelude = new Prelude(["CONNECTED", "RECEIPT"], (_bytes, _start, end) => end);
  const bytes = new TextEncoder().encode("ERROR\nmessage:No.\n\nno\0");
  prelude.onData(bytes, 0, bytes.length, true);
  for (const answer of prelude.answers) await assertRejects(() => answer, Error, "No.");
});

Deno.test("Prelude takes no other frame for the answer", async () => {
  let given = "";
  const prelude = new Prelude(["RECEIPT"], (bytes, start, end) => {
    given += new TextDecoder().decode(bytes.subarray(start, end));
    return end;
  });
  const say = (text: string) => feed(prelude.onData, new TextEncoder().encode(text), 0, text.length);
  say("MESSAGE\n\nearly\0");
  const isOpen = Symbol();
  assertEquals<unknown>(await Promise.race([prelude.answers[0], Promise.resolve(isOpen)]), isOpen);
  say("RECEIPT\n\n\0late");
  await prelude.answers[0];
  assertEquals(given, "late");
});

function feed(onData: OnData, bytes: Uint8Array, start: number, end: number): void {
  if (end > start) onData(bytes, start, end, true);
}
