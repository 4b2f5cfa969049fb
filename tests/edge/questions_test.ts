import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { MAX_QUESTIONS, Questions } from "../../lib/edge/questions.ts";
import { GongError } from "../../lib/errors.ts";
import { edgeOf } from "../../lib/methods.ts";

const ANSWER = { data: "42", contentType: "text/plain", from: "1-x" };
const LONG = 60;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, GongError)).code;
}

function open(questions: Questions, asker: object, seconds = LONG) {
  const question = questions.open(asker, seconds);
  // Some tests look at what became of it later.
  question.answer.catch(() => {});
  return question;
}

Deno.test("Questions.answer() resolves a question once, and only its own", async () => {
  const questions = new Questions(7);
  const [one, other] = [open(questions, {}), open(questions, {})];
  assertEquals(questions.answer(one.reply, ANSWER), true);
  assertEquals(questions.answer(one.reply, { ...ANSWER, data: "43" }), false);
  assertEquals(await one.answer, ANSWER);
  assertEquals(questions.size, 1);
  for (const reply of ["", "7-", "7-a-b", "constructor", "__proto__", other.reply.slice(0, -1), `${other.reply} `]) {
    assertEquals(questions.answer(reply, ANSWER), false, reply);
  }
  assertEquals(questions.size, 1);
  questions.close();
});

Deno.test("Questions.open() makes replies that nobody guesses and that tell the edge, whatever its number", () => {
  for (const number of [1, 35, 36, 5000]) {
    const questions = new Questions(number);
    const replies = Array.from({ length: 200 }, () => open(questions, {}).reply);
    assertEquals(new Set(replies).size, 200);
    for (const reply of replies) {
      assertMatch(reply, /^[0-9a-z]+-[0-9a-z]+-[0-9a-z]+$/);
      assertEquals(edgeOf(reply), number);
    }
    // 128 bits are 24 to 26 digits in base 36.
    const digits = replies.map((reply) => reply.slice(reply.indexOf("-") + 1).length);
    assert(digits.reduce((sum, length) => sum + length, 0) / 200 > 24, "too little chance");
    questions.close();
  }
});

Deno.test("Questions.open() refuses one too many of an asker, and not of another", async () => {
  const questions = new Questions(1);
  const [greedy, other] = [{}, {}];
  const own = Array.from({ length: MAX_QUESTIONS }, () => open(questions, greedy));
  const error = assertThrows(() => questions.open(greedy, LONG), GongError);
  assertEquals([error.code, questions.size], ["too_many", MAX_QUESTIONS]);
  open(questions, other);
  questions.answer(own[5]!.reply, ANSWER);
  await own[5]!.answer;
  open(questions, greedy);
  assertThrows(() => questions.open(greedy, LONG), GongError);
  questions.close();
});

Deno.test("Questions time out each at its own time, whatever the order, and nothing is left of them", async () => {
  const questions = new Questions(1);
  const asker = {};
  const over: number[] = [];
  const waiting = [0.15, 0.05, 0.1].map(async (seconds) => {
    assertEquals(await codeOf(open(questions, asker, seconds).answer), "timeout");
    over.push(seconds);
  });
  const late = open(questions, asker);
  await Promise.all(waiting);
  assertEquals([over, questions.size], [[0.05, 0.1, 0.15], 1]);
  questions.refuse(late.reply, new GongError("not_found"));
  assertEquals([await codeOf(late.answer), questions.size], ["not_found", 0]);
  questions.close();
});

Deno.test("Questions.drop() ends all of an asker, and none of another", async () => {
  const questions = new Questions(1);
  const [gone, other] = [{}, {}];
  const own = [open(questions, gone), open(questions, gone)];
  const kept = open(questions, other);
  questions.drop(gone);
  questions.drop({});
  for (const { answer } of own) assertEquals(await codeOf(answer), "going_away");
  assertEquals([questions.size, questions.answer(own[0]!.reply, ANSWER)], [1, false]);
  assertEquals(questions.answer(kept.reply, ANSWER), true);
  questions.close();
});
