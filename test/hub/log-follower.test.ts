import { describe, expect, it, vi } from 'vitest';
import { BusError } from '../../src/bus/bus-error.ts';
import { LogFollower } from '../../src/hub/log-follower.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { ManualLog } from '../support/manual-log.ts';
import { stopWithFakedTimers } from '../support/stop-with-faked-timers.ts';

vi.mock('node:timers/promises', () => import('../support/faked-sleep.ts'));

const READY_TIMEOUT_MS = 2000;
const RETRY_PAUSE_MS = 10;
const WATCHDOG_INTERVAL_MS = 60_000;
const unreachable = () => new BusError('bus_unreachable', 'cut off');

const stops = stopWithFakedTimers();

/** A follower of a log that has three publications already, and what it has told, in order. */
function setUp() {
  const log = new ManualLog('scores');
  for (let n = 1; n <= 3; n++) log.append('scores.a', n);
  const told: (string | number)[] = [];
  const follower = new LogFollower(
    {
      log,
      logger: createLogger({ level: 'silent', pretty: false }),
      watchdogIntervalMs: WATCHDOG_INTERVAL_MS,
      readyTimeoutMs: READY_TIMEOUT_MS,
      retryPauseMs: RETRY_PAUSE_MS,
    },
    {
      onPublication: ({ offset }) => void told.push(offset),
      onBroken: () => void told.push('broken'),
      onRestarted: (reason) => void told.push(reason),
    },
  );
  stops.push(() => follower.stop());
  return { log, follower, told };
}

/** Following, and delivering. */
async function ready() {
  const all = setUp();
  await all.follower.ready();
  return all;
}

const settled = () => vi.advanceTimersByTimeAsync(0);
/** What a promise rejects with, as a code. */
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: BusError) => error.code,
  );
const GAP = 'this node missed a part of the log';
const OTHER = 'the log was reset';

describe('LogFollower begins', () => {
  it('at the end of the log, and delivers what comes in order', async () => {
    const { log, follower, told } = await ready();
    expect([follower.epoch, follower.position, follower.live]).toEqual(['e1', 3, true]);
    log.append('scores.a', 4);
    log.append('scores.b', 5);
    log.follower.deliver();
    expect([told, follower.position]).toEqual([[4, 5], 5]);
  });

  it('once, for all who ask', async () => {
    const { log, follower } = setUp();
    await Promise.all([follower.ready(), follower.ready(), follower.ready()]);
    await follower.ready();
    expect(log.asked.follow).toBe(1);
  });

  it('as soon as a log can be reached again', async () => {
    const { log, follower } = setUp();
    log.failure = unreachable();
    const waiting = codeOf(follower.ready());
    await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS / 2);
    log.failure = undefined;
    await vi.advanceTimersByTimeAsync(RETRY_PAUSE_MS);
    expect([await waiting, follower.live]).toEqual(['resolved', true]);
  });

  it('not when the log stays away for readyTimeoutMs', async () => {
    const { log, follower } = setUp();
    log.failure = unreachable();
    let code: string | undefined;
    void codeOf(follower.ready()).then((found) => {
      code = found;
    });
    await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS - 2 * RETRY_PAUSE_MS);
    expect(code).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2 * RETRY_PAUSE_MS);
    expect(code).toBe('bus_unreachable');
  });

  it('not if waiting cannot help, and reports that immediately', async () => {
    const { log, follower } = setUp();
    log.followFailure = new BusError('permission_denied', 'denied');
    expect(await codeOf(follower.ready())).toBe('permission_denied');
    // A later call tries again.
    log.followFailure = undefined;
    await follower.ready();
    expect(log.asked.follow).toBe(2);
  });

  it('not with a follower that broke before it was handed over', async () => {
    const { log, follower, told } = setUp();
    const follow = log.follow.bind(log);
    log.follow = (after, onPublication, onBroken) => {
      if (log.asked.follow === 0) onBroken(new BusError('log_gap', 'too early'));
      return follow(after, onPublication, onBroken);
    };
    expect(await codeOf(follower.ready())).toBe('log_gap');
    expect(follower.live).toBe(false);
    await follower.ready();
    expect([follower.live, told]).toEqual([true, []]);
  });

  it('is ready only while its follower is live, which it waits for', async () => {
    const { log, follower } = await ready();
    log.follower.setLive(false);
    const late = codeOf(follower.ready());
    await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS);
    expect(await late).toBe('bus_unreachable');
    const soon = codeOf(follower.ready());
    await vi.advanceTimersByTimeAsync(100);
    log.follower.setLive(true);
    expect(await soon).toBe('resolved');
    expect(log.asked.follow).toBe(1);
  });
});

