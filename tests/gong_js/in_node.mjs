/**
 * What a program in Node does with the client; `node_test.ts` runs it as `node in_node.mjs GONG.MJS URL`.
 *
 * @module
 */
import { createServer } from "node:http";

const [file, url] = process.argv.slice(2);
const { Gong } = await import(file);
const gong = new Gong({ url });
const heard = [];
gong.addEventListener("state", ({ phase, transport }) => {
  if (phase === "open" && heard.length === 0) console.log(`open ${transport}`);
  if (phase === "closed") console.log("closed");
});

/** Resolves when it holds, which is looked at with each message. */
function hears(holds) {
  return new Promise((resolve) => gong.subscribe("a", (message) => holds(message) && resolve(message)));
}

const subscribed = new Promise((resolve) => gong.addEventListener("subscribed", resolve, { once: true }));
gong.subscribe("a", ({ data }) => heard.push(data));
await subscribed;
const text = hears(({ data }) => data === "of node");
await gong.publish("a", "of node");
console.log("text", JSON.stringify((await text).data));
const bytes = hears(({ data }) => data instanceof Uint8Array);
await gong.publish("a", new Uint8Array([0, 255, 16]));
console.log("bytes", String((await bytes).data));

// A server that never answers; what limits the time must not be collected.
const silent = createServer(() => {}).listen(0, "127.0.0.1");
await new Promise((resolve) => silent.once("listening", resolve));
const late = new Gong({ url: `http://127.0.0.1:${silent.address().port}`, timeout: 100 }).publish("a", 1);
globalThis.gc();
console.log("late", await late.catch(({ code }) => code));
silent.closeAllConnections();
silent.close();

const last = hears(({ data }) => data === 3);
for (const data of [1, 2, 3]) {
  await gong.publish("a", data);
  gong.connect();
}
await last;
console.log("resumed", String(heard.slice(2)));
gong.close();
