import { describe, expect, it, vi } from 'vitest';
import { AnswerCache } from '../../src/hooks/answer-cache.ts';
import { Hook, type HookOptions } from '../../src/hooks/hook.ts';
import type { ConnectQuestion, PublishQuestion, SubscribeQuestion } from '../../src/hooks/types.ts';

const WHO = { user: 'ann', connectionId: 'c1', nodeId: 'n' };
const SUBSCRIBE: SubscribeQuestion = { hook: 'subscribe', ...WHO, topic: 'room.a', action: 'subscribe', again: false, options: {} };
const PUBLISH: PublishQuestion = { hook: 'publish', ...WHO, topic: 'room.a', key: null, data: 1 };
const CONNECT: ConnectQuestion = { hook: 'connect', ...WHO, again: false };

function setUp(more: Partial<HookOptions> = {}) {
  const asked: unknown[] = [];
  const results: string[] = [];
  const failures: string[] = [];
  const time = { nowMs: 1_000_000 };
  const { ask = async () => ({ allow: true }) } = more;
  const hook = new Hook({
    name: 'subscribe',
    where: 'nats:auth.subscribe',
    scope: 'room',
    timeoutMs: 1000,
    hookFailed: 'deny',
    askedMax: 10,
    cache: new AnswerCache({ cacheEntriesMax: 10, cacheBytesMax: 100_000 }),
    onResult: (result) => results.push(result),
    onFailed: (where, reason) => failures.push(`${where}: ${reason}`),
    nowMs: () => time.nowMs,
    ...more,
    ask: (question, timeoutMs) => {
      asked.push(question);
      return ask(question, timeoutMs);
    },
  });
  return { hook, asked, results, failures, time };
}

