import { describe, expect, it } from 'vitest';
import { SharedCall } from '../../src/hub/shared-call.ts';

describe('a call that many ask for', () => {
  it('begins after they asked, is one for all who asked before, and another for who asks while it is under way', async () => {
    const calls: { answer: (value: number) => void; fail: (error: Error) => void }[] = [];
    const shared = new SharedCall<number>(
      () =>
        new Promise((resolve, reject) => {
          calls.push({ answer: resolve, fail: reject });
        }),
    );
    const early = [shared.ask(), shared.ask()];
    await Promise.resolve();
    expect(calls).toHaveLength(1);
    const late = [shared.ask(), shared.ask()].map((answer) => answer.catch((error: Error) => error.message));
    calls[0]!.answer(1);
    expect(await Promise.all(early)).toEqual([1, 1]);
    await Promise.resolve();
    expect(calls).toHaveLength(2);
    calls[1]!.fail(new Error('away'));
    expect(await Promise.all(late)).toEqual(['away', 'away']);
    const next = shared.ask();
    await new Promise((resolve) => setImmediate(resolve));
    calls[2]!.answer(3);
    expect(await next).toBe(3);
  });
});
