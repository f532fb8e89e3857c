import { describe, expect, it } from 'vitest';
import type { BusFixture } from './bus-fixture.ts';

export function describeRevocations(fixture: BusFixture): void {
  describe('revocations', () => {
    it('are kept, one for each token and each user, for names with any characters', async () => {
      await fixture.start();
      const { revocations } = fixture.bus;
      const mine = (text: string) => `${fixture.plain}-${text}`;
      const users = ['ann', 'a.b@c|d', 'ü'.repeat(100)].map(mine);
      for (const user of users) await revocations.put({ user, issuedBeforeMs: 1000 });
      for (const tokenId of ['t', 'a b', users[0]!]) await revocations.put({ tokenId: mine(tokenId) });
      await revocations.put({ user: users[0]!, issuedBeforeMs: 2000 });
      // For an earlier time, so it changes nothing.
      await revocations.put({ user: users[0]!, issuedBeforeMs: 500 });
      const kept = (await revocations.all()).filter((one) => ('user' in one ? one.user : one.tokenId).startsWith(mine('')));
      expect(kept).toHaveLength(6);
      expect(kept).toEqual(
        expect.arrayContaining([
          { user: users[0], issuedBeforeMs: 2000 },
          { user: users[1], issuedBeforeMs: 1000 },
          { user: users[2], issuedBeforeMs: 1000 },
          { tokenId: mine('t') },
          { tokenId: mine('a b') },
          { tokenId: mine(users[0]!) },
        ]),
      );
    });

    it('are for the latest time, whichever is written last', async () => {
      await fixture.start();
      const { revocations } = fixture.bus;
      const user = `${fixture.plain}-at-once`;
      const times = [3000, 9000, 1000, 7000, 5000, 2000, 8000, 4000, 6000];
      await Promise.all(times.map((issuedBeforeMs) => revocations.put({ user, issuedBeforeMs })));
      expect((await revocations.all()).filter((one) => 'user' in one && one.user === user)).toEqual([{ user, issuedBeforeMs: 9000 }]);
    });
  });
}
