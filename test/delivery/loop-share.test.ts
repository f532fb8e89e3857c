import { describe, expect, it } from 'vitest';
import { LoopShare } from '../../src/delivery/loop-share.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('LoopShare', () => {
  it('lets as much through in a turn as permitted, and the rest in later turns, in order', async () => {
    const share = new LoopShare(100);
    const served: number[] = [];
    for (let n = 0; n < 7; n++) {
      const wait = share.take(50);
      if (wait === undefined) served.push(n);
      else void wait.then(() => served.push(n));
    }
    expect(served).toEqual([0, 1]);
    await turn();
    expect(served).toEqual([0, 1, 2, 3]);
    // Nobody slips in between.
    const late = share.take(1);
    expect(late).toBeDefined();
    await turn();
    await turn();
    expect(served).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await late;
  });

  it('gives no credit for an unused turn', async () => {
    const share = new LoopShare(100);
    expect(share.take(100)).toBeUndefined();
    await turn();
    await turn();
    expect(share.take(100)).toBeUndefined();
    expect(share.take(100)).toBeDefined();
  });
});
