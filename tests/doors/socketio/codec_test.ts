import { assert, assertEquals } from "@std/assert";
import { Codecs } from "../../../lib/doors/socketio/codec.ts";
import type { Publication } from "../../../lib/types.ts";

const BYTES = Uint8Array.of(1, 2, 3);

function publication(channel: string, data: Publication["data"], event?: string): Publication {
  const contentType = typeof data === "string" ? "text/plain" : "application/octet-stream";
  return { channel, data, contentType, epoch: "e", offset: 1, time: 0, ...(event === undefined ? {} : { event }) };
}

function codecs(): Codecs {
  return new Codecs((cursor) => `signed ${cursor}`);
}

Deno.test("Codecs.get() has one codec for all who share it, and others for others", () => {
  const all = codecs();
  const kind = { protocol: 4, offsets: "signed", namespaces: ["/", "/a", "/b"] } as const;
  const codec = all.get(kind);
  assert(codec === all.get({ ...kind, namespaces: ["/", "/b", "/a"] }), "but the first, they have no order");
  const others = [
    all.get({ ...kind, protocol: 3 }),
    all.get({ ...kind, offsets: "empty" }),
    all.get({ ...kind, namespaces: ["/a", "/", "/b"] }),
    all.get({ ...kind, namespaces: ["/", "/a /b"] }),
    all.get({ ...kind, namespaces: [] }),
  ];
  assertEquals(new Set([codec, ...others].map(({ name }) => name)).size, 6);
  // What was encoded is shared all the same.
  assert(codec.encode === others[0]!.encode && codec.encode !== others[1]!.encode);
});

Deno.test("Codecs.get() keeps a bounded number of codecs", () => {
  const all = codecs();
  const kind = { protocol: 4, offsets: "signed" } as const;
  const first = all.get({ ...kind, namespaces: ["/first"] });
  for (let n = 0; n < 1000; n++) all.get({ ...kind, namespaces: [`/${n}`] });
  const again = all.get({ ...kind, namespaces: ["/first"] });
  assert(first !== again && first.name === again.name, "found anew, under the same name");
});

Deno.test("a codec has what is of its namespaces there, and all else in the first", () => {
  const codec = codecs().get({ protocol: 4, offsets: "signed", namespaces: ["/", "/a"] });
  const frames = (channel: string) => {
    const one = publication(channel, "x");
    return [...codec.address!(codec.encode(one), one)];
  };
  assertEquals(frames("broadcast"), ['42["message","x"]']);
  assertEquals(frames("broadcast/r"), ['42["message","x"]']);
  assertEquals(frames("a"), ['42/a,["message","x"]']);
  assertEquals(frames("a/b/c"), ['42/a,["message","x"]']);
  for (const channel of ["b", "ab", "$user/1", "a/%zz", "broadcasts"]) {
    assertEquals(frames(channel), ['42["message","x"]'], channel);
  }
});

Deno.test("a codec puts the offset behind the arguments, and attachments behind the packet", () => {
  const one = publication("$user/1", BYTES, "e");
  const frames = (offsets: "signed" | "empty" | "none", protocol: 3 | 4) => {
    const codec = codecs().get({ protocol, offsets, namespaces: ["/a"] });
    const addressed = [...codec.address!(codec.encode(one), one)];
    return addressed.map((frame) => codec.stamp?.(frame, "a@e:1") ?? frame);
  };
  const head = '451-/a,["e",{"_placeholder":true,"num":0}';
  assertEquals(frames("signed", 4), [`${head},"signed a@e:1"]`, BYTES]);
  assertEquals(frames("empty", 4), [`${head},""]`, BYTES]);
  assertEquals(frames("none", 3), [`${head}]`, Uint8Array.of(4, 1, 2, 3)]);
});
