import { assert, assertEquals, assertThrows } from "@std/assert";
import { metricOf, METRICS } from "../../lib/metrics/table.ts";
import { findProgram, programTest } from "../support/programs.ts";

const ROOT = new URL("../../", import.meta.url);
const ALERTS = await Deno.readTextFile(new URL("deploy/alerts.yml", ROOT));
const RUNBOOK = await Deno.readTextFile(new URL("docs/runbook.md", ROOT));

/** Every alert: its name and the lines below it. */
const rules = ALERTS.split(/^ {6}- alert: /m).slice(1).map((text) => {
  const [name = "", ...lines] = text.split("\n");
  return { name, text: lines.join("\n") };
});

/** What an expression names, and the labels that it asks of it. */
function* namedIn(text: string): Generator<{ sample: string; labels: string[] }> {
  const expression = /^ {8}expr:((?:.|\n {10})*)/m.exec(text)![1]!;
  for (const [, sample = "", matchers = ""] of expression.matchAll(/\b((?:gong|process)_\w+)(?:\{([^}]*)\})?/g)) {
    yield { sample, labels: Array.from(matchers.matchAll(/(\w+)\s*[!=]/g), ([, label = ""]) => label) };
  }
}

Deno.test("alerts.yml names metrics and labels that there are", () => {
  let count = 0;
  for (const { name, text } of rules) {
    for (const { sample, labels } of namedIn(text)) {
      const known: readonly string[] = ["job", "instance", ...metricOf(sample).metric.labels];
      for (const label of labels) assert(known.includes(label), `${name}: ${sample} has no label ${label}`);
      count++;
    }
  }
  assert(rules.length > 20 && count > rules.length);
  assertThrows(() => metricOf("gong_no_such_total"), TypeError);
});

Deno.test("an alert of alerts.yml whose expression counts looks at a counter, and no other does", () => {
  for (const { name, text } of rules) {
    for (const [, kind, sample = ""] of text.matchAll(/\b(rate|increase)\((\w+)/g)) {
      const { type } = metricOf(sample).metric;
      assert(type !== "gauge", `${name}: ${kind} of the gauge ${sample}`);
    }
  }
});

Deno.test("every alert has its entry in the runbook, and every entry its alert, in the same order", () => {
  const entries = Array.from(RUNBOOK.matchAll(/^### (Gong\w+)$/gm), ([, name]) => name);
  assertEquals(entries, rules.map(({ name }) => name));
  for (const { name, text } of rules) {
    assert(text.includes(`runbook: docs/runbook.md#${name.toLowerCase()}\n`), name);
  }
});

Deno.test("every entry of the runbook says what it means, what to check and what to do", () => {
  const entries = RUNBOOK.split(/^### (?=Gong)/m).slice(1);
  for (const entry of entries) {
    const [, meaning, check, action] = /\*\*Means\*\*(.+?)\*\*Check\*\*(.+?)\*\*Do\*\*(.+)/s.exec(entry) ?? [];
    for (const part of [meaning, check, action]) assert(part !== undefined && part.trim().length > 20, entry);
    // Something that can be typed.
    assert(/`[^`]+`|```/.test(check!), entry);
  }
});

Deno.test("metrics and events of the log that the runbook names are there", async () => {
  for (const [, sample = ""] of RUNBOOK.matchAll(/\b(gong_[a-z_]+)\b/g)) {
    assert(sample in METRICS || sample === "gong_publish_to_write_seconds_bucket", sample);
  }
  const source = await sourceOf(new URL("lib/", ROOT));
  for (const [, event = ""] of RUNBOOK.matchAll(/`([a-z]+\.[a-z_]+)`/g)) {
    if (/\.(?:cfg|conf|md|ts|txt|yml)$/.test(event)) continue;
    assert(source.includes(`"${event}"`), event);
  }
});

programTest("promtool", "promtool takes alerts.yml, and alerts fire when they should", async () => {
  for (const args of [["check", "rules", "deploy/alerts.yml"], ["test", "rules", "tests/deploy/alerts.yml"]]) {
    const command = new Deno.Command(findProgram("promtool") ?? "promtool", { args, cwd: ROOT, stdin: "null" });
    const { success, stdout, stderr } = await command.output();
    assert(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  }
});

/** All of the program's text. */
async function sourceOf(folder: URL): Promise<string> {
  let text = "";
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const url = new URL(isDirectory ? `${name}/` : name, folder);
    text += isDirectory ? await sourceOf(url) : await Deno.readTextFile(url);
  }
  return text;
}
