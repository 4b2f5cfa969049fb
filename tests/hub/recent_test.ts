import { assertEquals } from "@std/assert";
import { Recent } from "../../lib/hub/recent.ts";
import type { Publication } from "../../lib/types.ts";

function publication(offset: number, data: Publication["data"] = `text ${offset}`): Publication {
  return { channel: "news", epoch: "e", offset, time: 1, data, contentType: "text/plain" };
}

Deno.test("Recent keeps the last 50 publications, newest first", () => {
  const recent = new Recent();
  const newest = (last: number) => Array.from({ length: 50 }, (_, index) => last - index);
  for (let offset = 1; offset <= 130; offset++) {
    recent.add([publication(offset)]);
    assertEquals(recent.list().map((glimpse) => glimpse.offset), newest(offset).filter((number) => number > 0));
  }
  recent.add(Array.from({ length: 200 }, (_, index) => publication(131 + index)));
  assertEquals(recent.list().map((glimpse) => glimpse.offset), newest(330));
});

Deno.test("Recent shows the first 200 characters of a text, of bytes only how many they are", () => {
  const recent = new Recent();
  recent.add([publication(1, "ü".repeat(300)), publication(2, new Uint8Array(7)), publication(3, "short")]);
  const seen = recent.list().map(({ preview, bytes }) => ({ preview, bytes }));
  assertEquals(seen, [{ preview: "short", bytes: 5 }, { preview: "", bytes: 7 }, {
    preview: "ü".repeat(200),
    bytes: 600,
  }]);
});
