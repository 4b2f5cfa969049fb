/**
 * What all connections of Socket.IO of an edge have in common.
 *
 * @module
 */
import type { Config } from "../../config.ts";
import type { Pulse } from "../pulse.ts";
import type { Codecs } from "./codec.ts";
import type { Offsets } from "./offset.ts";

/** The settings that it goes by. */
export type SocketIoSettings = Pick<
  Config,
  | "maxMessage"
  | "maxSubscriptions"
  | "messageRate"
  | "connectTimeout"
  | "recovery"
  | "eventJoin"
  | "eventLeave"
  | "eventTo"
>;

/** Made once. */
export interface Shared {
  readonly config: SocketIoSettings;
  readonly offsets: Offsets;
  readonly codecs: Codecs;
  readonly pulse: Pulse;
}
