import { describe, expect, it } from 'vitest';
import type { ConnectQuestion, PublishQuestion, SubscribeQuestion } from '../../../src/hooks/types.ts';
import { AskedRates } from '../../../src/hub/hooks/asked-rates.ts';

const WHO = { user: 'ann', connectionId: 'c1', nodeId: 'n' } as const;
const SUBSCRIBE: SubscribeQuestion = { hook: 'subscribe', ...WHO, topic: 'room.a', action: 'subscribe', again: false, options: {} };
const PUBLISH: PublishQuestion = { hook: 'publish', ...WHO, topic: 'room.a', key: null, data: 1 };
const CONNECT: ConnectQuestion = { hook: 'connect', ...WHO, again: false };

const rates = (askedPerUserPerSecondMax: number, askedUsersMax = 10) =>
  new AskedRates({ askedPerUserPerSecondMax, askedUsersMax, askedMax: 1, askedPerConnectionMax: 1, cacheEntriesMax: 1, cacheBytesMax: 1 });

describe('The rates of questions to hooks', () => {
  it('are those of a user, whatever its connections and commands, and of a connection without one', () => {
    const asked = rates(2);
    const ask = (question: SubscribeQuestion | PublishQuestion, nowMs = 1000) => asked.refuse(question, nowMs)?.retryAfterMs;
    expect([ask(SUBSCRIBE), ask({ ...PUBLISH, connectionId: 'c2' })]).toEqual([undefined, undefined]);
    expect(asked.refuse(PUBLISH, 1000)).toEqual({
      kind: 'busy',
      message: '2 questions a second to hooks about one user',
      retryAfterMs: 500,
    });
    expect(ask({ ...SUBSCRIBE, user: 'bob' })).toBeUndefined();
    for (const connectionId of ['a', 'b']) expect(ask({ ...SUBSCRIBE, user: null, connectionId })).toBeUndefined();
    expect(ask(SUBSCRIBE, 1500)).toBeUndefined();
  });

  it('do not count connects, nor what the node asks by itself', () => {
    const asked = rates(1);
    const free = [CONNECT, { ...SUBSCRIBE, again: true }, { hook: 'disconnect', ...WHO, code: 1000 } as const];
    for (const question of [...free, ...free, SUBSCRIBE]) expect(asked.refuse(question, 1000)).toBeUndefined();
    expect(asked.refuse(SUBSCRIBE, 1000)).toBeDefined();
    for (let i = 0; i < 100; i++) expect(rates(0).refuse(SUBSCRIBE, 1000)).toBeUndefined();
  });

  it('are remembered of askedUsersMax users, as long as they are not full', () => {
    const asked = rates(1, 3);
    for (let i = 0; i < 5; i++) asked.refuse({ ...SUBSCRIBE, user: `u${i}` }, 1000);
    expect(asked.size).toBe(3);
    asked.refuse(SUBSCRIBE, 9000);
    expect(asked.size).toBe(1);
  });
});
