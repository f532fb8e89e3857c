import { describe, expect, it } from 'vitest';
import {
  type AccessOptions,
  type Action,
  assertAllowed,
  assertMay,
  decide,
  decideRefresh,
  mayBeAnonymous,
  permits,
} from '../../src/session/access.ts';
import { ANONYMOUS, type Identity } from '../../src/session/identity.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const OPEN: AccessOptions = {
  ...namespaceOptions({ public: true, clientPublish: true, durable: true, presence: 'count' }),
  history: { clientItemsMax: 10 },
};
const ALICE: Identity = {
  user: 'alice',
  subscribe: ['scores.>'],
  publish: ['scores.*'],
  info: undefined,
  call: ['trade.quote'],
  expiresAtMs: 1,
};
const PERMITTED_NOTHING: Identity = { ...ANONYMOUS, user: 'bob' };

/** `allow`, or the code of the refusal. */
function verdict(identity: Identity, action: Action, more: Partial<AccessOptions> | undefined, topic = 'scores.a'): string {
  const decision = decide(identity, action, more && { ...OPEN, ...more }, topic);
  return decision.allowed ? 'allow' : decision.code;
}

describe('decide', () => {
  it.each<[Action, string, string, string]>([
    // action, with the permission, without it, anonymous
    ['subscribe', 'allow', 'forbidden', 'unauthorized'],
    ['history', 'allow', 'forbidden', 'unauthorized'],
    ['presence', 'allow', 'forbidden', 'unauthorized'],
    ['publish', 'allow', 'forbidden', 'unauthorized'],
  ])('goes by the permissions of the token in a namespace that is not public: %s', (action, permitted, notPermitted, anonymous) => {
    expect(verdict(ALICE, action, { public: false })).toBe(permitted);
    expect(verdict(ALICE, action, { public: false }, 'chat.a')).toBe(notPermitted);
    expect(verdict(PERMITTED_NOTHING, action, { public: false })).toBe(notPermitted);
    expect(verdict(ANONYMOUS, action, { public: false })).toBe(anonymous);
  });

  it.each<[Action, string]>([
    ['subscribe', 'allow'],
    ['history', 'allow'],
    ['presence', 'allow'],
    ['publish', 'unauthorized'],
  ])('lets anonymous clients read, and not write, in a public namespace: %s', (action, expected) => {
    expect(verdict(ANONYMOUS, action, { public: true })).toBe(expected);
  });

  it('lets clients publish whole documents with both permissions, where there are documents', () => {
    const document = { state: 'document' } as const;
    expect(verdict({ ...ALICE, image: ['scores.*'] }, 'image', document)).toBe('allow');
    expect(verdict(ALICE, 'image', document)).toBe('forbidden');
    expect(verdict({ ...ALICE, image: ['other.*'] }, 'image', document)).toBe('forbidden');
    expect(verdict({ ...ALICE, publish: [], image: ['>'] }, 'image', document)).toBe('forbidden');
    expect(verdict({ ...ALICE, image: ['>'] }, 'image', { state: 'keyed' })).toBe('unsupported');
    expect(verdict(ANONYMOUS, 'image', document)).toBe('unauthorized');
  });

  it('refuses every publish if clients may not publish, even if the token permits it', () => {
    expect(verdict(ALICE, 'publish', { clientPublish: false })).toBe('forbidden');
    expect(verdict(ANONYMOUS, 'publish', { clientPublish: false })).toBe('forbidden');
  });

  it.each<Action>(['publish', 'image', 'subscribe', 'presence'])(
    'wants a pattern that names the namespace for topics of other users, because `>` is for feeds: %s',
    (action) => {
      const options = { public: false, state: 'document' } as const;
      const eveWith = (...patterns: string[]) => ({ ...ALICE, user: 'eve', subscribe: patterns, publish: patterns, image: patterns });
      for (const topic of ['user.alice', 'user.alice.x', 'user']) {
        for (const pattern of ['>', '*.>', '*', '*.*', '*.alice'])
          expect(verdict(eveWith(pattern), action, options, topic)).toBe('forbidden');
      }
      expect(verdict(eveWith('user.*'), action, options, 'user.alice')).toBe('allow');
      expect(verdict(eveWith('>', 'user.alice'), action, options, 'user.alice')).toBe('allow');
      expect(verdict(eveWith('>'), action, options, 'users.alice')).toBe('allow');
    },
  );

  it.each<Action>(['subscribe', 'history'])("lets users read each key of their own topic, and nobody else's: %s", (action) => {
    const keyed = { public: false, state: 'keyed' } as const;
    const bob = { ...ALICE, user: 'bob', subscribe: ['>'] };
    expect(verdict(ALICE, action, keyed, 'user.alice')).toBe('allow');
    expect(verdict(ALICE, action, keyed, 'user.alice#orders')).toBe('allow');
    for (const name of ['user.alice#orders', 'user#alice', 'user#a.b']) expect(verdict(bob, action, keyed, name)).toBe('forbidden');
    expect(verdict(bob, action, keyed, 'user.bob#orders')).toBe('allow');
  });

  it('has no history of an ephemeral namespace, nor if clients may not read it', () => {
    expect(verdict(ALICE, 'history', { durable: false })).toBe('unsupported');
    expect(verdict(ALICE, 'history', { history: { clientItemsMax: 0 } })).toBe('unsupported');
    expect(verdict(ALICE, 'history', { history: { clientItemsMax: 1 } })).toBe('allow');
  });

  it('shows who is subscribed only if the namespace has presence, and only to clients that may subscribe', () => {
    expect(verdict(ALICE, 'presence', { presence: 'off' })).toBe('unsupported');
    expect(verdict(ALICE, 'presence', { presence: 'members' })).toBe('allow');
    expect(verdict(PERMITTED_NOTHING, 'presence', { public: false, presence: 'off' })).toBe('forbidden');
    expect(verdict(ALICE, 'presence', { public: false, presence: 'members' }, 'user.alice')).toBe('allow');
    expect(verdict(ALICE, 'presence', { public: false, presence: 'members' }, 'user.bob')).toBe('forbidden');
  });

  it('reveals nothing about the history to clients that may not read the topic', () => {
    expect(verdict(PERMITTED_NOTHING, 'history', { public: false, durable: false })).toBe('forbidden');
  });

  it.each<Action>(['subscribe', 'publish', 'history', 'presence'])(
    'refuses topics that cannot exist before it asks who wants them: %s',
    (action) => {
      expect(verdict(ANONYMOUS, action, undefined)).toBe('unknown_namespace');
      expect(verdict(ALICE, action, { topicTokens: 3 })).toBe('bad_topic');
      expect(verdict(ALICE, action, { topicTokens: 2 })).toBe('allow');
    },
  );

  it('goes by the permissions of the token for a call, which has no namespace', () => {
    expect(verdict(ALICE, 'call', undefined, 'trade.quote')).toBe('allow');
    expect(verdict(ALICE, 'call', undefined, 'trade.buy')).toBe('forbidden');
    expect(verdict(PERMITTED_NOTHING, 'call', undefined, 'trade.quote')).toBe('forbidden');
    expect(verdict(ANONYMOUS, 'call', undefined, 'trade.quote')).toBe('unauthorized');
  });

  it('says which topic is refused', () => {
    expect(decide(PERMITTED_NOTHING, 'subscribe', { ...OPEN, public: false }, 'scores.a')).toEqual({
      allowed: false,
      code: 'forbidden',
      reason: 'the token does not permit subscribing to scores.a',
    });
  });
});

