import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configReference, withReference } from '../../src/config/reference.ts';
import { SETTINGS } from '../../src/config/settings.ts';

const README = new URL('../../README.md', import.meta.url);

describe('configReference', () => {
  it('is what the README carries (npm run stentor -- config --reference --write README.md brings it up to date)', () => {
    const readme = readFileSync(README, 'utf8');
    expect(readme).toBe(withReference(readme));
  });

  it('has one row a setting, with its variable, bounds, default and description', () => {
    const rows = configReference()
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows).toHaveLength(SETTINGS.length);
    expect(rows).toContain('| `port` | `STENTOR_PORT` | integer 0–65535 | `8080` | port for WebSocket clients; 0: any free one |');
    expect(rows.find((row) => row.startsWith('| `namespaces.<name>.slowConsumer`'))).toContain('replay \\| conflate \\| skip \\| close');
  });

  it('refuses a text without its markers', () => {
    expect(() => withReference('# nothing')).toThrow('config-reference:start');
  });
});
