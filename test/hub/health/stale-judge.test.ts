import { beforeEach, describe, expect, it } from 'vitest';
import { BROKER_LOSS_TOLD_FROM_MS } from '../../../src/config/warnings.ts';
import { BROKER_LOST_MS, NOT_FOLLOWED_MS, Pulse, StaleJudge } from '../../../src/hub/health/stale-judge.ts';
import type { Topic } from '../../../src/protocol/topic.ts';

const STALE_AFTER_MS = 2000;
const LOOK_MS = 250;
/** What monotonic time 0 is by the wall clock. */
const STARTED_AT_MS = 1_700_000_000_000;

describe('StaleJudge', () => {
  let nowMs: number;
  let changes: string[];
  let judge: StaleJudge;

  beforeEach(() => {
    nowMs = 0;
    changes = [];
    judge = new StaleJudge(
      {
        staleAfterMs: STALE_AFTER_MS,
        onChange: ({ topic }, stale) =>
          changes.push(`${nowMs} ${topic} ${stale === null ? 'fresh' : `${stale.reason} ${stale.sinceMs - STARTED_AT_MS}`}`),
        wallClockMs: () => STARTED_AT_MS + nowMs,
      },
      nowMs,
    );
  });

  const watch = (name: string) => {
    const pulse = new Pulse(name as Topic, nowMs);
    judge.watch(pulse);
    return pulse;
  };
  /** Time passes, with a look every 250 ms. */
  const pass = (ms: number, look: () => void = () => judge.confirmed(nowMs, nowMs)) => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += LOOK_MS;
      look();
    }
  };
  const cutFor = (ms: number) => pass(ms, () => judge.unconfirmed(nowMs, true));

  it('says once that a topic is silent, since it was last heard, and once that it is not any more', () => {
    const pulse = watch('a');
    pass(1000);
    judge.heard(pulse, nowMs);
    pass(1750);
    expect(changes).toEqual([]);
    pass(5000);
    judge.heard(pulse, nowMs);
    pass(1500);
    expect(changes).toEqual(['3000 a producer_silent 1000', '7750 a fresh']);
  });

  it('names the time of the last publication in the log for a topic that has been silent since it was opened', () => {
    const pulse = watch('a');
    pulse.publishedAtMs = STARTED_AT_MS - 60_000;
    pass(2000);
    expect(changes).toEqual(['2000 a producer_silent -60000']);
  });

  it('calls no topic silent through a cut of 3 s, whenever its heartbeats come', () => {
    for (const phaseMs of [0, 250, 500, 1000, 1500, 1750]) {
      const pulse = watch(`phase-${phaseMs}`);
      pass(phaseMs);
      judge.heard(pulse, nowMs);
      pass(1750);
      judge.heard(pulse, nowMs);
      pass(1750);
      cutFor(3000);
      // The next one that is not lost.
      pass(1750);
      judge.heard(pulse, nowMs);
      judge.forget(pulse);
    }
    expect(changes).toEqual([]);
  });

  it('does not call a topic silent while the broker does not answer', () => {
    watch('a');
    pass(1750);
    pass(3000, () => judge.unconfirmed(nowMs, false));
    expect(changes).toEqual([]);
    pass(250);
    expect(changes).toEqual(['5000 a producer_silent 0']);
  });

  it('says that the node has lost the broker, and after it is back, that the producer is silent, or fresh as soon as it is heard', () => {
    const [a, b] = [watch('a'), watch('b')];
    pass(1000);
    judge.heard(a, nowMs);
    judge.heard(b, nowMs);
    cutFor(BROKER_LOST_MS);
    expect(changes).toEqual(['5500 a broker_lost 1000', '5500 b broker_lost 1000']);
    cutFor(3000);
    pass(500);
    judge.heard(b, nowMs);
    pass(1750);
    expect(changes.slice(2)).toEqual(['9000 b fresh', '10750 a producer_silent 1000']);
    expect(judge.counts).toEqual({ producer_silent: 1, broker_lost: 0 });
  });

  it('waits longer for a broker that answers, while its log is not followed again', () => {
    watch('a');
    cutFor(3000);
    const resume = (ms: number) =>
      pass(ms, () => {
        judge.answered(nowMs);
        judge.unconfirmed(nowMs, true);
      });
    resume(NOT_FOLLOWED_MS - 3000 - LOOK_MS);
    expect(changes).toEqual([]);
    resume(LOOK_MS);
    expect(changes).toEqual(['5500 a broker_lost 0']);
  });

  it('does not let many short interruptions hide a silent topic', () => {
    watch('a');
    for (let i = 0; i < 10; i++) {
      pass(1500);
      cutFor(250);
    }
    expect(changes).toEqual([expect.stringMatching(/^\d+ a broker_lost 0$/)]);
  });

  it('keeps nothing of topics that are closed, and counts the stale ones', () => {
    const pulses = Array.from({ length: 1000 }, (_, i) => watch(`t${i}`));
    pass(2000);
    expect(judge.counts).toEqual({ producer_silent: 1000, broker_lost: 0 });
    for (const pulse of pulses) judge.forget(pulse);
    expect(judge.counts).toEqual({ producer_silent: 0, broker_lost: 0 });
    expect(judge.size).toBe(0);
    pass(5000);
    expect(changes).toHaveLength(1000);
  });
});

