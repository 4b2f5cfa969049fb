/**
 * What tests of the client run inside a page. Each function is sent there by its text.
 *
 * @module
 */

/** Makes a client, `globalThis.gong`, that notes what it hears in `heard`; resolves as soon as it hears the channel. */
export async function open({ file, channel, options }) {
  const { Gong } = await import(file);
  const gong = globalThis.gong = new Gong(options);
  globalThis.heard = [];
  globalThis.offsets = [];
  globalThis.states = [];
  globalThis.lost = [];
  gong.addEventListener("state", ({ phase, transport }) => globalThis.states.push(`${phase} ${transport}`));
  gong.addEventListener("subscribed", (event) => event.recovered || globalThis.lost.push(event.channel));
  const subscribed = new Promise((resolve) => gong.addEventListener("subscribed", resolve, { once: true }));
  const controller = globalThis.controller = new AbortController();
  gong.subscribe(channel, ({ data, offset }) => {
    globalThis.heard.push(data);
    globalThis.offsets.push(offset);
  }, { signal: controller.signal });
  await subscribed;
}

export function state() {
  return `${globalThis.gong.phase} ${globalThis.gong.transport}`;
}

export function heard() {
  return globalThis.heard;
}

export function offsets() {
  return globalThis.offsets;
}

export function states() {
  return globalThis.states;
}

export function lost() {
  return globalThis.lost;
}

export function publish(data) {
  return globalThis.gong.publish("a", data);
}

export function connect() {
  globalThis.gong.connect();
}

/** Publishes one after the other until it is told to stop. */
export function stream() {
  const publishAll = async () => {
    let next = 0;
    while (!globalThis.isEnough) await globalThis.gong.publish("a", ++next);
  };
  globalThis.stopped = publishAll();
}

/** How many it published. */
export async function stopStream() {
  globalThis.isEnough = true;
  await globalThis.stopped;
  const { offset } = await globalThis.gong.publish("a", "last");
  return offset;
}

export function abortSubscription() {
  globalThis.controller.abort();
}

export function close() {
  globalThis.gong.close();
}