describe('LogFollower, when its log breaks,', () => {
  it('says so, follows from the end as it is now, and says that and why', async () => {
    const { log, follower, told } = await ready();
    const old = log.follower;
    log.append('scores.a', 4);
    log.epoch = 'e2';
    old.break('log_rolled_back');
    expect(follower.live).toBe(false);
    await settled();
    expect(told).toEqual(['broken', OTHER]);
    expect(old.isStopped).toBe(true);
    expect([follower.epoch, follower.position, log.asked.follow]).toEqual(['e2', 4, 2]);
    log.append('scores.a', 5);
    log.follower.deliver();
    expect(told).toEqual(['broken', OTHER, 5]);
  });

  it('tells a gap from another history', async () => {
    const { log, told } = await ready();
    log.follower.break('log_gap');
    await settled();
    expect(told).toEqual(['broken', GAP]);
  });

  it('tries until it can be followed, each time after a longer pause, and says once that it goes on', async () => {
    const { log, told } = await ready();
    log.followFailure = unreachable();
    log.follower.break('log_gone');
    await settled();
    expect(log.asked.follow).toBe(2);
    for (const [attempt, pauseMs] of [10, 20, 40, 80].entries()) {
      await vi.advanceTimersByTimeAsync(pauseMs - 1);
      expect(log.asked.follow).toBe(2 + attempt);
      await vi.advanceTimersByTimeAsync(1);
      expect(log.asked.follow).toBe(3 + attempt);
    }
    log.followFailure = undefined;
    await vi.advanceTimersByTimeAsync(160);
    expect(told).toEqual(['broken', OTHER]);
  });

  it('never pauses longer than 5 s', async () => {
    const { log, told } = await ready();
    log.followFailure = unreachable();
    log.follower.break('log_gone');
    await vi.advanceTimersByTimeAsync(600_000);
    log.followFailure = undefined;
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toEqual(['broken', OTHER]);
  });

  it('starts over once, however often the same follower breaks, and not for one that it has left', async () => {
    const { log, told } = await ready();
    const old = log.follower;
    old.break('log_gap');
    old.break('log_gap');
    await settled();
    old.break('log_gone');
    await settled();
    expect([told, log.asked.follow]).toEqual([['broken', GAP], 2]);
  });

  it('starts over each time that another follower breaks', async () => {
    const { log, told } = await ready();
    log.follower.break('log_gap');
    await settled();
    log.follower.break('log_gone');
    await settled();
    expect([told, log.asked.follow]).toEqual([['broken', GAP, 'broken', OTHER], 3]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('starts over when the new follower breaks %d microtasks after it has begun', async (ticks) => {
    const { log, follower, told } = await ready();
    let begun = false;
    const follow = log.follow.bind(log);
    log.follow = async (after, onPublication, onBroken) => {
      log.follow = follow;
      const another = await follow(after, onPublication, onBroken);
      const later = (left: number): void => {
        if (left > 0) return queueMicrotask(() => later(left - 1));
        begun = follower.live;
        log.follower.break('log_gap');
      };
      later(ticks);
      return another;
    };
    log.follower.break('log_gap');
    await vi.advanceTimersByTimeAsync(10 * RETRY_PAUSE_MS);
    log.append('scores.a', 4);
    log.follower.deliver();
    expect([follower.live, told.at(-1)]).toEqual([true, 4]);
    // Between the two followers something may be missing.
    expect(told.filter((each) => each === 'broken')).toHaveLength(begun ? 2 : 1);
  });

  it('does not begin by itself for those who ask while it pauses', async () => {
    const { log, follower } = await ready();
    log.followFailure = unreachable();
    log.follower.break('log_gone');
    // After 10, 20, … 640 ms.
    await vi.advanceTimersByTimeAsync(1000);
    const { follow } = log.asked;
    const waiting = codeOf(follower.ready());
    await vi.advanceTimersByTimeAsync(200);
    expect(log.asked.follow).toBe(follow);
    log.followFailure = undefined;
    await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS);
    expect(await waiting).toBe('resolved');
  });

  it('resolves ready() calls that wait as soon as it follows again', async () => {
    const { log, follower, told } = await ready();
    const release = log.hold();
    log.follower.break('log_gone');
    const waiting = codeOf(follower.ready());
    await settled();
    expect(told).toEqual(['broken']);
    release();
    await vi.advanceTimersByTimeAsync(RETRY_PAUSE_MS);
    expect([await waiting, log.asked.follow]).toEqual(['resolved', 2]);
  });

  it('says nothing more when it is stopped meanwhile, and leaves no follower', async () => {
    const { log, follower, told } = await ready();
    log.followFailure = unreachable();
    log.follower.break('log_gone');
    await settled();
    const stopping = follower.stop();
    log.followFailure = undefined;
    await vi.advanceTimersByTimeAsync(60_000);
    await stopping;
    expect(told).toEqual(['broken']);
    expect(log.followers.every(({ isStopped }) => isStopped)).toBe(true);
  });
});

describe('a LogFollower that is stopped', () => {
  it('follows nothing that it had asked for before', async () => {
    const { log, follower } = setUp();
    const release = log.hold();
    const waiting = codeOf(follower.ready());
    await settled();
    const stopping = follower.stop();
    release();
    await stopping;
    await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS);
    expect([await waiting, follower.live, log.followers.map(({ isStopped }) => isStopped)]).toEqual(['bus_unreachable', false, [true]]);
  });

  it('says nothing when its follower breaks', async () => {
    const { log, follower, told } = await ready();
    await follower.stop();
    log.follower.break('log_gap');
    await vi.advanceTimersByTimeAsync(1000);
    expect([told, log.asked.follow]).toEqual([[], 1]);
  });
});

describe('what LogFollower delivers', () => {
  it('is of one history while the run is the same: neither through an interruption, nor through another follower', async () => {
    const { log, follower } = await ready();
    const first = follower.run;
    expect(follower.isSameRun(first)).toBe(true);
    log.follower.setLive(false);
    log.follower.setLive(true);
    expect(follower.isSameRun(first)).toBe(false);
    const second = follower.run;
    log.follower.break('log_gap');
    await settled();
    expect([follower.live, follower.isSameRun(second)]).toEqual([true, false]);
  });

  it('is of no history that can be named while it is not live', async () => {
    const { log, follower } = await ready();
    log.follower.setLive(false);
    const { run } = follower;
    log.follower.setLive(true);
    expect(follower.isSameRun(run)).toBe(false);
  });

  it('can be waited for', async () => {
    const { log, follower } = await ready();
    expect(await follower.reach(3, 0)).toBe(true);
    const reached = follower.reach(4, 1000);
    const never = follower.reach(5, 1000);
    log.append('scores.a', 4);
    log.follower.deliver();
    await vi.advanceTimersByTimeAsync(20);
    expect(await reached).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await never).toBe(false);
  });

  it('is not waited for any longer when it is stopped', async () => {
    const { follower } = await ready();
    const never = follower.reach(9, 1_000_000);
    await follower.stop();
    expect(await never).toBe(false);
  });

  it('lags behind the log by what is not delivered yet', async () => {
    const { log, follower } = setUp();
    expect(await follower.lag()).toBeUndefined();
    await follower.ready();
    expect(await follower.lag()).toBe(0);
    log.append('scores.a', 4);
    log.append('scores.a', 5);
    expect(await follower.lag()).toBe(2);
    log.follower.position = 9;
    expect(await follower.lag()).toBe(0);
  });

  it('has no lag that can be told when the log fails, or does not answer within a second', async () => {
    const { log, follower } = await ready();
    log.failure = unreachable();
    expect(await follower.lag()).toBeUndefined();
    log.failure = undefined;
    const release = log.hold();
    const lag = follower.lag();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await lag).toBeUndefined();
    release();
  });
});

