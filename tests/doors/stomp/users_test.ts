import { assertEquals } from "@std/assert";
import type { Grant } from "../../../lib/auth.ts";
import { Stage } from "../../support/stage.ts";
import { StompPeer } from "../../support/stomp_stage.ts";

function userOf(id: string): Grant {
  return { name: `user:${id}`, scopes: [], user: { id, subscribe: () => true, publish: () => false } };
}

const ADMIN: Grant = { name: "ops", scopes: ["admin"] };
const BACK_END: Grant = { name: "shop", scopes: ["publish"] };

Deno.test("/user/ID/queue/NAME is heard by that user, wherever, and by a key with admin; by nobody else", async () => {
  await using stage = new Stage({ edges: 2, config: { dev: false } });
  const [edge, other] = stage.edges as [typeof stage.edge, typeof stage.edge];
  const own = { grant: userOf("a b"), channels: ["$user/a%20b"] };
  const allowed = [
    [await StompPeer.connect(edge, own), "/user/queue/mail"],
    [await StompPeer.connect(other, own), "/user/a%20b/queue/mail"],
    [await StompPeer.connect(other, own), "/user/a b/queue/mail"],
    [await StompPeer.connect(other, { grant: ADMIN }), "/user/a%20b/queue/mail"],
  ] as const;
  for (const [peer, destination] of allowed) await peer.subscribe("mail", destination);
  for (const grant of [userOf("7"), BACK_END, undefined]) {
    const peer = await StompPeer.connect(edge, grant === undefined ? {} : { grant });
    peer.say("SUBSCRIBE", { id: "mail", destination: "/user/a%20b/queue/mail", receipt: "r" });
    const { error, close } = await peer.end();
    assertEquals([error?.code, error?.["receipt-id"], close], ["forbidden", "r", 4403], grant?.name);
  }
  const sender = await StompPeer.connect(edge, { grant: BACK_END });
  await sender.obeyed("SEND", { destination: "/user/a%20b/queue/news" }, "not this one");
  await sender.obeyed("SEND", { destination: "/user/7/queue/mail" }, "nor this one");
  await sender.obeyed("SEND", { destination: "/user/a%20b/queue/mail" }, "你好");
  for (const [peer, destination] of allowed) {
    const { headers, text } = await peer.message();
    assertEquals([headers.subscription, headers.destination, text], ["mail", destination, "你好"]);
  }
});

Deno.test("a SEND to a user, oneself too, takes the right to publish there", async () => {
  await using stage = new Stage({ config: { dev: false } });
  for (const [grant, destination] of [[userOf("7"), "/user/8/queue/mail"], [ADMIN, "/user/queue/mail"]] as const) {
    const peer = await StompPeer.connect(stage.edge, { grant });
    peer.say("SEND", { destination, receipt: "r" }, "x");
    const { error } = await peer.end();
    assertEquals([error?.code, error?.["receipt-id"]], ["forbidden", "r"], destination);
  }
  assertEquals(await stage.figure("gong_published_total"), 0);
  await using open = new Stage();
  const peer = await StompPeer.connect(open.edge, { grant: userOf("7"), channels: ["$user/7"] });
  await peer.subscribe("mail", "/user/queue/mail");
  await peer.obeyed("SEND", { destination: "/user/8/queue/mail" }, "to another");
  peer.say("SEND", { destination: "/user/queue/mail" }, "to oneself");
  assertEquals((await peer.message()).text, "to oneself");
});
