import { describe, expect, it } from 'vitest';
import { TestHub } from '../support/test-hub.ts';

describe('what a worker is told at its start', () => {
  it('has the settings, and none of the secrets that only the hub uses', async () => {
    const secrets = ['secret-admin-token', 'second-admin-token', 'secret-of-nats', 'user-in-the-url'];
    const hub = new TestHub({
      'admin.token': secrets[0],
      'admin.tokens': [{ token: secrets[1], scopes: ['read'] }],
      'nats.user': 'node',
      'nats.password': secrets[2],
      'nats.url': `nats://${secrets[3]}:4222`,
      'auth.keys': [{ alg: 'HS256', secret: 'workers-verify-tokens-with-this-one!' }],
      'limits.messagesPerSecondMax': 77,
    });
    const welcome = await hub.until(({ kind }) => kind === 'welcome');
    expect(welcome).toMatchObject({ kind: 'welcome', config: { limits: { messagesPerSecondMax: 77 }, nats: { whenAway: 'stay' } } });
    const text = JSON.stringify(welcome);
    expect(text).toContain('workers-verify-tokens-with-this-one!');
    for (const secret of secrets) expect(text).not.toContain(secret);
  });
});
