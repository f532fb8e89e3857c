import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKey, encodeKey } from '../../src/protocol/key-token.ts';
import { isKey } from '../../src/protocol/topic.ts';
import { anyKey } from '../support/keys.ts';

const badKey = expect.objectContaining({ code: 'bad_key' });

describe('a key in a NATS subject', () => {
  it.each([
    ['AAPL', 'AAPL'],
    ['match-42_a', 'match-42_a'],
    ['BRK.B', 'BRK=2EB'],
    ['BTC/USDT', 'BTC=2FUSDT'],
    ['EUR=X', 'EUR=3DX'],
    ['105433.6', '105433=2E6'],
    ['BRK=2EB', 'BRK=3D2EB'],
    ['*', '=2A'],
    ['>', '=3E'],
    ['a b', 'a=20b'],
    ['ü', '=C3=BC'],
    ['\ufeffa', '=EF=BB=BFa'],
  ])('%s is %s', (key, token) => {
    expect(encodeKey(key)).toBe(token);
    expect(decodeKey(token)).toBe(key);
  });

  it('is one legal token that decodes to the key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        expect(encodeKey(key)).toMatch(/^[A-Za-z0-9_=-]{1,384}$/);
        expect(decodeKey(encodeKey(key))).toBe(key);
      }),
      { numRuns: 2000 },
    );
  });

  it('has only one token: every valid token is the encoding of its key', () => {
    const near = fc.string({ unit: fc.constantFrom('A', '=', '2', 'E', 'C', '3', 'B', 'c', '.', '-'), maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (token) => {
        let key: string;
        try {
          key = decodeKey(token);
        } catch (error) {
          expect(error).toEqual(badKey);
          return;
        }
        expect(isKey(key)).toBe(true);
        expect(encodeKey(key)).toBe(token);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['nothing', ''],
    ['an escape of what needs none', '=41'],
    ['an escape in small letters', 'BRK=2eB'],
    ['half an escape', 'BRK=2'],
    ['an escape without digits', 'EUR=X'],
    ['bytes that are no UTF-8', '=FF'],
    ['an overlong form', '=C0=AE'],
    ['half a surrogate pair', '=ED=A0=80'],
    ['a control character', 'a=0A'],
    ['a dot', 'BRK.B'],
    ['129 bytes', 'x'.repeat(129)],
    ['a key of 129 bytes', '=2E'.repeat(129)],
  ])('%s is no token of a key', (_what, token) => {
    expect(() => decodeKey(token)).toThrow(badKey);
  });

  it('is refused where the text is no key', () => {
    for (const text of ['', 'a\n', '\ud800', '.'.repeat(129)]) expect(() => encodeKey(text)).toThrow(badKey);
  });
});
