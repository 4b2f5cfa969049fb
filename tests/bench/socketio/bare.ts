/**
 * The least that Deno keeps for a connection of Socket.IO: a server that answers the handshake and CONNECT, sends pings,
 * and remembers nothing but its WebSockets. Prints its port.
 */
const PING_INTERVAL = 25_000;
const HANDSHAKE = `0${
  JSON.stringify({ sid: crypto.randomUUID(), upgrades: [], pingInterval: PING_INTERVAL, pingTimeout: 20_000 })
}`;

const sockets = new Set<WebSocket>();

/** One for all: with a function each they would have more. */
const listener = {
  handleEvent(event: Event): void {
    const socket = event.target as WebSocket;
    if (event.type === "close") sockets.delete(socket);
    else if (event.type === "open") {
      sockets.add(socket);
      socket.send(HANDSHAKE);
    } else if (String((event as MessageEvent).data).startsWith("40")) socket.send('40{"sid":"one of many"}');
  },
};

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  for (const type of ["open", "message", "close"]) socket.addEventListener(type, listener);
  return response;
});

setInterval(() => {
  for (const socket of sockets) socket.send("2");
}, PING_INTERVAL);
