import { proveSocketIo } from "../../prove/socketio_soak.ts";

Deno.test({
  name: "clients of Socket.IO that poll, upgrade and come back over four isolates hear everything once and in order",
  fn: async () => void await proveSocketIo({ clients: 40, duration: 8 }),
  // What the library has under way when a test ends is its own business.
  sanitizeOps: false,
  sanitizeResources: false,
});
