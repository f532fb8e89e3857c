import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/hooks/outcome.ts';
import { Connection } from '../../../src/session/connection.ts';
import { ConnectionApprovals } from '../../../src/session/hooks/connection-approvals.ts';
import { StubReceiver } from '../../support/stub-receiver.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(answer: () => Outcome | Promise<Outcome>) {
  const stub = new StubReceiver();
  const connection = new Connection(stub.receiver);
  const ended: { readonly connection: Connection; readonly error: Error }[] = [];
  const time = { nowMs: 1_000_000 };
  let asked = 0;
  const approvals = new ConnectionApprovals({
    ask: async () => {
      asked++;
      return answer();
    },
    end: (which, error) => void ended.push({ connection: which, error }),
    nowMs: () => time.nowMs,
  });
  const second = async () => {
    time.nowMs += 1000;
    approvals.everySecond();
    await turn();
  };
  return { stub, connection, approvals, ended, time, second, asked: () => asked };
}

describe('connections that a hook has allowed with an expiry time', () => {
  it('are asked about when it ends, for as long as the answers have one', async () => {
    let left = 2;
    const { connection, approvals, ended, time, second, asked } = setUp(() => ({
      kind: 'allowed',
      ...(left-- > 1 && { expiresAtMs: time.nowMs + 2000 }),
    }));
    approvals.set(connection, time.nowMs + 2000);
    for (let i = 0; i < 10; i++) await second();
    expect([asked(), approvals.size, ended]).toEqual([2, 0, []]);
  });

  it.each<[Outcome, string]>([
    [{ kind: 'denied', code: 'banned', message: 'bye' }, 'banned'],
    [{ kind: 'failed' }, 'hook_failed'],
  ])('end when the answer is %o', async (outcome, code) => {
    const { connection, approvals, ended, time, second } = setUp(() => outcome);
    approvals.set(connection, time.nowMs + 1000);
    await second();
    expect(ended).toMatchObject([{ connection, error: { code } }]);
    expect(approvals.size).toBe(0);
  });

  it('continue while the hook is busy, for ten more questions', async () => {
    const { connection, approvals, ended, time, second, asked } = setUp(() => ({ kind: 'busy', message: 'full' }));
    approvals.set(connection, time.nowMs + 1000);
    for (let i = 0; i < 10; i++) await second();
    expect([asked(), ended.length]).toEqual([10, 0]);
    await second();
    expect([asked(), ended.length, approvals.size]).toEqual([11, 1, 0]);
  });

  it('are forgotten when they close, also while the hook is asked, and a late answer changes nothing', async () => {
    let give: (outcome: Outcome) => void = () => undefined;
    const { stub, connection, approvals, ended, time, second } = setUp(() => new Promise((resolve) => (give = resolve)));
    approvals.set(connection, time.nowMs + 1000);
    await second();
    stub.socket.cut();
    approvals.closed(connection);
    give({ kind: 'denied', code: 'banned', message: 'bye' });
    await turn();
    expect([approvals.size, ended]).toEqual([0, []]);
    // It closed while the hook was asked the first time.
    approvals.set(connection, time.nowMs + 1000);
    expect(approvals.size).toBe(0);
  });
});