describe('assertMay', () => {
  it('returns the namespace', () => {
    expect(assertMay(ALICE, 'subscribe', OPEN, 'scores.a')).toBe(OPEN);
  });

  it('throws the error for the client', () => {
    const refused = () => assertMay(ANONYMOUS, 'call', undefined, 'trade.quote');
    expect(refused).toThrow(expect.objectContaining({ name: 'ProtocolError', code: 'unauthorized' }));
  });
});

describe('decideRefresh', () => {
  it('wants a token of the same user, unless there was none', () => {
    expect(decideRefresh(ALICE, { ...ALICE, expiresAtMs: 2 }).allowed).toBe(true);
    expect(decideRefresh(ANONYMOUS, ALICE).allowed).toBe(true);
    expect(() => assertAllowed(decideRefresh(ALICE, PERMITTED_NOTHING))).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });
});

describe('mayBeAnonymous', () => {
  it('is so where some namespace is public', () => {
    expect(mayBeAnonymous({ a: { public: false }, b: { public: true } })).toBe(true);
    expect(mayBeAnonymous({ a: { public: false } })).toBe(false);
    expect(mayBeAnonymous({})).toBe(false);
  });
});

describe('permits', () => {
  it('is permitted if any of the patterns matches', () => {
    expect(permits(['scores.>', 'user.42'], 'user.42')).toBe(true);
    expect(permits(['scores.>', 'user.42'], 'user.43')).toBe(false);
    expect(permits([], 'scores.a')).toBe(false);
  });

  it('is nothing for who has no token', () => {
    for (const patterns of [ANONYMOUS.subscribe, ANONYMOUS.publish, ANONYMOUS.call]) expect(permits(patterns, 'scores.a')).toBe(false);
  });
});
