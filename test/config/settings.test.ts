import { describe, expect, it } from 'vitest';
import { describeType } from '../../src/config/describe.ts';
import { loadConfig } from '../../src/config/load.ts';
import { namespaceOptions } from '../../src/config/namespaces.ts';
import { editDistance, nearest } from '../../src/config/nearest.ts';
import { redactConfig } from '../../src/config/redact.ts';
import { SETTINGS, settingAt } from '../../src/config/settings.ts';

const SECRET = 'a-secret-of-thirty-two-characters!';

describe('settings', () => {
  it('give every path one variable, and no variable to two paths', () => {
    expect(new Set(SETTINGS.map(({ envName }) => envName)).size).toBe(SETTINGS.length);
    expect(new Set(SETTINGS.map(({ path }) => path)).size).toBe(SETTINGS.length);
    for (const { envName } of SETTINGS) expect(envName).toMatch(/^STENTOR(_[A-Z0-9]+)+(__<name>__[A-Z0-9]+(_[A-Z0-9]+)*)?$/);
  });

  it('have the variables that everyone reaches for', () => {
    const names = Object.fromEntries(SETTINGS.map(({ path, envName }) => [path, envName]));
    expect(names).toMatchObject({
      port: 'STENTOR_PORT',
      'admin.port': 'STENTOR_ADMIN_PORT',
      'nats.url': 'STENTOR_NATS_URL',
      workers: 'STENTOR_WORKERS',
      'tuning.nats.requestTimeoutMs': 'STENTOR_TUNING_NATS_REQUEST_TIMEOUT_MS',
      namespaces: 'STENTOR_NAMESPACES',
      'namespaces.<name>.history.maxCount': 'STENTOR_NAMESPACES__<name>__HISTORY_MAX_COUNT',
    });
    expect(names).not.toHaveProperty('nats');
  });

  it('all have a description', () => {
    expect(SETTINGS.filter(({ shape }) => !shape.description)).toEqual([]);
  });

  it('are all of kinds that texts can be turned into; only namespaces is a map', () => {
    expect(SETTINGS.filter(({ shape }) => describeType(shape) === 'map').map(({ path }) => path)).toEqual(['namespaces']);
  });

  it('are set by their variable and by their path alike', () => {
    for (const { path, envName, shape } of SETTINGS) {
      if ((shape.type !== 'integer' && shape.type !== 'number') || shape.minimum === undefined) continue;
      const concrete = path.replace('<name>', 'scores');
      const text = String(shape.minimum);
      const read = (config: unknown) => concrete.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], config);
      const outcomes = [{ env: { [envName.replace('<name>', 'scores')]: text } }, { env: {}, flags: { [concrete]: text } }].map(
        (sources) => {
          try {
            return read(loadConfig(sources).config);
          } catch (error) {
            // Some least values contradict another setting's default; what matters is that the value arrived.
            return String(error).replace(/ \([^)]*\)/g, '');
          }
        },
      );
      expect(outcomes[0]).toEqual(outcomes[1]);
    }
  });

  it('are found by a concrete path', () => {
    expect(settingAt('namespaces.chat.history.maxCount')?.path).toBe('namespaces.<name>.history.maxCount');
    expect(settingAt('nats')).toBeUndefined();
    expect(settingAt('namespaces.chat')).toBeUndefined();
    expect(settingAt('__proto__.x')).toBeUndefined();
  });
});

describe('redactConfig', () => {
  it('hides every secret that is set, and credentials in URLs, and shows the rest', () => {
    const { config } = loadConfig({
      env: {},
      flags: {
        'admin.token': 'hunter2',
        'nats.user': 'bob',
        'nats.password': 'hunter2',
        'auth.keys': [{ kid: 'k1', alg: 'HS256', secret: SECRET }],
      },
    });
    const shown = redactConfig(config);
    expect(JSON.stringify(shown)).not.toMatch(/hunter2|a-secret/);
    expect(shown).toMatchObject({
      port: 8080,
      admin: { token: '(redacted)' },
      nats: { user: 'bob', password: '(redacted)', token: '', url: '' },
      auth: { keys: [{ kid: 'k1', alg: 'HS256', secret: '(redacted)' }] },
      namespaces: { scores: { durable: true } },
    });
    const url = 'nats://bob:hunter2@a:4222,bob:hunter2@b';
    expect(redactConfig(loadConfig({ env: {}, flags: { 'nats.url': url } }).config)).toMatchObject({
      nats: { url: 'nats://(redacted)@a:4222,(redacted)@b' },
    });
  });
});

describe('namespaceOptions', () => {
  it('finds no namespace in properties that every object has, also after a round trip as JSON', () => {
    const config = JSON.parse(JSON.stringify(loadConfig({ env: {} }).config));
    expect(namespaceOptions(config, 'scores')?.durable).toBe(true);
    expect(namespaceOptions(config, 'constructor')).toBeUndefined();
    expect(namespaceOptions(config, '__proto__')).toBeUndefined();
  });
});

describe('nearest', () => {
  it('counts single-letter edits', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('same', 'same')).toBe(0);
  });

  it('suggests a similar name, and none if none is similar', () => {
    expect(nearest('prot', ['port', 'path'])).toBe('port');
    expect(nearest('PORT', ['port', 'path'])).toBe('port');
    expect(nearest('zzzzzz', ['port', 'path'])).toBeUndefined();
  });
});
