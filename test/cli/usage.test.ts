import { expect, it } from 'vitest';
import { usageText } from '../../src/cli/errors.ts';
import { runCli } from './run-cli.ts';

it('what Commander reports becomes one line of the same form as all other errors', () => {
  expect(usageText("error: unknown option '--jsn'\n(Did you mean --json?)\n")).toBe(
    "stentor: usage: unknown option '--jsn' (Did you mean --json?); try --help\n",
  );
});

it.each([
  [['topics', '--jsn'], "unknown option '--jsn' (Did you mean --json?); try --help"],
  [['topcs'], "unknown command 'topcs' (Did you mean topics?); try --help"],
  [['history'], "missing required argument 'topic'; try --help"],
  [['topics', '--sort', 'size'], "option '--sort <order>' argument 'size' is invalid. Allowed choices are members, rate, name; try --help"],
  [['topics', '--limit', 'x'], '--limit "x": expected a number above 0'],
  [['topics', '--admin-url', 'ftp://x'], '--admin-url "ftp://x": expected a URL like http://10.0.0.5:9090'],
  [['history', 'scores.a', '--since', 'x'], '--since "x": expected <epoch>:<offset>, as printed by publish'],
  [['bench', 'scores.a', '--rate', '0'], '--rate "0": expected a number above 0'],
  [['bench', 'scores.a', '--connections', '1000000'], '--connections "1000000": expected at most 25000'],
  [['bench', 'scores.a', '--duration', '3'], '--duration "3": expected a number with ms, s, m, h or d, for example 90s or 1h'],
  [
    ['token', '--secret', 'x'.repeat(32), '--sub', 'a', '--expires', 'soon'],
    '--expires "soon": expected a number with ms, s, m, h or d, for example 90s or 1h',
  ],
  [
    ['token', '--secret', 'x'.repeat(32), '--sub', 'a', '--publish', 'a..b'],
    'pattern "a..b": expected tokens of [A-Za-z0-9_-] or *, joined by dots, with > only as the last',
  ],
  [['serve', '--set', 'workers'], '--set "workers": expected path=value'],
  [['key', '--decode', '=ZZ'], expect.stringMatching(/^text "=ZZ": /)],
  [['disconnect'], 'expected one of --user, --connection and --token-id'],
] as const)('%j is refused with exit code 2', async (args, message) => {
  const { code, stdout, stderr } = await runCli([...args]);
  expect([code, stdout]).toEqual([2, '']);
  const [, what] = /^stentor: usage: (.*)\n$/.exec(stderr) ?? [stderr, stderr];
  expect(what).toEqual(message);
});
