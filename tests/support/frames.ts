/** Opcodes of RFC 6455 section 5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One WebSocket frame as it was read. */
export interface Frame {
  fin: boolean;
  /** The three reserved bits, 0 to 7. */
  rsv: number;
  opcode: number;
  payload: Uint8Array;
}

/** How a frame departs from the ordinary one: final, masked, no reserved bit, its true length. */
export interface FrameOptions {
  fin?: boolean;
  masked?: boolean;
  /** The three reserved bits, 0 to 7. Default 0. */
  rsv?: number;
  /** The length that the header claims, when it is not the payload's. */
  claim?: number;
}

const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

/** A frame's bytes. */
export function encodeFrame(opcode: number, payload: Uint8Array, options: FrameOptions = {}): Uint8Array {
  const { fin = true, masked = true, rsv = 0, claim = payload.length } = options;
  const first = (fin ? 0x80 : 0) | rsv << 4 | opcode;
  const bit = masked ? 0x80 : 0;
  const header = [first];
  if (claim < 126) header.push(bit | claim);
  else if (claim < 65_536) header.push(bit | 126, claim >> 8, claim & 255);
  else {
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(claim));
    header.push(bit | 127, ...new Uint8Array(length.buffer));
  }
  if (masked) header.push(...MASK);
  const frame = new Uint8Array(header.length + payload.length);
  frame.set(header);
  frame.set(masked ? payload.map((byte, at) => byte ^ MASK[at % 4 as 0 | 1 | 2 | 3]) : payload, header.length);
  return frame;
}

/** The first frame of `bytes` and how many of them it takes; undefined while it is incomplete. */
export function parseFrame(bytes: Uint8Array): { frame: Frame; length: number } | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const short = second & 0x7f;
  const header = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < header) return undefined;
  const size = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
  const masked = (second & 0x80) !== 0;
  const start = header + (masked ? 4 : 0);
  if (bytes.length < start + size) return undefined;
  const payload = bytes.slice(start, start + size);
  if (masked) payload.forEach((byte, at) => payload[at] = byte ^ (bytes[header + at % 4] ?? 0));
  return {
    frame: { fin: (first & 0x80) !== 0, rsv: first >> 4 & 7, opcode: first & 15, payload },
    length: start + size,
  };
}
