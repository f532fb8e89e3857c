import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/bus/nats/delivery.ts';
import { FollowerCore } from '../../src/bus/nats/follower-core.ts';

const timeOf = (streamSeq: number) => 1_700_000_000e9 + streamSeq * 1000;

function delivery(streamSeq: number, consumerSeq: number, timestampNs = timeOf(streamSeq)): Delivery {
  return { streamSeq, consumerSeq, timestampNs, pending: 0 };
}

const bounds = (firstOffset: number, lastOffset: number, mayHaveExpired = false) => ({
  firstOffset,
  lastOffset,
  lastTimestampNs: timeOf(lastOffset),
  mayHaveExpired,
});

const NEVER = () => false;

/** One consumer's life: it delivers what is in the log from where it begins, loses some on the way, and is cut off after a while. */
const life = fc.record({ length: fc.nat(30), lost: fc.array(fc.nat(29), { maxLength: 3 }), firstOffset: fc.nat(5) });

describe('a follower', () => {
  it('delivers every publication of the log once and in order, although its consumers lose publications and end at any time', () => {
    fc.assert(
      fc.property(fc.array(life, { maxLength: 20 }), fc.nat(10), (lives, after) => {
        const last = 60;
        const core = new FollowerCore(after, false);
        const delivered: number[] = [];
        // The last life is whole, so that there is an end.
        for (const { length, lost, firstOffset } of [...lives, { length: 1000, lost: [], firstOffset: 0 }]) {
          // Nothing that it has not had is removed here: that is a gap, below.
          const first = Math.min(firstOffset, after) + 1;
          expect(core.check(bounds(first, last))).toBe('ok');
          const start = Math.max(core.begin({ firstOffset: first }), first);
          for (let i = 0; i < length && start + i <= last; i++) {
            if (lost.includes(i)) continue;
            const verdict = core.accept(delivery(start + i, i + 1), NEVER);
            if (verdict === 'restart') break;
            expect(['deliver', 'drop']).toContain(verdict);
            if (verdict === 'deliver') delivered.push(start + i);
          }
        }
        expect(delivered).toEqual(Array.from({ length: last - after }, (_, i) => after + i + 1));
        expect(core.position).toBe(last);
      }),
    );
  });

  it('breaks at a gap in the log, and not in a keyed namespace, where it was superseded if it is not too old', () => {
    for (const [keyed, mayHaveExpired, verdict] of [
      [false, false, 'gap'],
      [true, false, 'deliver'],
      [true, true, 'gap'],
    ] as const) {
      const core = new FollowerCore(0, keyed);
      core.begin(bounds(1, 9));
      expect(core.accept(delivery(1, 1), NEVER)).toBe('deliver');
      expect(core.accept(delivery(5, 2), () => mayHaveExpired)).toBe(verdict);
      expect(core.position).toBe(verdict === 'deliver' ? 5 : 1);
    }
  });

  it('cannot begin where its next publications have been removed', () => {
    expect(new FollowerCore(3, false).check(bounds(4, 9))).toBe('ok');
    expect(new FollowerCore(3, false).check(bounds(5, 9))).toBe('gap');
    expect(new FollowerCore(3, true).check(bounds(5, 9))).toBe('ok');
    expect(new FollowerCore(3, true).check(bounds(5, 9, true))).toBe('gap');
    expect(new FollowerCore(9, false).check(bounds(10, 9))).toBe('ok');
  });

  it('knows a log that ends before its position, or has another publication there', () => {
    const core = new FollowerCore(0, false);
    core.begin(bounds(1, 2));
    core.accept(delivery(1, 1), NEVER);
    core.accept(delivery(2, 2), NEVER);
    expect(core.check(bounds(1, 1))).toBe('rolled_back');
    expect(core.begin(bounds(1, 9))).toBe(2);
    expect(core.accept(delivery(2, 1, timeOf(2) + 500_000), NEVER)).toBe('rolled_back');
  });

  it('knows a log of which nothing is kept by the time of its last publication', () => {
    const core = new FollowerCore(0, false);
    core.begin(bounds(1, 2));
    core.accept(delivery(1, 1), NEVER);
    core.accept(delivery(2, 2), NEVER);
    expect(core.check(bounds(3, 2))).toBe('ok');
    expect(core.check({ ...bounds(3, 2), lastTimestampNs: timeOf(2) + 500_000 })).toBe('rolled_back');
    expect(core.check({ ...bounds(3, 2), lastTimestampNs: undefined })).toBe('gap');
    // Where it is kept, it is compared when it comes.
    expect(core.check({ ...bounds(2, 2), lastTimestampNs: timeOf(2) + 500_000 })).toBe('ok');
  });

  it('has lost something when a heartbeat says that more was delivered', () => {
    const core = new FollowerCore(0, false);
    core.begin(bounds(1, 9));
    core.accept(delivery(1, 1), NEVER);
    expect(core.agrees(1)).toBe(true);
    expect(core.agrees(2)).toBe(false);
    core.begin(bounds(1, 9));
    // Idle, and not even what it has had already has come: that is not there any more.
    expect(core.agrees(0)).toBe(false);
  });
});
