import { describe, expect, it } from 'vitest';
import { Requests } from '../../src/client/requests.ts';

const LINK = { isConnected: true, messageBytesMax: 1000, heardAtMs: 0, send: () => undefined };

describe('requests', () => {
  it('hand an answer over before the message behind it: both may come in one packet, and some WebSockets leave no turn between them', async () => {
    const requests = new Requests(LINK, 10, () => 1);
    const seen: string[] = [];
    const asked = requests.ask(
      { type: 'subscribe', topic: 'ticks.fx' },
      { timeoutMs: 1000, onAnswer: ({ offset }) => seen.push(`subscribed at ${offset}`) },
    );
    requests.answered(1, { type: 'subscribed', id: 1, topic: 'ticks.fx', epoch: 'e1', offset: 7, recovered: false, items: [] });
    seen.push('the message behind it');
    expect(seen).toEqual(['subscribed at 7', 'the message behind it']);
    expect((await asked).offset).toBe(7);
  });

  it('hand nothing over that is refused', async () => {
    const requests = new Requests(LINK, 10, () => 1);
    const onAnswer = () => expect.unreachable();
    const asked = requests.ask({ type: 'unsubscribe', topic: 'ticks.fx' }, { timeoutMs: 1000, onAnswer });
    requests.answered(1, { type: 'error', id: 1, code: 'not_subscribed', message: 'not subscribed', retryable: false });
    await expect(asked).rejects.toMatchObject({ code: 'not_subscribed' });
  });

  it('join the parts of an answer to history', async () => {
    const requests = new Requests(LINK, 10, () => 1);
    const asked = requests.ask({ type: 'history', topic: 'ticks.fx', last: 3 }, { timeoutMs: 1000 });
    const part = { type: 'history', id: 1, topic: 'ticks.fx', epoch: 'e1', complete: true } as const;
    for (const offset of [1, 2]) requests.answered(1, { ...part, offset, more: true, continues: true, items: [[offset, null, offset]] });
    requests.answered(1, { ...part, offset: 3, more: false, items: [[3, null, 3]] });
    const answer = await asked;
    expect(answer).toMatchObject({ offset: 3, complete: true, more: false });
    expect(answer.items.map(([offset]) => offset)).toEqual([1, 2, 3]);
  });

  it('treat an answer with parts of two epochs as incomplete', async () => {
    const requests = new Requests(LINK, 10, () => 1);
    const asked = requests.ask({ type: 'history', topic: 'ticks.fx', last: 3 }, { timeoutMs: 1000 });
    const part = { type: 'history', id: 1, topic: 'ticks.fx', offset: 1, complete: true } as const;
    requests.answered(1, { ...part, epoch: 'e1', more: true, continues: true, items: [] });
    requests.answered(1, { ...part, epoch: 'e2', more: false, items: [] });
    expect(await asked).toMatchObject({ complete: false });
  });
});
