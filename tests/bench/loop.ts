/**
 * The bare loop that Gong is measured beside: one isolate, each message sent to everybody. Prints its port.
 * Give the idle time-out in seconds, as Gong's `--ping`.
 */
const sockets = new Set<WebSocket>();
const idleTimeout = Number(Deno.args[0] ?? 25);

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(JSON.stringify({ url: `http://127.0.0.1:${port}`, port })),
}, (request) => {
  if (request.headers.get("upgrade") !== "websocket") return new Response("Expected a WebSocket.", { status: 400 });
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout });
  socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  socket.onmessage = ({ data }) => {
    for (const peer of sockets) if (peer.readyState === WebSocket.OPEN) peer.send(data);
  };
  return response;
});
