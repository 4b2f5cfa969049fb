/**
 * The real clients of Socket.IO.
 *
 * @module
 */
export { connectSocket, type Heard, publicIdOf, type Refusal, SocketClient, type SocketOptions } from "./client.ts";
export { LIBRARIES, type Library, LIBRARY_2, LIBRARY_3, LIBRARY_4, SPEAKERS, WAYS } from "./library.ts";
