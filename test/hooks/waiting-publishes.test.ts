import { describe, expect, it } from 'vitest';
import { WaitingPublishes } from '../../src/hooks/waiting-publishes.ts';

/** Publishes when it is told to. */
function publishOf(waiting: WaitingPublishes, clientId: string) {
  let go = () => {};
  const goOn = new Promise<void>((resolve) => {
    go = resolve;
  });
  const stored = waiting.run(clientId, async (assertMay) => {
    await goOn;
    assertMay();
    return 'stored';
  });
  return { go, stored };
}

describe('publishes that wait', () => {
  it('are refused with what their client was told, also several of one client, and no other client’s', async () => {
    const waiting = new WaitingPublishes();
    const [first, second, other] = [publishOf(waiting, 'ann'), publishOf(waiting, 'ann'), publishOf(waiting, 'bob')];
    expect(waiting.size).toBe(2);
    waiting.withdraw('ann', 'token_revoked', 'revoked');
    for (const { go } of [first, second, other]) go();
    for (const { stored } of [first, second]) await expect(stored).rejects.toMatchObject({ code: 'token_revoked', message: 'revoked' });
    expect(await other.stored).toBe('stored');
    expect(waiting.size).toBe(0);
  });

  it('are forgotten with what their client was told: a client of the same id begins anew', async () => {
    const waiting = new WaitingPublishes();
    waiting.withdraw('ann', 'forbidden', 'before it published anything');
    expect(waiting.size).toBe(0);
    const { go, stored } = publishOf(waiting, 'ann');
    go();
    expect(await stored).toBe('stored');
  });
});
