import { assert, assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import { checkUpgrade, readProtocols } from "../../lib/http/handshake.ts";
import { seeded } from "../support/random.ts";

const GOOD: Record<string, string> = {
  "upgrade": "websocket",
  "connection": "Upgrade",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

function handshake(change: Record<string, string | undefined> = {}, method = "GET"): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries({ ...GOOD, ...change })) {
    if (value !== undefined) headers.append(name, value);
  }
  return new Request("http://localhost/push", { method, headers });
}

function refusal(request: Request): ErrorCode {
  return assertThrows(() => checkUpgrade(request), GongError).code;
}

Deno.test("checkUpgrade() lets a handshake of RFC 6455 through, in every form that clients write it", () => {
  const forms: Record<string, string>[] = [
    {},
    { "upgrade": "WebSocket" },
    { "upgrade": "websocket, foo" },
    { "connection": "upgrade" },
    { "connection": "keep-alive, Upgrade" },
    { "connection": "Upgrade,keep-alive" },
    { "connection": "keep-alive\t,\tUPGRADE , close" },
    { "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" },
    { "sec-websocket-key": "+/+/+/+/+/+/+/+/+/+/+w==" },
    { "sec-websocket-extensions": "permessage-deflate; client_max_window_bits" },
  ];
  for (const form of forms) checkUpgrade(handshake(form));
});

Deno.test("checkUpgrade() refuses what is no handshake, saying what was expected", () => {
  for (const method of ["GET", "POST", "HEAD", "DELETE"]) {
    const error = assertThrows(
      () => checkUpgrade(handshake({ upgrade: undefined }, method)),
      GongError,
      "Upgrade: websocket",
    );
    assertEquals([error.code, error.status], ["bad_request", 400]);
  }
  for (const upgrade of ["", "h2c", "websockets", "web socket", "websocket/13"]) {
    assertEquals(refusal(handshake({ upgrade })), "bad_request", upgrade);
  }
});

Deno.test("checkUpgrade() refuses a request as HTTP/2 has it: no Upgrade, no Connection, no key", () => {
  const bare = { "upgrade": undefined, "connection": undefined, "sec-websocket-key": undefined };
  assertEquals(refusal(handshake(bare)), "bad_request");
});

Deno.test("checkUpgrade() refuses a handshake whose method is not GET", () => {
  for (const method of ["POST", "HEAD", "PUT", "OPTIONS"]) {
    assertEquals(refusal(handshake({}, method)), "method_not_allowed", method);
  }
});

Deno.test("checkUpgrade() refuses a Connection header without upgrade", () => {
  for (const connection of [undefined, "", "keep-alive", "upgraded", "close, keep-alive", "up grade"]) {
    assertEquals(refusal(handshake({ connection })), "bad_request", connection);
  }
});

Deno.test("checkUpgrade() refuses a key that is not 16 bytes in base64", () => {
  const keys = [
    undefined,
    "",
    "dGhlIHNhbXBsZSBub25jZQ",
    "dGhlIHNhbXBsZSBub25jZQ=",
    "dGhlIHNhbXBsZSBub25jZQ== ==",
    "dGhlIHNhbXBsZSBub25jZWE=",
    "dGhlIHNhbXBsZSBub25j",
    "dGhlIHNhbXBsZS_ub25jZQ==",
    "dGhlIHNhbXBsZ!Bub25jZQ==",
    "====================",
    "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    "A".repeat(10_000),
  ];
  for (const key of keys) assertEquals(refusal(handshake({ "sec-websocket-key": key })), "bad_request", key);
});

Deno.test("checkUpgrade() asks for version 13 where the version is missing or another", () => {
  for (const version of [undefined, "", "8", "12", "14", "013", "13.0", "13, 8", "13, 13", "0xd", "thirteen"]) {
    const error = assertThrows(() => checkUpgrade(handshake({ "sec-websocket-version": version })), GongError);
    assertEquals([error.code, error.status], ["upgrade_required", 426], version);
  }
});

Deno.test("checkUpgrade() throws nothing but a GongError on random headers, and lets only whole handshakes through", () => {
  const random = seeded(2);
  const pieces = [
    "websocket",
    "Upgrade",
    "keep-alive",
    ",",
    " ",
    "\t",
    "13",
    "8",
    "=",
    "é",
    "A",
    "dGhlIHNhbXBsZSBub25jZQ==",
  ] as const;
  let through = 0;
  for (let round = 0; round < 3_000; round++) {
    const change: Record<string, string | undefined> = {};
    for (const name of Object.keys(GOOD)) {
      if (random.int(4) === 0) change[name] = random.int(5) === 0 ? undefined : random.text(pieces, 4);
    }
    const request = handshake(change, random.pick(["GET", "GET", "GET", "POST"]));
    try {
      checkUpgrade(request);
      through++;
      assertEquals(request.method, "GET");
      assertEquals(atob(request.headers.get("sec-websocket-key")!).length, 16);
      assertEquals(request.headers.get("sec-websocket-version"), "13");
    } catch (error) {
      if (!(error instanceof GongError)) throw error;
    }
  }
  assert(through > 300 && through < 2_700, `${through} of 3000 passed`);
});

function offering(...lines: string[]): Request {
  const headers = new Headers(Object.entries(GOOD));
  for (const line of lines) headers.append("sec-websocket-protocol", line);
  return new Request("http://localhost/push", { headers });
}

Deno.test("readProtocols() reads a list in every form that RFC 6455 and RFC 9110 allow, and keeps its order", () => {
  const table: [lines: string[], protocols: string[]][] = [
    [[], []],
    [[""], []],
    [["chat"], ["chat"]],
    [["v10.stomp,v12.stomp"], ["v10.stomp", "v12.stomp"]],
    [["v12.stomp, v10.stomp"], ["v12.stomp", "v10.stomp"]],
    [[" a\t,\tb ,  c"], ["a", "b", "c"]],
    [["a", "b,c", "d"], ["a", "b", "c", "d"]],
    [[",a,, ,b,"], ["a", "b"]],
    [["a,a"], ["a", "a"]],
    [["!#$%&'*+-.^_`|~09azAZ"], ["!#$%&'*+-.^_`|~09azAZ"]],
  ];
  for (const [lines, protocols] of table) assertEquals(readProtocols(offering(...lines)), protocols, `${lines}`);
});

Deno.test("readProtocols() refuses what is no list of tokens, naming the header", () => {
  for (const line of ["a b", "a/b", "v12.stomp;q=1", '"a"', "a,b c", "a=b", "é", "(a)", "a\tb", "{}"]) {
    const error = assertThrows(() => readProtocols(offering(line)), GongError);
    assertEquals([error.code, error.field], ["bad_request", "Sec-WebSocket-Protocol"], line);
  }
});

Deno.test("readProtocols() takes 32 subprotocols and refuses more, in one header or several, empty ones too", () => {
  const all = Array.from({ length: 33 }, (_, n) => `p${n}`);
  assertEquals(readProtocols(offering(all.slice(1).join(","))), all.slice(1));
  assertEquals(readProtocols(offering(...all.slice(1))), all.slice(1));
  for (const lines of [[all.join(",")], all, [",".repeat(32)], [`${all.slice(1).join(",")},`], [",".repeat(100_000)]]) {
    const error = assertThrows(() => readProtocols(offering(...lines)), GongError, "at most 32");
    assertEquals([error.code, error.field], ["bad_request", "Sec-WebSocket-Protocol"]);
  }
});