describe('the loss of the broker', () => {
  /** A producer that is heard every `everyMs`, until the broker is lost at `lostAtMs` for `lostMs`. @returns when the topic was stale, and when it was last heard */
  const run = (staleAfterMs: number, everyMs: number, lostAtMs: number, lostMs: number) => {
    let staleAtMs: number | undefined;
    let nowMs = 0;
    const options = {
      staleAfterMs,
      onChange(_: Pulse, stale: unknown) {
        if (stale !== null) staleAtMs ??= nowMs;
      },
    };
    const judge = new StaleJudge({ ...options, wallClockMs: () => nowMs }, nowMs);
    const pulse = new Pulse('a' as Topic, nowMs);
    judge.watch(pulse);
    const isLost = () => nowMs > lostAtMs && nowMs <= lostAtMs + lostMs;
    for (; staleAtMs === undefined && nowMs < lostAtMs + lostMs + 2 * staleAfterMs; nowMs += 50) {
      if (nowMs % everyMs === 0 && !isLost()) judge.heard(pulse, nowMs);
      if (nowMs % LOOK_MS !== 0) continue;
      if (isLost()) judge.unconfirmed(nowMs, true);
      else judge.confirmed(nowMs, nowMs);
    }
    return { staleAtMs, heardAtMs: pulse.heardAtMs };
  };
  const LONG_MS = 100_000;

  it.each([
    ['twice', 8000, 4000],
    ['twice', 30_000, 15_000],
    ['often', 4250, 250],
    ['often', 10_000, 250],
    // Its producer may have ended before.
    ['once', BROKER_LOSS_TOLD_FROM_MS, BROKER_LOSS_TOLD_FROM_MS],
    ['once', 30_000, 30_000],
  ])('is told within 1 s of the bound, whenever it begins: heard %s in %d ms', (_, staleAfterMs, everyMs) => {
    for (let lostAtMs = 60_000; lostAtMs < 60_000 + everyMs; lostAtMs += 50) {
      const { staleAtMs, heardAtMs } = run(staleAfterMs, everyMs, lostAtMs, LONG_MS);
      const lateMs = (staleAtMs as number) - heardAtMs - staleAfterMs;
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThanOrEqual(1000);
    }
  });

  it('is never told where it lasts for 3 s, and it takes 1 s to reach the broker again', () => {
    for (const staleAfterMs of [1000, 2000, 4000, 8000, 10_000, 20_000]) {
      const everyMs = staleAfterMs / 2;
      for (let lostAtMs = 60_000; lostAtMs < 60_000 + everyMs; lostAtMs += 50) {
        expect(run(staleAfterMs, everyMs, lostAtMs, 4000).staleAtMs).toBeUndefined();
      }
    }
  });
});
