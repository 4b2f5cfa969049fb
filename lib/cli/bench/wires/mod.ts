/**
 * The formats of a load.
 *
 * @module
 */
import type { Format } from "../options.ts";
import { JSON_LINES } from "./json.ts";
import { PLAIN } from "./plain.ts";
import { SOCKETIO } from "./socketio.ts";
import { STOMP } from "./stomp.ts";
import type { Wire } from "./wire.ts";

/** By the name of the format. */
export const WIRES: Readonly<Record<Format, Wire>> = {
  plain: PLAIN,
  json: JSON_LINES,
  stomp: STOMP,
  socketio: SOCKETIO,
};