describe('a hook', () => {
  it('gives what its answer says, with times of its own clock', async () => {
    const { hook, time } = setUp({ ask: async () => ({ allow: true, options: { maxRateHz: 2 }, expiresInMs: 5000 }) });
    expect(await hook.ask(SUBSCRIBE)).toEqual({ kind: 'allowed', options: { maxRateHz: 2 }, expiresAtMs: time.nowMs + 5000 });
    const denying = setUp({ ask: async () => ({ allow: false, code: 'c'.repeat(100), message: 'm'.repeat(2000) }) });
    expect(await denying.hook.ask(SUBSCRIBE)).toEqual({ kind: 'denied', code: 'c'.repeat(64), message: 'm'.repeat(1024) });
    const changing = setUp({ name: 'publish', ask: async () => ({ allow: true, data: null }) });
    expect(await changing.hook.ask(PUBLISH)).toEqual({ kind: 'allowed', changed: { data: null } });
  });

  it.each([
    ['nothing', undefined],
    ['a bare yes', true],
    ['no decision', {}],
    ['a text as the decision', { allow: 'true' }],
    ['an unknown field', { allow: true, expiresIn: 5 }],
    ['an unknown option', { allow: true, options: { rate: 5 } }],
    ['an option out of bounds', { allow: true, options: { maxRateHz: 0 } }],
    ['an expiry that would make it ask all the time', { allow: true, expiresInMs: 1 }],
    ['a field of another hook', { allow: true, data: 1 }],
    ['a denial that also changes', { allow: false, options: {} }],
  ])('has failed when its answer is %s', async (_, answer) => {
    const { hook, results, failures } = setUp({ ask: async () => answer });
    expect(await hook.ask(SUBSCRIBE)).toEqual({ kind: 'failed' });
    expect(results).toEqual(['failed']);
    expect(failures[0]).toMatch(/^nats:auth.subscribe: the answer is invalid for a subscribe hook/);
  });

  it('has failed when it throws, or takes longer than its time; hookFailed decides what that means', async () => {
    vi.useFakeTimers();
    try {
      const late = setUp({ ask: () => new Promise(() => undefined), timeoutMs: 50 });
      const outcome = late.hook.ask(SUBSCRIBE);
      await vi.advanceTimersByTimeAsync(49);
      expect(late.hook.asked).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(await outcome).toEqual({ kind: 'failed' });
      expect(late.hook.asked).toBe(0);
      expect(late.failures).toEqual(['nats:auth.subscribe: no answer within 50 ms']);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
    const lax = setUp({ hookFailed: 'allow', ask: () => Promise.reject(new Error('away')) });
    expect(await lax.hook.ask(SUBSCRIBE)).toEqual({ kind: 'allowed' });
    expect(lax.results).toEqual(['failed']);
  });

  it('has at most askedMax unanswered questions, also where hookFailed is allow', async () => {
    const answers: ((answer: unknown) => void)[] = [];
    const { hook, asked, results } = setUp({
      askedMax: 2,
      hookFailed: 'allow',
      ask: () =>
        new Promise((resolve) => {
          answers.push(resolve);
        }),
    });
    const first = [hook.ask(SUBSCRIBE), hook.ask({ ...SUBSCRIBE, topic: 'room.b' })];
    expect(await hook.ask(SUBSCRIBE)).toEqual({ kind: 'busy', message: '2 questions of the subscribe hook are unanswered' });
    for (const answer of answers) answer({ allow: true });
    await Promise.all(first);
    void hook.ask(SUBSCRIBE);
    expect(asked).toHaveLength(3);
    expect(results).toEqual(['busy', 'allowed', 'allowed']);
  });

  describe('with equal questions at the same time', () => {
    const answers: ((answer: unknown) => void)[] = [];
    const slow = (more: Partial<HookOptions> = {}) => {
      answers.length = 0;
      return setUp({ ...more, ask: () => new Promise((resolve) => void answers.push(resolve)) });
    };
    const questions = ['c1', 'c2', 'c3'].map((connectionId) => ({ ...SUBSCRIBE, connectionId }));
    const turn = () => new Promise((resolve) => setImmediate(resolve));

    it('is asked once, if its answer may be kept', async () => {
      const { hook, asked, results } = slow();
      const outcomes = questions.map((question) => hook.ask(question));
      const other = hook.ask({ ...SUBSCRIBE, user: 'bob' });
      await turn();
      expect(asked).toHaveLength(2);
      expect(hook.asked).toBe(4);
      for (const answer of answers) answer({ allow: true, cacheMs: 1000, options: { maxRateHz: 1 } });
      expect(await Promise.all([...outcomes, other])).toEqual(Array(4).fill({ kind: 'allowed', options: { maxRateHz: 1 } }));
      expect(results.sort()).toEqual(['allowed', 'allowed', 'joined', 'joined']);
      expect(hook.asked).toBe(0);
    });

    it.each([
      ['keeps no answers', { allow: true }],
      ['denies', { allow: false, code: 'no' }],
    ])('is asked about each of them if it %s', async (_, answer) => {
      const { hook, asked } = slow();
      const outcomes = questions.map((question) => hook.ask(question));
      await turn();
      answers[0]?.(answer);
      await turn();
      expect(asked).toEqual(questions);
      for (const give of answers) give(answer);
      for (const outcome of await Promise.all(outcomes)) expect(outcome.kind).toBe(answer.allow ? 'allowed' : 'denied');
      // From then on nobody waits for a hook that keeps no answers.
      const later = questions.map((question) => hook.ask(question));
      await turn();
      expect(asked).toHaveLength(answer.allow ? 6 : 4);
      for (const give of answers) give(answer);
      await turn();
      for (const give of answers) give(answer);
      await Promise.all(later);
    });

    it('is not asked again by everybody who waited when it has failed', async () => {
      const { hook, asked, results } = slow({ timeoutMs: 20 });
      const outcomes = await Promise.all(questions.map((question) => hook.ask(question)));
      expect(outcomes).toEqual(Array(3).fill({ kind: 'failed' }));
      expect(asked).toHaveLength(1);
      expect(results).toEqual(['failed', 'joined', 'joined']);
    });

    it('counts those that wait towards askedMax', async () => {
      const { hook } = slow({ askedMax: 2 });
      const first = [hook.ask(SUBSCRIBE), hook.ask(SUBSCRIBE)];
      expect(await hook.ask(SUBSCRIBE)).toMatchObject({ kind: 'busy' });
      answers[0]?.({ allow: true, cacheMs: 1 });
      await Promise.all(first);
    });

    it('is asked about every publish, because their data differ', async () => {
      const publishes = slow({ name: 'publish' });
      const outcomes = [1, 2].map((data) => publishes.hook.ask({ ...PUBLISH, data }));
      expect(publishes.asked).toHaveLength(2);
      for (const answer of answers) answer({ allow: true, cacheMs: 1000 });
      await Promise.all(outcomes);
    });

    it('is asked once about permissions that expire at the same time, but its answer is not kept for the next', async () => {
      const { hook, asked } = slow();
      const again = questions.map((question) => hook.ask({ ...question, again: true }));
      const first = hook.ask(SUBSCRIBE);
      await turn();
      expect(asked).toEqual([{ ...questions[0], again: true }, SUBSCRIBE]);
      for (const answer of answers) answer({ allow: true, cacheMs: 60_000, expiresInMs: 60_000 });
      expect((await Promise.all([...again, first])).map(({ kind }) => kind)).toEqual(Array(4).fill('allowed'));
      void hook.ask({ ...SUBSCRIBE, again: true });
      await turn();
      expect(asked).toHaveLength(3);
    });
  });

  it('is not asked again while its answer is kept, by any connection of the same user', async () => {
    const { hook, asked, time, results } = setUp({ ask: async () => ({ allow: true, cacheMs: 1000 }) });
    await hook.ask(SUBSCRIBE);
    time.nowMs += 999;
    expect(await hook.ask({ ...SUBSCRIBE, connectionId: 'c2' })).toEqual({ kind: 'allowed' });
    expect(results).toEqual(['allowed', 'cached']);
    time.nowMs += 1;
    await hook.ask(SUBSCRIBE);
    expect(asked).toHaveLength(2);
  });

  it('is asked again if another field differs, and if an answer has expired', async () => {
    const { hook, asked } = setUp({ ask: async () => ({ allow: true, cacheMs: 60_000, expiresInMs: 60_000 }) });
    const others: Partial<SubscribeQuestion>[] = [
      {},
      { user: 'bob' },
      { user: null },
      { info: { name: 'Ann' } },
      { topic: 'room.b' },
      { key: 'a' },
      { action: 'history' },
      { options: { maxRateHz: 1 } },
      { again: true },
      { again: true },
    ];
    for (const other of others) await hook.ask({ ...SUBSCRIBE, ...other });
    expect(asked).toHaveLength(others.length);
  });

  it('keeps no denial, no change, no failure, and nothing beyond its expiry', async () => {
    for (const answer of [{ allow: false }, { allow: true, cacheMs: 60_000, data: 1 }, 'failed']) {
      const { hook, asked } = setUp({ name: 'publish', ask: async () => answer });
      await hook.ask(PUBLISH);
      await hook.ask(PUBLISH);
      expect(asked).toHaveLength(2);
    }
    const { hook, asked, time } = setUp({ ask: async () => ({ allow: true, cacheMs: 60_000, expiresInMs: 5000 }) });
    await hook.ask(SUBSCRIBE);
    time.nowMs += 5000;
    await hook.ask(SUBSCRIBE);
    expect(asked).toHaveLength(2);
  });

  it('keeps a permission to publish for all data', async () => {
    const { hook, asked } = setUp({ name: 'publish', ask: async () => ({ allow: true, cacheMs: 1000 }) });
    for (const data of [1, 2, 3]) await hook.ask({ ...PUBLISH, data });
    expect(asked).toHaveLength(1);
  });

  it('is asked about every key that is published, and about a whole document beside a patch', async () => {
    const { hook, asked } = setUp({ name: 'publish', ask: async () => ({ allow: true, cacheMs: 60_000 }) });
    const others: Partial<PublishQuestion>[] = [{}, { key: 'a' }, { key: 'b' }, { image: true }, { topic: 'room.b' }];
    for (const other of [...others, ...others]) await hook.ask({ ...PUBLISH, ...other });
    expect(asked).toHaveLength(others.length);
  });

  it('keeps answers apart from those of other hooks in the same cache', async () => {
    const cache = new AnswerCache({ cacheEntriesMax: 10, cacheBytesMax: 100_000 });
    const allowing = setUp({ name: 'connect', cache, ask: async () => ({ allow: true, cacheMs: 1000 }) });
    const denying = setUp({ name: 'connect', where: 'nats:other', cache, ask: async () => ({ allow: false }) });
    await allowing.hook.ask(CONNECT);
    expect(await denying.hook.ask(CONNECT)).toMatchObject({ kind: 'denied' });
    // The end of a connection is told each time.
    const told = setUp({ name: 'disconnect', cache, ask: async () => undefined });
    for (let i = 0; i < 2; i++) await told.hook.ask({ hook: 'disconnect', ...WHO, code: 1000 });
    expect(told.asked).toHaveLength(2);
  });
});
