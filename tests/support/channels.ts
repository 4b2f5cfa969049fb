/**
 * BroadcastChannels of tests.
 *
 * @module
 */

// When an isolate closes its last channel and opens another at once, Deno's loop for the old one takes the new one
// down with it ("expected i32"). So one stays open.
const keeper = new BroadcastChannel("keeper");
keeper.onmessage = () => {};

/** Lets the channels of this isolate bring what was posted so far. */
export async function tick(): Promise<void> {
  const name = crypto.randomUUID();
  const [from, to] = [new BroadcastChannel(name), new BroadcastChannel(name)];
  await new Promise((resolve) => {
    to.onmessage = resolve;
    from.postMessage(null);
  });
  from.close();
  to.close();
}
