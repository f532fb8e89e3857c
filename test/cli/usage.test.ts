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
  [['bench', 'scores.a', '--duration', '11m'], '--duration "11m": expected at most 600s'],
  [
    ['bench', 'scores.a', '--calibrate', '/nowhere/mine.json'],
    expect.stringMatching(/^--calibrate ".*": expected a file that can be written: ENOENT/),
  ],
  [['bench', 'scores.a', '--calibrate', '/tmp'], '--calibrate "/tmp": expected a file that can be written: it is a folder'],
  [['bench', 'scores.a', '--calibrate', '--json'], '--calibrate "--json": expected the name of a file'],
  [['bench', 'scores.a', '--calibrate', 'x', '--connections', '99'], '--connections "99": expected at least 100 with --calibrate'],
  [
    ['bench', 'scores.a', '--calibrate', 'x', '--rate', '5'],
    "option '--calibrate <file>' cannot be used with option '--rate <n>'; try --help",
  ],
  [['plan'], "required option '--connections <n>' not specified; try --help"],
  [['plan', '--connections', 'many'], '--connections "many": expected a number above 0 like 300, 1.5K or 2M'],
  [['plan', '--connections', '-5'], '--connections "-5": expected a number above 0 like 300, 1.5K or 2M'],
  [['plan', '--connections', '0.5'], '--connections "0.5": expected a whole number'],
  [['plan', '--connections', '2G'], '--connections "2G": expected at most 1,000,000,000'],
  [['plan', '--connections', '10', '--members', '11'], '--members "11": expected at most as many as --connections'],
  [['plan', '--connections', '10', '--rate', '1G'], '--rate "1G": expected at most 1,000,000'],
  [['plan', '--connections', '10', '--payload', '2KB'], '--payload "2KB": expected a number above 0'],
  [['plan', '--connections', '10', '--workers', '0'], '--workers "0": expected a number above 0'],
  [['plan', '--connections', '10', '--cores', '2'], '--cores "2": expected at most 1'],
  [['plan', '--connections', '10', '--pass', '500'], '--pass "500": expected a number with ms, s, m, h or d, for example 90s or 1h'],
  [['plan', '--connections', '10', '--constants', '/nowhere'], expect.stringMatching(/^--constants "\/nowhere": ENOENT/)],
  [['plan', '--connections', '10', '--constants', '/dev/zero'], '--constants "/dev/zero": expected a file of at most 65536 bytes'],
  [['plan', '--connections', '10', '--constants', 'package.json'], expect.stringMatching(/^--constants "package.json": the file .*/)],
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
