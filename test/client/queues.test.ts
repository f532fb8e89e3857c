import { constants, deflateRawSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { AsyncQueue, type IterationOptions } from '../../src/client/async-queue.ts';
import { encodeMessage } from '../../src/client/codec.ts';
import { Emitter } from '../../src/client/emitter.ts';
import { OverflowError } from '../../src/client/errors.ts';
import { FrameReader } from '../../src/client/frame-reader.ts';
import { deflatedPart, InflatingUnpacker } from '../../src/client/inflating-unpacker.ts';
import { deflateFrame } from '../../src/fanout/deflate.ts';
import { msgpackCodec } from '../../src/protocol/msgpack-codec.ts';

const packr = new Packr({ useRecords: false });

async function read<T>(queue: AsyncQueue<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of queue) values.push(value);
  return values;
}

function queueWith(options: IterationOptions, values: readonly number[]): { queue: AsyncQueue<number>; ends: number[] } {
  const ends: number[] = [];
  const queue = new AsyncQueue<number>(options, 3, () => ends.push(1));
  for (const value of values) queue.push(value);
  return { queue, ends };
}

describe('an async queue', () => {
  it('gives each value to the reader that waits longest, and otherwise keeps them in order', async () => {
    const { queue, ends } = queueWith({}, []);
    const waiting = [queue.next(), queue.next()];
    for (const value of [1, 2, 3, 4]) queue.push(value);
    queue.end();
    expect(await Promise.all(waiting)).toEqual([
      { value: 1, done: false },
      { value: 2, done: false },
    ]);
    expect(await read(queue)).toEqual([3, 4]);
    expect(ends).toHaveLength(1);
  });

  it('ends with an error when it is full, after its values have been read', async () => {
    const { queue, ends } = queueWith({ bufferMax: 2 }, [1, 2, 3]);
    expect(ends).toHaveLength(1);
    expect(await queue.next()).toEqual({ value: 1, done: false });
    expect(await queue.next()).toEqual({ value: 2, done: false });
    await expect(queue.next()).rejects.toBeInstanceOf(OverflowError);
    expect(await queue.next()).toEqual({ value: undefined, done: true });
  });

  it.each([
    ['dropOldest', [3, 4]],
    ['dropNewest', [1, 2]],
  ] as const)('counts what it lets go with policy %s', async (onFull, left) => {
    const { queue } = queueWith({ bufferMax: 2, onFull }, [1, 2, 3, 4]);
    expect(queue.dropped).toBe(2);
    queue.end();
    expect(await read(queue)).toEqual(left);
  });

  it('ends when the loop is left, and accepts nothing more', async () => {
    const { queue, ends } = queueWith({}, [1, 2]);
    for await (const value of queue) {
      expect(value).toBe(1);
      break;
    }
    queue.push(3);
    expect(await queue.next()).toEqual({ value: undefined, done: true });
    expect(ends).toHaveLength(1);
  });

  it('rejects waiting readers when it ends with an error', async () => {
    const { queue } = queueWith({}, []);
    const waiting = queue.next();
    queue.end(new Error('no more'));
    await expect(waiting).rejects.toThrow('no more');
  });
});

