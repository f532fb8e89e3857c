import { afterEach, beforeEach, vi } from 'vitest';

/**
 * Fakes the timers of each test of the file, and stops what the test has started, with the time that stopping takes.
 *
 * @returns where a test puts what stops it
 */
export function stopWithFakedTimers(): { push(stop: () => Promise<void>): void } {
  let stops: (() => Promise<void>)[] = [];
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  });
  afterEach(async () => {
    const stopping = Promise.all(stops.map((stop) => stop()));
    await vi.advanceTimersByTimeAsync(10_000);
    await stopping;
    stops = [];
    vi.useRealTimers();
  });
  return { push: (stop) => void stops.push(stop) };
}
