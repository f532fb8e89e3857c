import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../src/config/settings.ts';
import { CLOSE_CODES } from '../src/protocol/close-codes.ts';
import { ERROR_KINDS } from '../src/protocol/errors.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const ROWS = read('src/LIMITS.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| what ') && !line.startsWith('| ---'))
  .map((line) => {
    const cells = line.slice(2, -2).split(' | ');
    const [attacked = '', value = '', setting = '', code = '', metric = '', happens = '', notice = '', test = ''] = cells;
    return { attacked, value, setting: bare(setting), code, metric: bare(metric), happens, notice, test: bare(test), cells: cells.length };
  });

function bare(text: string): string {
  return text.replaceAll('`', '');
}

/** Every limit that the design demands. */
const DEMANDED = [
  'limits.messageBytesMax',
  'limits.messagesPerSecondMax',
  'limits.callsPerSecondMax',
  'limits.topicsPerConnectionMax',
  'limits.connectionsPerUserMax',
  'limits.connectionsPerAddressMax',
  'limits.connectsPerSecondMax',
  'limits.connectionsPerWorkerMax',
];

describe('LIMITS.md', () => {
  it('has every limit that is demanded, and every one of `limits`', () => {
    const named = ROWS.map(({ setting }) => setting);
    expect(named).toEqual(expect.arrayContaining(DEMANDED));
    const all = SETTINGS.map(({ path }) => path).filter((path) => path.startsWith('limits.') && /(Max|Bytes|Ms)$/.test(path));
    expect(named).toEqual(expect.arrayContaining(all));
    expect(new Set(named).size).toBe(named.length);
  });

  it.each(ROWS)('says of $setting what is so', ({ setting, value, code, metric, test, happens, notice, cells }) => {
    expect(cells).toBe(8);
    const known = SETTINGS.find(({ path }) => path === setting);
    expect(known, setting).toBeDefined();
    const [figure] = /^\d+/.exec(value) ?? [];
    if (figure !== undefined) expect(Number(figure)).toBe(known?.shape.default);
    if (/^`/.test(code)) expect(Object.keys(ERROR_KINDS)).toContain(bare(code));
    else if (/^4\d{3}$/.test(code)) expect(Object.values(CLOSE_CODES)).toContain(Number(code));
    else expect(code).toMatch(/^(429|431|503|cut|–)$/);
    // The list there is compared with what a node exposes.
    expect(read('src/OPERATING.md')).toContain(`| \`${metric}\` |`);
    expect(existsSync(join(ROOT, test)), test).toBe(true);
    const name = setting.split('.').at(-1) as string;
    expect(read(test), `${test} tries ${name}`).toContain(name);
    expect(happens.length * notice.length).toBeGreaterThan(0);
  });
});
