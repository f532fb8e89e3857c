import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../src/client/codec.ts';
import { msgpackToPayload } from '../../src/hub/payload.ts';
import { DATA_DEPTH_MAX } from '../../src/protocol/depth.ts';
import { msgpackCodec, packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { parseClientMessage } from '../../src/protocol/parse.ts';
import { sendable, UNSENDABLE } from '../support/wire-values.ts';

/** As the server reads what the SDK sends. */
function sent(data: unknown): unknown {
  const message = parseClientMessage(msgpackCodec, encodeMessage({ type: 'publish', topic: 'chat.a', data }));
  return (message as { data: unknown }).data;
}

function codeOf(data: unknown): string {
  try {
    encodeMessage({ type: 'call', id: 1, method: 'a', data });
    return 'sent';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('what the SDK sends', () => {
  it('the server accepts, and decodes to an equal value', () => {
    fc.assert(
      fc.property(sendable(), ({ value, wire }) => {
        const got = sent(value);
        expect(got).toEqual(wire);
        // The hub checks a publication once more, before the bus has it.
        for (const kind of ['json', 'msgpack'] as const) expect(msgpackToPayload(packMsgpack(got), kind)).toBeDefined();
      }),
      { numRuns: 1000 },
    );
  });

  it.each(Object.entries(UNSENDABLE))('is not %s, wherever that stands: bad_value', (_what, make) => {
    const places: ((value: unknown) => unknown)[] = [
      (value) => value,
      (value) => [1, value],
      (value) => ({ a: { b: value } }),
      (value) => new Map([['a', value]]),
      (value) => new Set([value]),
      (value) => ({ toJSON: () => value }),
    ];
    for (const place of places) expect(codeOf(place(make()))).toBe('bad_value');
  });

  it.each([
    ['lists', (inner: unknown) => [inner]],
    ['maps', (inner: unknown) => ({ inner })],
    ['Maps', (inner: unknown) => new Map([['inner', inner]])],
    ['Sets', (inner: unknown) => new Set([inner])],
    ['instances with toJSON', (inner: unknown) => ({ toJSON: () => [inner] })],
  ])(`nests as deeply as the server takes, which is ${DATA_DEPTH_MAX} levels: %s`, (_what, around) => {
    const nested = (levels: number) => {
      let value: unknown = 1;
      for (let i = 0; i < levels; i++) value = around(value);
      return value;
    };
    expect(msgpackToPayload(packMsgpack(sent(nested(DATA_DEPTH_MAX))), 'json')).toBeDefined();
    expect(codeOf(nested(DATA_DEPTH_MAX + 1))).toBe('bad_value');
  });

  it('is not read twice: the second result of a getter is not sent', () => {
    let reads = 0;
    const value = {
      get once() {
        return ++reads === 1 ? 'first' : new Date('');
      },
    };
    expect(sent(value)).toEqual({ once: 'first' });
  });

  it('has nothing in it of the sender’s memory', () => {
    const secret = Buffer.alloc(1 << 20, 'SECRET');
    expect(secret.length).toBeGreaterThan(0);
    const samples = new Float64Array(100).fill(1.25);
    expect(sent({ samples })).toEqual({ samples: Buffer.from(samples.buffer) });
    expect(sent(new Int16Array([300]))).toEqual(Buffer.from(Int16Array.of(300).buffer));
  });

  it('says where in the value the bad one is', () => {
    expect(() => sent({ items: [1, { at: new Date('') }] })).toThrow('cannot be sent: data.items[1].at is an invalid Date');
    expect(() => sent(() => 1)).toThrow('cannot be sent: data is a function');
  });
});
