import { afterEach, describe, expect, it } from 'vitest';
import { BusError, type Follower, type Log } from '../../src/bus/bus.ts';
import { loadConfig } from '../../src/config/load.ts';
import { LogFollower } from '../../src/hub/log-follower.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { until } from '../support/until.ts';

const running: LogFollower[] = [];
afterEach(async () => {
  for (const follower of running.splice(0)) await follower.stop();
});

/** A log whose epoch is the test's, and which may break while it is being followed. */
function setUp({ breaksEarly = 0 } = {}) {
  const { config } = loadConfig({ env: {}, flags: { 'log.level': 'silent' } });
  const state = { epoch: 'e1', followed: 0, broken: 0, restarted: [] as string[] };
  const log = {
    namespace: 'scores',
    state: async () => ({ epoch: state.epoch, firstOffset: 1, lastOffset: 5 }),
    follow: async (after: number, _: unknown, onBroken: (error: Error) => void): Promise<Follower> => {
      state.followed++;
      if (state.followed <= breaksEarly) onBroken(new BusError('log_gap', 'it broke before it was handed over'));
      return {
        position: after,
        live: true,
        interruptions: 0,
        whenLive: async () => true,
        restart: () => undefined,
        stop: async () => undefined,
      } as Follower;
    },
  } as unknown as Log;
  const follower = new LogFollower(
    { log, logger: createLogger(config.log), watchdogIntervalMs: 600_000, readyTimeoutMs: 2000, retryPauseMs: 1 },
    {
      onPublication: () => undefined,
      onBroken: () => void state.broken++,
      onRestarted: (reason) => void state.restarted.push(reason),
    },
  );
  running.push(follower);
  return { follower, state };
}

describe('LogFollower', () => {
  it('starts over when another node has found that the log is in another life', async () => {
    const { follower, state } = setUp();
    await follower.ready();
    await follower.watch();
    expect(state).toMatchObject({ broken: 0, followed: 1 });
    state.epoch = 'e2';
    await follower.watch();
    await until('it to be followed anew', () => state.restarted.length === 1);
    expect(state).toMatchObject({ broken: 1, followed: 2 });
    expect(follower.epoch).toBe('e2');
  });

  it('is not ready with a follower that broke before it was handed over', async () => {
    const { follower, state } = setUp({ breaksEarly: 1 });
    const failed = await follower.ready().then(
      () => undefined,
      (error: BusError) => error.code,
    );
    expect(failed).toBe('log_gap');
    await follower.ready();
    expect(state.followed).toBe(2);
  });
});
