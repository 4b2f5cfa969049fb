import { startGong } from "../support/gong.ts";
import { sixQuestions } from "./six_questions.ts";

sixQuestions("one node", async (args) => {
  const gong = await startGong(["--isolates", "2", ...args]);
  return { nodes: [gong], edges: 2, [Symbol.asyncDispose]: () => gong[Symbol.asyncDispose]() };
});
