import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keepBytes, putBytes, toBuffer } from '../../src/protocol/kept-bytes.ts';

describe('kept bytes', () => {
  it('are a copy of the input, for any length, and do not change with the input', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), fc.nat(10), (bytes, at) => {
        const given = Buffer.from(bytes);
        const kept = keepBytes(given);
        given.fill(0x2a);
        expect(kept).toHaveLength(bytes.length);
        expect(toBuffer(kept).equals(bytes)).toBe(true);
        const target = Buffer.alloc(at + bytes.length + 1, 0x2a);
        putBytes(kept, target, at);
        expect(target.equals(Buffer.concat([Buffer.alloc(at, 0x2a), bytes, Buffer.from('*')]))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('keep no larger piece of memory than they need', () => {
    for (const length of [10, 1024, 1025, 5000]) {
      const kept = keepBytes(Buffer.alloc(1_000_000).subarray(0, length));
      if (typeof kept !== 'string') expect(kept.buffer.byteLength).toBe(length);
    }
  });
});
