import { describe, expect, it } from 'vitest';
import { type EpochEntry, epochOf } from '../../src/bus/nats/epoch.ts';
import { predecessorsOf } from '../../src/bus/nats/lineage.ts';
import { inPresentLife } from '../../src/recent/lives.ts';

const CREATED = '2026-01-01T00:00:00Z';
const entry = (more: Partial<EpochEntry> = {}): EpochEntry => ({ created: CREATED, generation: 1, id: 'a', ...more });
const checkpoint = { offset: 10, timestampNs: 1e18 };

describe('the earlier epochs that a new one continues', () => {
  it('are none if nothing was kept, or it belongs to another stream', () => {
    expect(predecessorsOf(undefined, CREATED, 'none')).toEqual([]);
    expect(predecessorsOf(entry({ checkpoint }), 'later', 'same')).toEqual([]);
  });

  it.each(['different', 'shorter', 'gone'] as const)('are none where the checkpoint is %s', (evidence) => {
    expect(predecessorsOf(entry({ checkpoint }), CREATED, evidence)).toEqual([]);
  });

  it('reach to the checkpoint, or to the beginning if nothing had been published', () => {
    expect(predecessorsOf(entry({ checkpoint }), CREATED, 'same')).toEqual([{ epoch: epochOf(entry()), upTo: 10 }]);
    expect(predecessorsOf(entry(), CREATED, 'none')).toEqual([{ epoch: epochOf(entry()), upTo: 0 }]);
  });

  it('include those of the previous epoch, up to where that one continued them', () => {
    const before = [
      { epoch: 'x', upTo: 4 },
      { epoch: 'y', upTo: 40 },
    ];
    expect(predecessorsOf(entry({ checkpoint, before }), CREATED, 'same').slice(1)).toEqual([
      { epoch: 'x', upTo: 4 },
      { epoch: 'y', upTo: 10 },
    ]);
  });

  it('are the last sixteen', () => {
    const before = Array.from({ length: 16 }, (_, i) => ({ epoch: `${i}`, upTo: 1 }));
    const lives = predecessorsOf(entry({ checkpoint, before }), CREATED, 'same');
    expect(lives).toHaveLength(16);
    expect(lives.at(-1)?.epoch).toBe('14');
  });
});

describe('a position', () => {
  const feed = { epoch: 'now', before: [{ epoch: 'then', upTo: 10 }] };

  it('of a past life is one of the present, up to where both are the same', () => {
    for (const offset of [0, 10]) expect(inPresentLife(feed, { epoch: 'then', offset })).toEqual({ epoch: 'now', offset });
    expect(inPresentLife(feed, { epoch: 'then', offset: 11 })).toEqual({ epoch: 'then', offset: 11 });
  });

  it('in the current epoch, or in an unknown one, stays unchanged', () => {
    for (const since of [
      { epoch: 'now', offset: 50 },
      { epoch: 'other', offset: 5 },
    ])
      expect(inPresentLife(feed, since)).toBe(since);
    expect(inPresentLife({ epoch: 'now', before: undefined }, { epoch: 'then', offset: 1 })).toEqual({ epoch: 'then', offset: 1 });
  });
});
