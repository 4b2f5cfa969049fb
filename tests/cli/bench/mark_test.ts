import { assertEquals } from "@std/assert";
import { createRunName, MARK_BYTES, MarkReader, MarkWriter } from "../../../lib/cli/bench/mark.ts";

function marksIn(bytes: Uint8Array, run: string, size: number, start = 0, end = bytes.length) {
  const marks: number[][] = [];
  new MarkReader(run, size).read(bytes, start, end, (...mark) => marks.push(mark));
  return marks;
}

Deno.test("MarkWriter writes messages of exactly the size asked for", () => {
  const run = createRunName();
  assertEquals(new MarkWriter(run, MARK_BYTES).write(0, 0, 0).length, MARK_BYTES);
  assertEquals(new MarkWriter(run, 200).write(0, 0, 0).length, 200);
});

Deno.test("MarkReader reads back what MarkWriter wrote, at the limits of its digits too", () => {
  const run = createRunName();
  const writer = new MarkWriter(run, 64);
  for (
    const mark of [[0, 0, 0], [1, 42, 1795416921113028], [99_999, 999_999_999, 9_007_199_254_740_991]] as [
      number,
      number,
      number,
    ][]
  ) {
    assertEquals(marksIn(writer.write(...mark), run, 64), [[...mark]]);
  }
});

Deno.test("MarkReader finds every mark among JSON lines of any length", () => {
  const run = createRunName();
  let text = `{"type":"welcome","session":"@GONG"}\n`;
  const expected: number[][] = [];
  for (let i = 0; i < 200; i++) {
    const mark = new TextDecoder().decode(new MarkWriter(run, 50 + 0).write(3, i, 1000 + i));
    text += `{"channel":"${"c".repeat(i % 37)}","offset":${10 ** (i % 15)},"data":"${mark}"}\n`;
    expected.push([3, i, 1000 + i]);
  }
  assertEquals(marksIn(new TextEncoder().encode(text), run, 50), expected);
});

Deno.test("MarkReader looks only between start and end, and takes no mark that is cut off", () => {
  const run = createRunName();
  const one = new MarkWriter(run, MARK_BYTES).write(1, 2, 3).slice();
  const three = new Uint8Array([...one, ...one, ...one]);
  assertEquals(marksIn(three, run, MARK_BYTES, MARK_BYTES, 2 * MARK_BYTES).length, 1);
  assertEquals(marksIn(three, run, MARK_BYTES, 1, 3 * MARK_BYTES - 1).length, 1);
  for (let end = 0; end < MARK_BYTES; end++) assertEquals(marksIn(one, run, MARK_BYTES, 0, end), []);
});

Deno.test("MarkReader ignores the marks of another run", () => {
  const other = new MarkWriter("@GONGABCDEFG", 64).write(1, 2, 3);
  assertEquals(marksIn(other, "@GONGABCDEFH", 64), []);
});

Deno.test("MarkReader.read() says where to go on, so that no cut loses or doubles a mark", () => {
  const run = createRunName();
  let stream = "";
  for (let i = 0; i < 6; i++) {
    stream += `{"offset":${i},"data":"${new TextDecoder().decode(new MarkWriter(run, 60).write(1, i, 1))}"}\n`;
  }
  const bytes = new TextEncoder().encode(stream);
  const reader = new MarkReader(run, 60);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const found: number[] = [];
    const onMark = (_: number, sequence: number) => found.push(sequence);
    const next = reader.read(bytes, 0, cut, onMark);
    reader.read(bytes, next, bytes.length, onMark);
    assertEquals(found, [0, 1, 2, 3, 4, 5], `cut at ${cut}`);
  }
});
