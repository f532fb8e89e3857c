import { describe, expect, it } from 'vitest';
import { keyAt, MARK, PAYLOAD_BYTES_MIN, PayloadMaker, sequenceAt, timeUsAt } from '../../src/bench/stamp.ts';

describe('a stamp', () => {
  it('is read back from the payload that carries it', () => {
    const payload = new PayloadMaker(100).make(42, 1_234_567, 98_765_432_101);
    const at = payload.indexOf(MARK);
    expect([keyAt(payload, at), sequenceAt(payload, at), timeUsAt(payload, at)]).toEqual([42, 1_234_567, 98_765_432_101]);
  });

  it('is in JSON of exactly the requested size', () => {
    for (const bytes of [PAYLOAD_BYTES_MIN, 100, 1000]) {
      const payload = new PayloadMaker(bytes).make(99_999, 0, 0);
      expect(payload).toHaveLength(bytes);
      expect(JSON.parse(payload.toString())).toHaveProperty('m', expect.stringMatching(/^@#~!99999\d{26}$/));
    }
  });

  it('is never shared between two payloads, since a bus may keep one', () => {
    const maker = new PayloadMaker(100);
    const first = maker.make(0, 1, 1);
    maker.make(0, 2, 2);
    expect(sequenceAt(first, first.indexOf(MARK))).toBe(1);
  });

  it('does not fit a payload that is too small', () => {
    expect(() => new PayloadMaker(PAYLOAD_BYTES_MIN - 1)).toThrow(RangeError);
  });
});