describe('the watchdog of LogFollower', () => {
  it('restarts a follower that is behind and has had nothing since the last look', async () => {
    const { log } = await ready();
    log.append('scores.a', 4);
    await vi.advanceTimersByTimeAsync(WATCHDOG_INTERVAL_MS);
    expect(log.follower.restarts).toEqual([]);
    await vi.advanceTimersByTimeAsync(WATCHDOG_INTERVAL_MS);
    expect(log.follower.restarts).toEqual(['the watchdog found it stuck']);
    // What it was before says nothing about it any more.
    await vi.advanceTimersByTimeAsync(WATCHDOG_INTERVAL_MS);
    expect(log.follower.restarts).toHaveLength(1);
  });

  it('restarts a follower that is twice found beyond the end', async () => {
    const { log } = await ready();
    log.follower.position = 9;
    await vi.advanceTimersByTimeAsync(2 * WATCHDOG_INTERVAL_MS);
    expect(log.follower.restarts).toEqual(['the watchdog found it beyond_end']);
  });

  it('leaves one alone that gets on, one that is at work on its log, and one whose log cannot be asked', async () => {
    const { log } = await ready();
    for (let n = 4; n < 8; n++) {
      log.append('scores.a', n);
      log.append('scores.a', n);
      log.follower.position++;
      await vi.advanceTimersByTimeAsync(WATCHDOG_INTERVAL_MS);
    }
    log.follower.setLive(false);
    await vi.advanceTimersByTimeAsync(3 * WATCHDOG_INTERVAL_MS);
    log.follower.setLive(true);
    log.failure = unreachable();
    await vi.advanceTimersByTimeAsync(3 * WATCHDOG_INTERVAL_MS);
    expect(log.follower.restarts).toEqual([]);
  });

  it('starts over when another node has found that the log is in another life', async () => {
    const { log, follower, told } = await ready();
    await follower.watch();
    expect(told).toEqual([]);
    log.epoch = 'e2';
    await follower.watch();
    await settled();
    expect([told[0], told.length, log.asked.follow, follower.epoch]).toEqual(['broken', 2, 2, 'e2']);
  });

  it('knows nothing of a follower by what another was', async () => {
    const { log, follower } = await ready();
    log.append('scores.a', 4);
    await follower.watch();
    log.publications.pop();
    log.follower.break('log_rolled_back');
    await settled();
    log.append('scores.a', 4);
    await follower.watch();
    expect(log.follower.restarts).toEqual([]);
  });

  it('says nothing of a follower that was replaced while it asked', async () => {
    const { log, follower } = await ready();
    log.append('scores.a', 4);
    await follower.watch();
    const release = log.hold();
    const watching = follower.watch();
    log.follower.break('log_gap');
    release();
    await watching;
    await settled();
    expect(log.followers.flatMap(({ restarts }) => restarts)).toEqual([]);
    expect(log.asked.follow).toBe(2);
  });

  it('asks one question at a time', async () => {
    const { log, follower } = await ready();
    const before = log.asked.state;
    const release = log.hold();
    await vi.advanceTimersByTimeAsync(5 * WATCHDOG_INTERVAL_MS);
    release();
    await settled();
    expect([log.asked.state - before, follower.live]).toEqual([1, true]);
  });

  it('ends with it', async () => {
    const { log, follower } = await ready();
    await follower.stop();
    const before = log.asked.state;
    await vi.advanceTimersByTimeAsync(5 * WATCHDOG_INTERVAL_MS);
    expect([log.asked.state - before, log.follower.isStopped]).toEqual([0, true]);
  });
});
