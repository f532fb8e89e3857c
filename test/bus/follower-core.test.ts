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
          const leg = core.begin({ firstOffset: first });
          const start = Math.max(leg.startSeq, first);
          for (let i = 0; i < length && start + i <= last; i++) {
            if (lost.includes(i)) continue;
            const verdict = core.accept(leg, delivery(start + i, i + 1), NEVER);
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
      const leg = core.begin(bounds(1, 9));
      expect(core.accept(leg, delivery(1, 1), NEVER)).toBe('deliver');
      expect(core.accept(leg, delivery(5, 2), () => mayHaveExpired)).toBe(verdict);
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
    const leg = core.begin(bounds(1, 2));
    core.accept(leg, delivery(1, 1), NEVER);
    core.accept(leg, delivery(2, 2), NEVER);
    expect(core.check(bounds(1, 1))).toBe('rolled_back');
    const again = core.begin(bounds(1, 9));
    expect(again.startSeq).toBe(2);
    expect(core.accept(again, delivery(2, 1, timeOf(2) + 500_000), NEVER)).toBe('rolled_back');
  });

  it('knows a log of which nothing is kept by the time of its last publication', () => {
    const core = new FollowerCore(0, false);
    const leg = core.begin(bounds(1, 2));
    core.accept(leg, delivery(1, 1), NEVER);
    core.accept(leg, delivery(2, 2), NEVER);
    expect(core.check(bounds(3, 2))).toBe('ok');
    expect(core.check({ ...bounds(3, 2), lastTimestampNs: timeOf(2) + 500_000 })).toBe('rolled_back');
    expect(core.check({ ...bounds(3, 2), lastTimestampNs: undefined })).toBe('gap');
    // Where it is kept, it is compared when it comes.
    expect(core.check({ ...bounds(2, 2), lastTimestampNs: timeOf(2) + 500_000 })).toBe('ok');
  });

  it('has lost something when a heartbeat says that more was delivered', () => {
    const core = new FollowerCore(0, false);
    const leg = core.begin(bounds(1, 9));
    core.accept(leg, delivery(1, 1), NEVER);
    expect(leg.agrees(1)).toBe(true);
    expect(leg.agrees(2)).toBe(false);
    // Idle, and not even what it has had already has come: that is not there any more.
    expect(core.begin(bounds(1, 9)).agrees(0)).toBe(false);
  });
});

describe('a follower of some topics', () => {
  /** Sure, at offset 3. */
  function at3(countMax = 100, keyed = false) {
    const core = new FollowerCore(0, keyed, countMax);
    const whole = core.begin(bounds(1, 3));
    for (const n of [1, 2, 3]) core.accept(whole, delivery(n, n), NEVER);
    return { core, whole };
  }
  const waiting = (streamSeq: number, consumerSeq: number, pending: number) => ({ ...delivery(streamSeq, consumerSeq), pending });

  it('jumps over others, and takes from each of two consumers only what the other has not delivered', () => {
    const { core, whole } = at3();
    const some = core.continue(true);
    expect(some.startSeq).toBe(4);
    expect(core.accept(whole, delivery(4, 4), NEVER)).toBe('deliver');
    expect(core.accept(some, delivery(7, 1), NEVER)).toBe('deliver');
    expect(core.accept(whole, delivery(5, 5), NEVER)).toBe('drop');
    expect(core.accept(whole, delivery(7, 6), NEVER)).toBe('drop');
    expect(core.accept(some, delivery(11, 3), NEVER)).toBe('restart');
    expect(core.accept(whole, delivery(8, 7), NEVER)).toBe('deliver');
  });

  it('doubts when as many are waiting as a topic may lose, or when they may have expired, and then has not moved', () => {
    for (const keyed of [false, true]) {
      const { core } = at3(100, keyed);
      const some = core.continue(true);
      expect(core.accept(some, waiting(9, 1, 48), NEVER)).toBe('deliver');
      expect(core.accept(some, waiting(12, 2, 49), NEVER)).toBe(keyed ? 'deliver' : 'doubt');
      expect(core.accept(some, waiting(15, 3, 0), () => true)).toBe('doubt');
      expect(core.position).toBe(keyed ? 12 : 9);
      expect(core.begin(bounds(1, 20)).startSeq).toBe(core.position);
    }
  });

  it('passes what is not wanted, and resumes from the last publication that it knows', () => {
    const { core } = at3();
    core.pass(20, timeOf(20));
    core.pass(10, timeOf(10));
    expect([core.position, core.sureNs, core.anchor?.offset]).toEqual([20, timeOf(20), 3]);
    expect(core.check(bounds(1, 19))).toBe('rolled_back');
    expect(core.check(bounds(4, 25))).toBe('gap');
    expect(core.check(bounds(3, 20))).toBe('ok');
    core.setAnchor({ offset: 21, timestampNs: timeOf(21) });
    expect(core.anchor?.offset).toBe(3);
    core.setAnchor({ offset: 18, timestampNs: timeOf(18) });
    expect(core.check(bounds(4, 25))).toBe('ok');
    const leg = core.begin(bounds(4, 25));
    expect(leg.startSeq).toBe(18);
    expect(core.accept(leg, delivery(18, 1), NEVER)).toBe('drop');
    expect(core.accept(leg, delivery(19, 2), NEVER)).toBe('drop');
    expect(core.accept(leg, delivery(20, 3), NEVER)).toBe('drop');
    expect(core.accept(leg, delivery(21, 4), NEVER)).toBe('deliver');
    expect(core.accept(leg, delivery(23, 5), NEVER)).toBe('gap');
  });
});
