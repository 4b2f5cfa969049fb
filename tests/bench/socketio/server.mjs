/**
 * npm `socket.io` on Node, as its documentation begins: what a client says, everybody hears. Prints its port. Give the
 * folder that it is installed in, and `recovery` where clients can come back to what they have missed.
 */
import { createServer } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";

const [folder, ...words] = process.argv.slice(2);
const { Server } = createRequire(`${folder}/`)("socket.io");

const http = createServer();
const io = new Server(http, words.includes("recovery") ? { connectionStateRecovery: {} } : {});

io.on("connection", (socket) => {
  socket.on("message", (message) => io.emit("message", message));
});

http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));

// With --expose-gc memory can be compared without what has only not been collected yet.
if (globalThis.gc !== undefined) process.on("SIGUSR2", () => globalThis.gc());
