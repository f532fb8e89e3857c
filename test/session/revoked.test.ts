import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { ANONYMOUS, type Identity } from '../../src/session/identity.ts';
import { Revoked } from '../../src/session/revoked.ts';

const identity = (more: Partial<Identity>): Identity => ({ ...ANONYMOUS, user: 'ann', expiresAtMs: 1e15, ...more });

function revoked(mode: Config['auth']['revocations'] = 'accept', revocationsMax = 3): Revoked {
  return new Revoked({ auth: { revocations: mode }, tuning: { auth: { revocationsMax } } } as never);
}

describe('Revoked tokens', () => {
  it('are those of an id, or of a user and issued before a time', () => {
    const known = revoked();
    known.add([{ tokenId: 't1' }, { user: 'ann', issuedBeforeMs: 5000 }]);
    expect(known.covers(identity({ user: 'bob', tokenId: 't1' }))).toBe(true);
    expect(known.covers(identity({ user: 'bob', tokenId: 't2' }))).toBe(false);
    expect(known.covers(identity({ issuedAtMs: 4000 }))).toBe(true);
    expect(known.covers(identity({ issuedAtMs: 5000 }))).toBe(false);
    // Without `iat` it may have been issued at any time.
    expect(known.covers(identity({}))).toBe(true);
    expect(known.covers(ANONYMOUS)).toBe(false);
    known.add([{ user: 'ann', issuedBeforeMs: 1000 }]);
    expect(known.covers(identity({ issuedAtMs: 4000 }))).toBe(true);
    expect(() => known.assertNot(identity({ issuedAtMs: 4000 }))).toThrow(expect.objectContaining({ code: 'token_revoked' }));
    known.assertNot(identity({ issuedAtMs: 6000 }));
  });

  it('are replaced by a complete list of the hub; above the bound the oldest are forgotten', () => {
    const known = revoked();
    known.add(['1', '2', '3', '4'].map((tokenId) => ({ tokenId })));
    expect(['1', '2', '3', '4'].map((tokenId) => known.covers(identity({ tokenId })))).toEqual([false, true, true, true]);
    known.replace([{ tokenId: '1' }], true);
    expect(['1', '4'].map((tokenId) => known.covers(identity({ tokenId })))).toEqual([true, false]);
  });

  it('are unknown at first: until they are known, all tokens are refused if the config says `refuse`', () => {
    const strict = revoked('refuse');
    expect(() => strict.assertNot(identity({}))).toThrow(expect.objectContaining({ code: 'unavailable' }));
    strict.replace([], false);
    expect(() => strict.assertNot(identity({}))).toThrow(expect.objectContaining({ code: 'unavailable' }));
    strict.replace([], true);
    strict.assertNot(identity({}));
    revoked('accept').assertNot(identity({}));
    revoked('off').assertNot(identity({}));
  });
});
