/**
 * The chat page: two namespaces of Socket.IO over one connection, by its unmodified client.
 *
 * @module
 */

import { ChatPanel } from "./chat_panel.js";

/** What `?transport=` may say; anything else is both, one after the other. */
const TRANSPORTS = new Map([["polling", ["polling"]], ["websocket", ["websocket"]]]);

const choice = new URL(location.href).searchParams.get("transport");
const transports = TRANSPORTS.get(choice) ?? ["polling", "websocket"];

for (const link of document.querySelectorAll(".transports a")) {
  const named = new URL(link.href).searchParams.get("transport");
  if (named === (TRANSPORTS.has(choice) ? choice : null)) link.setAttribute("aria-current", "page");
}

// Beside this page, wherever a proxy has put it.
const path = new URL("../socket.io/", location.href).pathname;
const manager = new globalThis.io.Manager(location.origin, { path, transports });

const panels = [1, 2].map((number) => {
  const userName = `user${number}_${1 + Math.floor(Math.random() * 1000)}`;
  return new ChatPanel(document.getElementById(`chat${number}`), manager.socket(`/chat${number}`), userName);
});

// Each connection has an engine of its own, which begins with one transport and may go on with the other.
manager.on("open", () => {
  manager.engine.on("upgrade", () => panels.forEach((panel) => panel.show()));
});
