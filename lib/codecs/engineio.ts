/**
 * Packets and payloads of Engine.IO, both versions behind one interface. The wire itself is that of the official parsers.
 *
 * @module
 */
import type { EngineCodec } from "./engineio/packet.ts";
import { version3 } from "./engineio/version3.ts";
import { version4 } from "./engineio/version4.ts";

export type { EngineCodec, Packet, PacketType } from "./engineio/packet.ts";

/** By the version of the protocol. */
export const ENGINE_CODECS: Readonly<Record<3 | 4, EngineCodec>> = { 3: version3, 4: version4 };
