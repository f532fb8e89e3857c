import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.ts';

describe('stentor key', () => {
  it('prints the token of a key, and the key of a token', async () => {
    expect(await runCli(['key', 'BTC/USDT'])).toEqual({ code: 0, stdout: 'BTC=2FUSDT\n', stderr: '' });
    expect(await runCli(['key', '--decode', 'BRK=2EB'])).toEqual({ code: 0, stdout: 'BRK.B\n', stderr: '' });
  });

  it('refuses an invalid one', async () => {
    for (const args of [
      ['key', ''],
      ['key', '--decode', 'BRK.B'],
    ]) {
      expect(await runCli(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('stentor: usage: ') });
    }
  });
});
