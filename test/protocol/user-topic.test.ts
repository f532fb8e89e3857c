import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTopic } from '../../src/protocol/topic.ts';
import { decodeUser, encodeUser, tokenOfUser, userTopicOf } from '../../src/protocol/user-topic.ts';

describe('a user’s token', () => {
  it.each([
    ['ann', 'ann'],
    ['ann_7', 'ann_7'],
    ['_', '_'],
    ['a_', 'a_'],
    ['__', '__u_'],
    ['a__x40', 'a__u_x40'],
    ['a_.', 'a__u__d'],
    ['6b3f1c9e-1b7e-4f7c-9e58-1a2b3c4d5e6f', '6b3f1c9e-1b7e-4f7c-9e58-1a2b3c4d5e6f'],
    ['ann@example.org', 'ann__aexample__dorg'],
    ['auth0|5f7c8ec7c33c6c004bbafe82', 'auth0__p5f7c8ec7c33c6c004bbafe82'],
    ['urn:user:1', 'urn__cuser__c1'],
    ["it's", 'it__x27s'],
    ['a b', 'a__x20b'],
    ['*.>', '__x2A__d__x3E'],
    ['%41', '__x2541'],
    ['Zoë', 'Zo__xC3__xAB'],
    ['😀', '__xF0__x9F__x98__x80'],
    ['\u0000', '__x00'],
  ])('of %j is %s, and back', (user, token) => {
    expect(encodeUser(user)).toBe(token);
    expect(decodeUser(token)).toBe(user);
    expect(isTopic(userTopicOf(user))).toBe(true);
  });

  it.each(['\ud800', '\udc00'])('writes U+FFFD for the lone surrogate %j', (surrogate) => {
    expect(encodeUser(`a${surrogate}b`)).toBe('a__xEF__xBF__xBDb');
  });

  it.each(['', '__', '__y', 'a__', '__x4', '__x41', '__xff', '__xFF', '__uu', 'a.b', 'a b', '__x2E', 'ä', 'a'.repeat(65), '__u', 'a___d'])(
    'is never %j',
    (token) => {
      expect(() => decodeUser(token)).toThrow(expect.objectContaining({ code: 'bad_topic' }));
    },
  );

  it('exists for every user that fits, and only then, and is unique', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), (user) => {
        const token = tokenOfUser(user);
        if (token === undefined) {
          expect(() => encodeUser(user)).toThrow();
          return;
        }
        expect(decodeUser(token)).toBe(user);
        expect(isTopic(`user.${token}`)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a_xdu4F]{1,12}$/), (text) => {
        // Text that is no user's token is refused. A token decodes to the user that encodes to it.
        try {
          expect(encodeUser(decodeUser(text))).toBe(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_topic' });
        }
        expect(decodeUser(encodeUser(text))).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });

  it('does not exist if it would have more than 64 characters', () => {
    expect(encodeUser('a'.repeat(64))).toBe('a'.repeat(64));
    expect(userTopicOf('a'.repeat(65))).toBeUndefined();
    expect(userTopicOf('.'.repeat(22))).toBeUndefined();
    expect(userTopicOf('')).toBeUndefined();
  });
});
