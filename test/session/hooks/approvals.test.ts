import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/hooks/outcome.ts';
import type { FeedName } from '../../../src/protocol/feed-name.ts';
import type { Topic } from '../../../src/protocol/topic.ts';
import { Connection } from '../../../src/session/connection.ts';
import { type Approval, Approvals } from '../../../src/session/hooks/approvals.ts';
import { StubReceiver } from '../../support/stub-receiver.ts';

const topic = (n: number | string) => `room.${n}` as Topic;
const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(answer: (approval: Approval) => Outcome | Promise<Outcome>) {
  const stub = new StubReceiver();
  const connection = new Connection(stub.receiver);
  const asked: FeedName[] = [];
  const time = { nowMs: 1_000_000 };
  const approvals = new Approvals({
    ask: async (approval) => {
      asked.push(approval.topic);
      return answer(approval);
    },
    end: ({ receiver }, name) => receiver.subscriptions.delete(name),
    nowMs: () => time.nowMs,
  });
  const subscribe = (name: Topic, expiresInMs?: number) => {
    connection.receiver.subscriptions.set(name, { kind: 'pending' });
    approvals.set(connection, name, {}, expiresInMs === undefined ? undefined : time.nowMs + expiresInMs);
  };
  const second = async () => {
    time.nowMs += 1000;
    approvals.everySecond();
    await turn();
  };
  return { stub, connection, approvals, asked, time, subscribe, second };
}

describe('subscriptions that a hook has allowed with an expiry time', () => {
  it('are asked about when they expire, and continue for as long as the new answer allows', async () => {
    const { approvals, asked, time, subscribe, second, connection } = setUp(() => ({ kind: 'allowed', expiresAtMs: time.nowMs + 3000 }));
    subscribe(topic(1), 2000);
    subscribe(topic(2));
    await second();
    expect(asked).toEqual([]);
    await second();
    expect(asked).toEqual([topic(1)]);
    for (let i = 0; i < 3; i++) await second();
    expect(asked).toEqual([topic(1), topic(1)]);
    expect(connection.receiver.subscriptions.size).toBe(2);
    expect(approvals.size).toBe(1);
  });

  it.each<[Outcome, object]>([
    [
      { kind: 'denied', code: 'left', message: 'bye' },
      { code: 'left', retryable: false, service: true },
    ],
    [{ kind: 'failed' }, { code: 'hook_failed', retryable: true }],
  ])('end with an error that names the topic, and nothing is left of them: %o', async (outcome, expected) => {
    const { stub, connection, approvals, subscribe, second } = setUp(() => outcome);
    subscribe(topic(1), 1000);
    await second();
    expect(connection.receiver.subscriptions.size).toBe(0);
    expect(stub.ofType('error')).toMatchObject([
      { ...expected, topic: topic(1), message: expect.stringMatching(/; the subscription has ended$/) },
    ]);
    expect([approvals.size, connection.approvals?.size]).toEqual([0, 0]);
  });

  it('continue if the hook is busy, which is asked again every second, ten times; then they end', async () => {
    const { stub, asked, subscribe, second } = setUp(() => ({ kind: 'busy', message: 'full' }));
    subscribe(topic(1), 1000);
    for (let i = 0; i < 10; i++) await second();
    expect(asked).toHaveLength(10);
    expect(stub.ofType('error')).toEqual([]);
    for (let i = 0; i < 5; i++) await second();
    expect(asked).toHaveLength(11);
    expect(stub.ofType('error')).toMatchObject([{ code: 'busy', topic: topic(1), retryable: true }]);
  });

  it('are not ended by a late denial if another subscribe was allowed meanwhile; ended ones get no error', async () => {
    const answers: ((outcome: Outcome) => void)[] = [];
    const { stub, connection, asked, subscribe, second, approvals } = setUp(() => new Promise((resolve) => answers.push(resolve)));
    for (const n of [1, 2, 3]) subscribe(topic(n), 1000);
    await second();
    expect(asked).toHaveLength(3);
    connection.receiver.subscriptions.delete(topic(1));
    subscribe(topic(2), 60_000);
    subscribe(topic(3));
    for (const answer of answers) answer({ kind: 'denied', code: 'left', message: 'bye' });
    await turn();
    expect(stub.sent).toEqual([]);
    expect([...connection.receiver.subscriptions.keys()]).toEqual([topic(2), topic(3)]);
    expect(approvals.size).toBe(1);
  });

  it('leave a bounded number of entries while a client subscribes and unsubscribes, and none when it has closed', async () => {
    const { connection, approvals, subscribe, asked, second } = setUp(() => ({ kind: 'allowed' }));
    for (let n = 0; n < 1000; n++) {
      subscribe(topic(n), 3_600_000);
      connection.receiver.subscriptions.delete(topic(n));
    }
    expect(approvals.size).toBeLessThanOrEqual(20);
    approvals.closed(connection);
    expect(approvals.size).toBe(0);
    await second();
    expect(asked).toEqual([]);
  });
});
