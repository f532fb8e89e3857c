import { describe, expect, it } from 'vitest';
import { Limiter } from '../../src/bus/limiter.ts';
import { OriginSignatures } from '../../src/bus/nats/origin-signatures.ts';
import { PublicationReader } from '../../src/bus/nats/publication-reader.ts';

describe('the limiter of reads', () => {
  it('runs a limited number at once, the others in order, and refuses what exceeds the queue', async () => {
    const limiter = new Limiter(2, 3);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const task = (n: number) => () => {
      begun.push(n);
      return new Promise<number>((resolve) => ends.push(() => resolve(n)));
    };
    const runs = [1, 2, 3, 4, 5].map((n) => limiter.run(task(n)));
    await expect(limiter.run(task(6))).rejects.toMatchObject({ code: 'bus_busy' });
    expect(begun).toEqual([1, 2]);
    for (let i = 0; i < 5; i++) {
      ends[i]!();
      await runs[i];
    }
    expect(begun).toEqual([1, 2, 3, 4, 5]);
    const after = limiter.run(task(7));
    ends[5]!();
    expect(await after).toBe(7);
  });

  it('frees a place when a task fails', async () => {
    const limiter = new Limiter(1, 0);
    await expect(limiter.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await limiter.run(async () => 1)).toBe(1);
  });
});

describe('the reader of publications', () => {
  it('caches a limited number of addresses, and still reads further ones', () => {
    const faults: string[] = [];
    const signed = { state: 'last', topicTokens: 0, signatures: new OriginSignatures([]), subjectsMax: 10 } as const;
    const reader = new PublicationReader(signed, { onFault: (subject) => faults.push(subject) });
    for (let i = 0; i < 25; i++) {
      const message = { subject: `feed.scores.t${i}`, data: new Uint8Array(), headers: undefined as never };
      expect(reader.fromCore(message, 5)).toMatchObject({ topic: `scores.t${i}`, publishedAtMs: 5 });
      expect(reader.rememberedCount).toBeLessThanOrEqual(10);
    }
    expect(faults).toEqual([]);
  });
});
