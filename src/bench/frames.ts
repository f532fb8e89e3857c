export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A client's frame: masked, as RFC 6455 wants it. The mask is zero, which leaves the payload as it is. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const length = payload.length;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + extended + 4 + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, 2 + extended + 4);
  return frame;
}

/** Receives whole frames as ranges of the bytes given to {@link walkFrames}. */
export interface FrameSink {
  data(bytes: Buffer, start: number, end: number): void;
  ping(bytes: Buffer, start: number, end: number): void;
  close(bytes: Buffer, start: number, end: number): void;
}

/**
 * Walks the whole frames of `bytes` in [start, end) and returns where the first incomplete one begins (`end` when there is none).
 * Builds no objects: at millions of frames a second every one would show.
 */
export function walkFrames(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
  let at = start;
  while (end - at >= 2) {
    const short = (bytes[at + 1] as number) & 0x7f;
    let payloadAt = at + 2;
    let length = short;
    if (short === 126) {
      if (end - at < 4) return at;
      length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      payloadAt = at + 4;
    } else if (short === 127) {
      if (end - at < 10) return at;
      length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
      payloadAt = at + 10;
    }
    if (length > end - payloadAt) return at;
    const opcode = (bytes[at] as number) & 0x0f;
    at = payloadAt + length;
    if (opcode <= OPCODE.binary) sink.data(bytes, payloadAt, at);
    else if (opcode === OPCODE.ping) sink.ping(bytes, payloadAt, at);
    else if (opcode === OPCODE.close) sink.close(bytes, payloadAt, at);
  }
  return at;
}
