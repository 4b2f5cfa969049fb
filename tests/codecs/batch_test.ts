import { assert, assertEquals } from "@std/assert";
import { decodeBatch, encodeBatch, readBatchHead } from "../../lib/codecs/batch.ts";
import type { Publication } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";

function publication(channel: string, offset: number, data: Publication["data"], more = {}): Publication {
  return {
    channel,
    epoch: `e-${channel}`,
    offset,
    time: 1_700_000_000_000 + offset,
    data,
    contentType: "a/b",
    ...more,
  };
}

function decode(batch: Uint8Array, wants: (channel: string) => boolean = () => true): Publication[] {
  const publications: Publication[] = [];
  decodeBatch(batch, wants, publications);
  return publications;
}

const TEXTS = [
  "",
  "x",
  "\0",
  "\ufeff",
  "\ufeffafter a byte order mark",
  "line\r\nline\u2028line",
  "grüße ✓ 🎉 漢字",
  '{"quoted":"\\"\\\\"}',
  "\ud7ff\ue000\uffff\u{10ffff}",
  "x".repeat(100_000),
  "ü".repeat(100_000),
];
const BLOCKS = [
  new Uint8Array(),
  Uint8Array.of(0),
  Uint8Array.of(0xef, 0xbb, 0xbf, 0xff, 0xfe, 0x00, 0x80),
  new Uint8Array(70_000).fill(0xff),
];

Deno.test("decodeBatch() gives back what encodeBatch() took, to the last byte", () => {
  const publications = [
    ...TEXTS.map((data, index) => publication("text", index + 1, data)),
    ...BLOCKS.map((data, index) => publication("bytes", index + 1, data)),
    publication("all", 1, "x", {
      ...{ id: "ü".repeat(32), event: '"e"\n', user: "u\ufeff", from: "1-abc" },
      tags: { a: "b", ["__proto__"]: "kept", constructor: "kept", "": "empty" },
    }),
  ];
  const batch = encodeBatch(7, 1.5, publications);
  assertEquals(decode(batch), publications);
  assertEquals(readBatchHead(batch), { number: 7, born: 1.5, count: publications.length });
});

Deno.test("encodeBatch() keeps the order of publications of several channels and epochs", () => {
  const publications = [
    publication("a", 1, "1"),
    publication("b", 1, "2"),
    publication("a", 2, "3"),
    publication("a", 1, "4", { epoch: "other" }),
    publication("b", 2, "5"),
  ];
  assertEquals(decode(encodeBatch(1, 0, publications)), publications);
});

Deno.test("encodeBatch() of nothing is a batch with a number", () => {
  const batch = encodeBatch(3, 2.25, []);
  assertEquals(readBatchHead(batch), { number: 3, born: 2.25, count: 0 });
  assertEquals(decode(batch), []);
});

Deno.test("readBatchHead() reads numbers and times to their last digit, wherever the batch lies in memory", () => {
  const born = performance.timeOrigin + performance.now();
  const batch = encodeBatch(Number.MAX_SAFE_INTEGER, born, [publication("a", Number.MAX_SAFE_INTEGER, "x")]);
  const elsewhere = new Uint8Array(batch.length + 3);
  elsewhere.set(batch, 3);
  const moved = elsewhere.subarray(3);
  assertEquals(readBatchHead(moved), { number: Number.MAX_SAFE_INTEGER, born, count: 1 });
  assertEquals(decode(moved), [publication("a", Number.MAX_SAFE_INTEGER, "x")]);
});

Deno.test("decodeBatch() decodes the channels that are wanted, onto the end of what is there", () => {
  const publications = ["a", "b", "c", "a", "b"].map((channel, index) => publication(channel, index, `${index}`));
  const batch = encodeBatch(1, 0, publications);
  const asked: string[] = [];
  const into = [publication("before", 1, "x")];
  decodeBatch(batch, (channel) => asked.push(channel) > 0 && channel !== "b", into);
  assertEquals(into.map(({ data }) => data), ["x", "0", "2", "3"]);
  assertEquals(asked, ["a", "b", "c"], "asked once a channel, not once a publication");
  assertEquals(decode(batch, () => false), []);
});

Deno.test("decodeBatch() copies bytes out of shared memory, which sockets do not take", () => {
  const data = Uint8Array.of(1, 2, 3);
  const allocate = (size: number) => new Uint8Array(new SharedArrayBuffer(size));
  const batch = encodeBatch(1, 0, [publication("a", 1, data), publication("a", 2, "text")], allocate);
  assert(batch.buffer instanceof SharedArrayBuffer);
  const [bytes, text] = decode(batch);
  assertEquals([bytes!.data, text!.data], [data, "text"]);
  assert((bytes!.data as Uint8Array).buffer instanceof ArrayBuffer);
});

Deno.test("encodeBatch() makes half a surrogate pair, which no UTF-8 has, U+FFFD", () => {
  const [{ data }, { event }] = decode(
    encodeBatch(1, 0, [publication("a", 1, "a\ud800b"), publication("a", 2, "x", { event: "\udc00" })]),
  ) as [Publication, Publication];
  assertEquals(data, "a\ufffdb");
  assertEquals(event, "\udc00", "in JSON it has an escape");
});

Deno.test("encodeBatch() takes a text and a block of 16 MiB", () => {
  const text = "€".repeat((16 << 20) / 3);
  const block = new Uint8Array(16 << 20).fill(7);
  const [first, second] = decode(encodeBatch(1, 0, [publication("a", 1, text), publication("a", 2, block)]));
  assert(first?.data === text);
  assert(second?.data instanceof Uint8Array && second.data.length === block.length && second.data.at(-1) === 7);
});

Deno.test("decodeBatch() gives back random batches", () => {
  const random = seeded(3);
  for (let run = 0; run < 300; run++) {
    const publications = Array.from({ length: random.int(20) }, (_, index) => {
      const text = random.text(["a", "ü", "🎉", "\0", '"', "\\", "\n", "\ufeff"], 30);
      const data = random.int(3) === 0 ? new TextEncoder().encode(text) : text;
      return publication(`c${random.int(4)}`, index, data, random.int(2) === 0 ? { id: text } : {});
    });
    const heard = random.int(4);
    const wants = (channel: string) => channel !== `c${heard}`;
    const batch = encodeBatch(run, run / 3, publications);
    assertEquals(decode(batch, wants), publications.filter(({ channel }) => wants(channel)));
  }
});
