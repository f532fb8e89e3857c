import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configReference, withCommonSettings } from '../../src/config/reference.ts';
import { SETTINGS } from '../../src/config/settings.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('configReference', () => {
  it('is the page src/config/REFERENCE.md (npm run docs brings it up to date)', () => {
    expect(read('src/config/REFERENCE.md')).toBe(configReference());
  });

  it('has one row a setting, with its variable, bounds, default and description', () => {
    const rows = configReference()
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows).toHaveLength(SETTINGS.length);
    expect(rows).toContain('| `port` | `STENTOR_PORT` | integer 0–65535 | `8080` | port for WebSocket clients; 0: any free one |');
    expect(rows.find((row) => row.startsWith('| `namespaces.<name>.slowConsumer`'))).toContain('replay \\| conflate \\| skip \\| close');
  });
});

describe('withCommonSettings', () => {
  it('makes the table of the README (npm run docs brings it up to date)', () => {
    const readme = read('README.md');
    expect(readme).toBe(withCommonSettings(readme));
    expect(readme).toMatch(/^\| `nats\.url` \| empty \| .*memory bus/m);
  });

  it('refuses a text without its markers', () => {
    expect(() => withCommonSettings('# nothing')).toThrow('common-settings:start');
  });
});