describe('a frame reader', () => {
  const text = 'x'.repeat(2000);
  const message = (n: number) => ({ type: 'pong', serverTimeMs: n, text });
  const deflated = (n: number) => deflateFrame(packr.pack(message(n)));

  function reader() {
    const read: number[] = [];
    let broken: string | undefined;
    const made = new FrameReader(
      (one) => read.push((one as { serverTimeMs: number }).serverTimeMs),
      (reason) => {
        broken = reason;
      },
      (pass, fail) => new InflatingUnpacker(pass, fail),
    );
    const until = async (holds: () => boolean) => {
      while (!holds()) await new Promise((resolve) => setImmediate(resolve));
    };
    return { made, read, until, broken: () => broken };
  }

  it('reads plain frames without waiting', () => {
    const { made, read } = reader();
    made.receive(packr.pack(message(1)));
    expect(read).toEqual([1]);
  });

  it('inflates, and keeps the order of deflated and plain frames', async () => {
    const { made, read, until } = reader();
    expect(deflatedPart(deflated(1))).toBeDefined();
    for (let n = 0; n < 40; n++) made.receive(n % 3 === 0 ? deflated(n) : packr.pack(message(n)));
    expect(read).toEqual([]);
    await until(() => read.length === 40);
    expect(read).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });

  it('knows a deflated frame by its ext type, in every length of header', () => {
    const body = new Uint8Array([1, 2, 3]);
    expect(deflatedPart(new Uint8Array([0xc7, 3, 90, ...body]))).toEqual(body);
    expect(deflatedPart(new Uint8Array([0xc8, 0, 3, 90, ...body]))).toEqual(body);
    expect(deflatedPart(new Uint8Array([0xc9, 0, 0, 0, 3, 90, ...body]))).toEqual(body);
    expect(deflatedPart(new Uint8Array([0xc7, 3, 91, ...body]))).toBeUndefined();
    expect(deflatedPart(packr.pack(message(1)))).toBeUndefined();
  });

  it.each<[what: string, frame: Uint8Array]>([
    ['is no MessagePack', new Uint8Array([0xc1])],
    ['is no message', packr.pack([1, 2])],
    ['is not deflated', new Uint8Array([0xc7, 3, 90, 0xff, 0xff, 0xff])],
    ['inflates beyond its bound', ext90(deflateRawSync(Buffer.alloc(9 * 1024 * 1024), { level: constants.Z_BEST_SPEED }))],
  ])('gives up a connection whose frame %s', async (_, frame) => {
    const { made, read, until, broken } = reader();
    made.receive(frame);
    made.receive(packr.pack(message(1)));
    await until(() => broken() !== undefined);
    made.receive(packr.pack(message(2)));
    expect(read).toEqual([]);
  });

  it('holds a limited number of frames behind one that is being inflated', () => {
    const { made, broken } = reader();
    made.receive(deflated(0));
    for (let n = 0; n < 4096; n++) made.receive(packr.pack({ type: 'pong', serverTimeMs: n }));
    expect(broken()).toBeUndefined();
    made.receive(packr.pack(message(1)));
    expect(broken()).toContain('4096 frames');
  });

  it('reads nothing more once it is stopped', async () => {
    const { made, read } = reader();
    made.receive(deflated(1));
    made.receive(packr.pack(message(2)));
    made.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read).toEqual([]);
  });
});

it('encodes messages as the server reads them, and leaves out undefined fields', () => {
  const data = { text: 'größer', bytes: new Uint8Array([1, 2]), big: 2n ** 60n, at: [1.5, null, true] };
  const frame = encodeMessage({ type: 'publish', id: 1, topic: 'chat.a', key: undefined, data });
  expect(msgpackCodec.decode(frame)).toEqual({
    type: 'publish',
    id: 1,
    topic: 'chat.a',
    data: { ...data, bytes: Buffer.from([1, 2]) },
  });
});

it('calls every listener of an event; an exception of one is thrown elsewhere', async () => {
  const emitter = new Emitter<{ one: number }>();
  const heard: number[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
  try {
    const stopThrowing = emitter.on('one', () => {
      throw new Error('the application’s');
    });
    const stop = emitter.on('one', (n) => heard.push(n));
    emitter.emit('one', 1);
    stopThrowing();
    stop();
    emitter.emit('one', 2);
    expect(heard).toEqual([1]);
    expect(await thrown).toMatchObject({ message: 'the application’s' });
  } finally {
    for (const listener of others) process.on('uncaughtException', listener);
  }
});

function ext90(body: Uint8Array): Uint8Array {
  const head = Buffer.from([0xc9, 0, 0, 0, 0, 90]);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
