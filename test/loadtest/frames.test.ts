import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { clientFrame, type FrameSink, OPCODE, walkFrames } from '../../src/bench/frames.ts';

/** A server's frame: not masked. */
function serverFrame(opcode: number, payload: Buffer): Buffer {
  const length = payload.length;
  if (length < 126) return Buffer.concat([Buffer.from([0x80 | opcode, length]), payload]);
  if (length < 65_536) return Buffer.concat([Buffer.from([0x80 | opcode, 126, length >> 8, length & 0xff]), payload]);
  const head = Buffer.from([0x80 | opcode, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(length, 6);
  return Buffer.concat([head, payload]);
}

class Recorder implements FrameSink {
  readonly seen: string[] = [];
  data(bytes: Buffer, start: number, end: number) {
    this.seen.push(`data ${bytes.toString('latin1', start, end)}`);
  }
  ping(bytes: Buffer, start: number, end: number) {
    this.seen.push(`ping ${bytes.toString('latin1', start, end)}`);
  }
  close(bytes: Buffer, start: number) {
    this.seen.push(`close ${bytes.readUInt16BE(start)}`);
  }
}

describe('walkFrames', () => {
  it('returns every complete frame, for each of the length formats', () => {
    const sizes = [0, 1, 125, 126, 65_535, 65_536];
    const bytes = Buffer.concat(sizes.map((size) => serverFrame(OPCODE.binary, Buffer.alloc(size, 'a'))));
    const sink = new Recorder();
    expect(walkFrames(bytes, 0, bytes.length, sink)).toBe(bytes.length);
    expect(sink.seen.map((entry) => entry.length - 'data '.length)).toEqual(sizes);
  });

  it('distinguishes pings and closes from data', () => {
    const close = serverFrame(OPCODE.close, Buffer.from([0x10, 0x07]));
    const bytes = Buffer.concat([serverFrame(OPCODE.ping, Buffer.from('p')), serverFrame(OPCODE.text, Buffer.from('t')), close]);
    const sink = new Recorder();
    walkFrames(bytes, 0, bytes.length, sink);
    expect(sink.seen).toEqual(['ping p', 'data t', 'close 4103']);
  });

  it('stops where an incomplete frame begins, wherever the bytes were cut', () => {
    const frames = [300, 5, 70_000].map((size) => serverFrame(OPCODE.binary, Buffer.alloc(size, 'a')));
    const bytes = Buffer.concat(frames);
    const starts = [0, frames[0]!.length, frames[0]!.length + frames[1]!.length, bytes.length];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length }), (cut) => {
        expect(walkFrames(bytes, 0, cut, new Recorder())).toBe(starts.findLast((start) => start <= cut));
      }),
    );
  });

  it('does not read past the end given, even if the buffer holds older bytes', () => {
    const bytes = Buffer.concat([serverFrame(OPCODE.text, Buffer.from('new')), serverFrame(OPCODE.text, Buffer.from('old'))]);
    const sink = new Recorder();
    expect(walkFrames(bytes, 0, 5, sink)).toBe(5);
    expect(sink.seen).toEqual(['data new']);
  });
});

describe('clientFrame', () => {
  it('is understood by a real server at every length form', async () => {
    const server = new WebSocketServer({ port: 0, perMessageDeflate: false });
    const { connect } = await import('node:net');
    const { upgradeRequest } = await import('../../src/bench/handshake.ts');
    const received = new Promise<number[]>((resolve) => {
      const sizes: number[] = [];
      server.on('connection', (socket) => {
        socket.on('message', (message: Buffer) => {
          sizes.push(message.length);
          if (sizes.length === 3) resolve(sizes);
        });
      });
    });
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    client.write(upgradeRequest('127.0.0.1', '/', undefined));
    for (const size of [5, 300, 70_000]) client.write(clientFrame(OPCODE.binary, Buffer.alloc(size, 1)));
    try {
      expect(await received).toEqual([5, 300, 70_000]);
    } finally {
      client.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
