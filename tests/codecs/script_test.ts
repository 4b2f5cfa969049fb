import { assert, assertEquals } from "@std/assert";
import { encodeCall, encodeScriptLine, escapeJson } from "../../lib/codecs/script.ts";
import { seeded } from "../support/random.ts";

Deno.test("escapeJson() keeps the value, and nothing in it that HTML or a script could take for its end", () => {
  const random = seeded(5);
  const pieces = ["</script>", "<!--", "-->", "<script", "&amp;", "]]>", "\u2028", "\u2029", '"', "\\", "é", "a"];
  for (let n = 0; n < 2000; n++) {
    const value = { [random.text(pieces as [string], 3)]: random.text(pieces as [string], 6) };
    const escaped = escapeJson(JSON.stringify(value));
    assert(!/[<>&\u2028\u2029]/.test(escaped), escaped);
    assertEquals(JSON.parse(escaped), value);
  }
});

Deno.test("encodeCall() is one script that calls the function with a publication's line and a cursor", () => {
  const publication = {
    ...{ channel: "a", epoch: "e", offset: 1, time: 7, contentType: "text/plain" },
    data: "</script><script>alert(1)</script>",
  };
  const script = encodeCall("push", encodeScriptLine(publication), JSON.stringify("a@e:1"));
  assertEquals(script.match(/<\/?script>/g), ["<script>", "</script>"]);
  const calls: unknown[] = [];
  const body = script.replace(/^<script>|<\/script>\n$/g, "");
  new Function("push", body)((...args: unknown[]) => calls.push(args));
  assertEquals(calls, [[{ channel: "a", epoch: "e", offset: 1, time: 7, data: publication.data }, "a@e:1"]]);
});
