import { assertEquals } from "@std/assert";
import { compareConfigs, type Config, defaultConfig } from "../../lib/config.ts";

function compare(current: Partial<Config>, next: Partial<Config>) {
  const { config, changed, needRestart } = compareConfigs(defaultConfig(current), defaultConfig(next));
  return { config, changed, needRestart };
}

Deno.test("compareConfigs() tells what counts at once from what needs a restart, and mixes neither", () => {
  const { config, changed, needRestart } = compare({}, { allowOrigin: ["https://a.example.com"], ping: 5, port: 1 });
  assertEquals(changed, ["allowOrigin"]);
  assertEquals([...needRestart].sort(), ["ping", "port"]);
  assertEquals([config.allowOrigin, config.ping, config.port], [["https://a.example.com"], 25, 8998]);
  assertEquals(compare({ rule: ["a count=1"] }, { rule: ["a count=1"] }).changed, []);
});

Deno.test("compareConfigs() takes rules only while what is kept, and of which channels, stays the same", () => {
  const of = (current: string[], next: string[]) => {
    const { changed, needRestart } = compare({ rule: current }, { rule: next });
    return changed.includes("rule") ? "at once" : needRestart.includes("rule") ? "restart" : "same";
  };
  assertEquals(of(["a subscribe=users"], ["b publish=keys", "a"]), "at once");
  assertEquals(of(["a count=5 subscribe=users"], ["a subscribe=everyone count=5"]), "at once");
  assertEquals(of(["a count=5"], ["a count=6"]), "restart");
  assertEquals(of(["a"], ["a presence=on"]), "restart");
  // In front of it, a rule that keeps nothing of its own still hides what the other keeps.
  assertEquals(of(["a* count=5"], ["ab subscribe=users", "a* count=5"]), "restart");
});
