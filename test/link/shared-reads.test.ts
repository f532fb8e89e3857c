import { describe, expect, it } from 'vitest';
import { SharedReads } from '../../src/link/shared-reads.ts';
import type { FeedName } from '../../src/protocol/feed-name.ts';
import type { Topic } from '../../src/protocol/topic.ts';

const [A, B] = ['scores.a', 'scores.b'] as Topic[] as [Topic, Topic];

/** Reads that a test answers by hand. */
function setUp() {
  const asked: { topic: FeedName; after: number; answer: (text: string) => void; fail: (error: Error) => void }[] = [];
  const reads = new SharedReads<string>(
    (topic, after) =>
      new Promise((resolve, reject) => {
        asked.push({ topic, after, answer: resolve, fail: reject });
      }),
  );
  return { reads, asked };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('reads that many ask for at once', () => {
  it('are one, from the smallest position, for all who ask in one turn', async () => {
    const { reads, asked } = setUp();
    const answers = Promise.all([30, 10, 20].map((after) => reads.ask(A, after)));
    await turn();
    expect(asked).toMatchObject([{ topic: A, after: 10 }]);
    asked[0]!.answer('all');
    expect(await answers).toEqual(['all', 'all', 'all']);
  });

  it('are shared by later requests from no further back; others wait together for the next', async () => {
    const { reads, asked } = setUp();
    const first = reads.ask(A, 10);
    await turn();
    const joined = reads.ask(A, 15);
    const further = [reads.ask(A, 5), reads.ask(A, 3)];
    await turn();
    expect(asked).toHaveLength(1);
    asked[0]!.answer('one');
    expect(await Promise.all([first, joined])).toEqual(['one', 'one']);
    await turn();
    expect(asked).toMatchObject([{ after: 10 }, { after: 3 }]);
    const late = reads.ask(A, 4);
    asked[1]!.answer('two');
    expect(await Promise.all([...further, late])).toEqual(['two', 'two', 'two']);
    expect(asked).toHaveLength(2);
  });

  it('are separate for other topics, and start again when they are done', async () => {
    const { reads, asked } = setUp();
    const answers = [reads.ask(A, 1), reads.ask(B, 1)];
    await turn();
    expect(asked.map(({ topic }) => topic)).toEqual([A, B]);
    for (const { answer } of asked) answer('x');
    await Promise.all(answers);
    const again = reads.ask(A, 1);
    await turn();
    asked[2]!.answer('y');
    expect(await again).toBe('y');
  });

  it('fail for all that asked, and not for those that wait for the next', async () => {
    const { reads, asked } = setUp();
    const failing = [reads.ask(A, 10), reads.ask(A, 11)].map((answer) => answer.catch((error: Error) => error.message));
    await turn();
    const next = reads.ask(A, 1);
    asked[0]!.fail(new Error('away'));
    expect(await Promise.all(failing)).toEqual(['away', 'away']);
    await turn();
    asked[1]!.answer('back');
    expect(await next).toBe('back');
  });
});
