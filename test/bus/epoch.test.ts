import { describe, expect, it } from 'vitest';
import { compareWith, decideEpoch, type EpochEntry, type EpochQuestion, epochOf } from '../../src/bus/nats/epoch.ts';

const CREATED = '2026-01-01T00:00:00Z';
const entry = (id: string, created = CREATED): EpochEntry => ({ created, generation: 1, id });

/** A node that follows the log, and finds what it goes by. */
const USUAL: EpochQuestion = {
  stored: entry('a'),
  current: entry('a'),
  created: CREATED,
  isEmpty: false,
  own: 'same',
  vouches: true,
  checkpoint: 'same',
  denials: 0,
  absentMs: 0,
};
const decide = (change: Partial<EpochQuestion>) => decideEpoch({ ...USUAL, ...change });

describe('the life of a log', () => {
  it('is the stored one, unless there is evidence against it', () => {
    expect(decide({})).toBe('take');
    expect(decide({ current: undefined, own: 'none', vouches: false, checkpoint: 'none' })).toBe('take');
    expect(decide({ own: 'gone', checkpoint: 'gone' })).toBe('take');
  });

  it('is a new one after the stream was recreated', () => {
    expect(decide({ created: 'later' })).toBe('renew');
    expect(decide({ stored: undefined, created: 'later' })).toBe('renew');
  });

  it('is a new one if another publication is at an offset that this node, or a checkpoint, has seen', () => {
    expect(decide({ own: 'different' })).toBe('renew');
    expect(decide({ checkpoint: 'different' })).toBe('renew');
    expect(decide({ stored: undefined, own: 'different' })).toBe('renew');
  });

  it('is a new one when the log stays shorter than it was seen, asked more than once', () => {
    for (const seen of [{ own: 'shorter' }, { checkpoint: 'shorter' }, { own: 'shorter', stored: undefined }] as const) {
      expect(decide({ ...seen, denials: 2 })).toBe('doubt');
      expect(decide({ ...seen, denials: 3 })).toBe('renew');
    }
  });

  it('is the epoch that another node has stored, no matter what this node saw in the previous epoch', () => {
    for (const own of ['different', 'shorter', 'same'] as const) expect(decide({ stored: entry('b'), own })).toBe('take');
  });

  it('is stored again by a node that followed the log without interruption, and by no other', () => {
    expect(decide({ stored: undefined })).toBe('restore');
    expect(decide({ stored: undefined, vouches: false })).toBe('await_voucher');
    expect(decide({ stored: undefined, own: 'gone' })).toBe('await_voucher');
    expect(decide({ stored: undefined, current: undefined, own: 'none', vouches: false })).toBe('await_voucher');
    expect(decide({ stored: undefined, vouches: false, absentMs: 60_000 })).toBe('renew');
  });

  it('begins immediately if the log is empty and no node has seen publications', () => {
    const empty = { stored: undefined, isEmpty: true, own: 'none', vouches: false } as const;
    expect(decide({ ...empty, current: undefined })).toBe('renew');
    expect(decide(empty)).toBe('restore');
  });

  it('has another name for every id and every stream', () => {
    const names = [entry('a'), entry('b'), entry('a', 'later')].map(epochOf);
    expect(new Set(names).size).toBe(3);
    expect(names[0]).toMatch(/^[\w-]{16}$/);
  });
});

describe('a log compared with a publication that was seen in it', () => {
  const anchor = { offset: 10, timestampNs: 1_700_000_000e9 };
  const endAt = (lastOffset: number, lastTimestampNs?: number) => ({ lastOffset, lastTimestampNs });

  it('is the same while it has that one there, to the precision of its time', () => {
    expect(compareWith(anchor, endAt(20), anchor.timestampNs + 256)).toBe('same');
    expect(compareWith(anchor, endAt(20), anchor.timestampNs + 1_000_000)).toBe('different');
  });

  it('is shorter if the log ends before it, and unknown if the publication is gone and others came', () => {
    expect(compareWith(anchor, endAt(9), undefined)).toBe('shorter');
    expect(compareWith(anchor, endAt(11), undefined)).toBe('gone');
  });

  it('is decided by the time of the last publication if the log ends there and keeps nothing', () => {
    expect(compareWith(anchor, endAt(10, anchor.timestampNs), undefined)).toBe('same');
    expect(compareWith(anchor, endAt(10, anchor.timestampNs + 1_000_000), undefined)).toBe('different');
    expect(compareWith(anchor, endAt(10), undefined)).toBe('gone');
  });
});
