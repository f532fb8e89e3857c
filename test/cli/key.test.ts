import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.ts';

describe('stentor key', () => {
  it('prints the token of a key, and the key of a token', async () => {
    expect(await runCli(['key', 'BTC/USDT'])).toEqual({ code: 0, stdout: 'BTC=2FUSDT\n', stderr: '' });
    expect(await runCli(['key', '--decode', 'BRK=2EB'])).toEqual({ code: 0, stdout: 'BRK.B\n', stderr: '' });
  });

  it('prints the topic of a user, and the user of a topic', async () => {
    for (const [user, topic] of [
      ['ann_7', 'user.ann_7'],
      ['ann@example.org', 'user.ann__aexample__dorg'],
      ['auth0|5f7c', 'user.auth0__p5f7c'],
      ['Zoë', 'user.Zo__xC3__xAB'],
    ] as const) {
      expect(await runCli(['key', '--user', user])).toEqual({ code: 0, stdout: `${topic}\n`, stderr: '' });
      expect(await runCli(['key', '--user', '--decode', topic])).toEqual({ code: 0, stdout: `${user}\n`, stderr: '' });
    }
  });

  it('refuses an invalid one', async () => {
    for (const args of [
      ['key', '--user', ''],
      ['key', '--user', 'é'.repeat(30)],
      ['key', '--user', '--decode', 'user.a__x41'],
      ['key', ''],
      ['key', '--decode', 'BRK.B'],
    ]) {
      expect(await runCli(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('stentor: usage: ') });
    }
  });
});

describe('stentor token', () => {
  const secret = 'a-secret-of-thirty-two-characters!';

  it('prints the topic of a user that needs escapes, beside the token', async () => {
    const run = (sub: string) => runCli(['token', '--secret', secret, '--sub', sub]);
    expect(await run('ann')).toMatchObject({ stdout: expect.stringMatching(/^ey\S+\n$/), stderr: '' });
    expect(await run('ann@example.org')).toMatchObject({
      stdout: expect.stringMatching(/^ey\S+\n$/),
      stderr: 'the topic of this user: user.ann__aexample__dorg\n',
    });
    expect(await run('é'.repeat(30))).toMatchObject({ code: 0, stderr: expect.stringContaining('this user has no topic') });
  });
});
