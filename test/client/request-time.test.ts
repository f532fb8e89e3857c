import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { nowMs } from '../../src/client/clock.ts';
import { Requests } from '../../src/client/requests.ts';

const TIMEOUT_MS = 1000;
const PART = { type: 'history', id: 1, topic: 'ticks.fx', epoch: 'e1', complete: true } as const;

// Once for the file, and before anything asks for the time: the client keeps the clock that it found first.
beforeAll(() => void vi.useFakeTimers());
afterAll(() => void vi.useRealTimers());

function setUp(isStrict = false) {
  const connection = { isConnected: true, messageBytesMax: 1000, heardAtMs: 0, send: () => undefined };
  const requests = new Requests(connection, 10, () => 1);
  const outcome = vi.fn();
  requests.ask({ type: 'history', topic: 'ticks.fx', last: 3 }, { timeoutMs: TIMEOUT_MS, isStrict }).then(outcome, outcome);
  const hear = () => {
    connection.heardAtMs = nowMs();
  };
  return { requests, outcome, hear };
}

describe('the time for an answer', () => {
  it('runs from the last byte that came, so an answer in parts may take any multiple of it', async () => {
    const { requests, outcome, hear } = setUp();
    for (let offset = 1; offset <= 6; offset++) {
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
      hear();
      requests.answered(1, { ...PART, offset, more: true, continues: true, items: [[offset, null, offset]] });
    }
    expect(outcome).not.toHaveBeenCalled();
    requests.answered(1, { ...PART, offset: 7, more: false, items: [[7, null, 7]] });
    await vi.advanceTimersByTimeAsync(0);
    expect(outcome).toHaveBeenCalledWith(
      expect.objectContaining({ offset: 7, complete: true, items: Array.from({ length: 7 }, (_, at) => [at + 1, null, at + 1]) }),
    );
  });

  it('is over when nothing has come for so long', async () => {
    const { outcome, hear } = setUp();
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
    hear();
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'timeout' }));
  });

  it('runs from the question where an outcome was promised by then', async () => {
    const { outcome, hear } = setUp(true);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
    hear();
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'timeout' }));
  });
});
