/**
 * In which slot of a Redis Cluster a key is. The client library knows it too, and does not give it out.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Slots there are. */
export const SLOTS = 16_384;

/** CRC-16 with the polynomial 0x1021, most significant bit first (XMODEM), a byte at a time. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * Keys with the same text in the first pair of braces are in the same one.
 *
 * @see {@link https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags}
 */
export function slotOf(key: string): number {
  const begin = key.indexOf("{");
  const end = begin < 0 ? -1 : key.indexOf("}", begin + 1);
  let crc = 0;
  for (const byte of Buffer.from(end > begin + 1 ? key.slice(begin + 1, end) : key)) {
    crc = (crc << 8 ^ TABLE[crc >> 8 ^ byte]!) & 0xffff;
  }
  return crc % SLOTS;
}
