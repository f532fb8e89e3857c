import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COMMON_END, COMMON_START, configReference, tuningReference, withCommonSettings } from '../../src/config/reference.ts';
import { isTuning, SETTINGS } from '../../src/config/settings.ts';

const rowsOf = (page: string) => page.split('\n').filter((line) => line.startsWith('| `'));
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('configReference', () => {
  it('is the page src/config/REFERENCE.md (npm run docs brings it up to date)', () => {
    expect(read('src/config/REFERENCE.md')).toBe(configReference());
  });

  it('has one row for each setting outside tuning, with its variable, bounds, default and description', () => {
    const rows = rowsOf(configReference());
    expect(rows).toHaveLength(SETTINGS.filter((setting) => !isTuning(setting)).length);
    expect(rows).toContain('| `port` | `STENTOR_PORT` | integer 0–65535 | `8080` | port for WebSocket clients; 0: any free one |');
    expect(rows.find((row) => row.startsWith('| `namespaces.<name>.slowConsumer`'))).toContain('replay \\| conflate \\| skip \\| close');
  });
});

describe('tuningReference', () => {
  it('is the page src/config/TUNING.md (npm run docs brings it up to date)', () => {
    expect(read('src/config/TUNING.md')).toBe(tuningReference());
  });

  it('has one row for each setting in tuning, under the heading of its section', () => {
    expect(rowsOf(tuningReference())).toHaveLength(SETTINGS.filter(isTuning).length);
    for (const part of tuningReference().split(/^## /m).slice(1)) {
      const [section] = part.split('\n');
      const rows = rowsOf(part);
      expect(rows.length, section).toBeGreaterThan(0);
      expect(rows.filter((row) => !row.startsWith(`| \`${section}.`))).toEqual([]);
    }
  });
});

describe('withCommonSettings', () => {
  it('makes the table of the README (npm run docs brings it up to date)', () => {
    const readme = read('README.md');
    expect(readme).toBe(withCommonSettings(readme));
    expect(rowsOf(readme.slice(readme.indexOf(COMMON_START), readme.indexOf(COMMON_END)))).toHaveLength(12);
    expect(readme).toMatch(/^\| `nats\.url` \| empty \| .*memory bus/m);
  });

  it('refuses a text without its markers', () => {
    expect(() => withCommonSettings('# nothing')).toThrow('common-settings:start');
  });
});
