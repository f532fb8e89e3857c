import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { problemsOf, tempFile } from './helpers.ts';

const SECRET = 'a-secret-of-thirty-two-characters!';

describe('loadConfig: precedence', () => {
  it('returns the defaults if nothing is set', () => {
    const { config } = loadConfig({ env: {} });
    expect(config).toMatchObject({
      port: 8080,
      path: '/ws',
      workers: 1,
      nats: { url: '' },
      tuning: { nats: { requestTimeoutMs: 5000 } },
      allowedOrigins: [],
    });
    expect(config.namespaces.scores).toMatchObject({
      durable: true,
      public: true,
      state: 'last',
      payload: 'json',
      history: { maxCount: 10_000 },
    });
    expect(config.namespaces.ticks).toMatchObject({
      state: 'keyed',
      slowConsumer: 'conflate',
      history: { maxCount: 1000, maxAgeMs: 86_400_000 },
    });
    expect(config.namespaces.chat).toMatchObject({ clientPublish: true, public: false, history: { maxCount: 1000 } });
    expect(config.namespaces.user).toMatchObject({ durable: false, slowConsumer: 'replay', maxPayloadBytes: 65_536 });
  });

  it('lets the environment override the file, and flags override both', () => {
    const file = tempFile('stentor.yaml', 'port: 1001\nworkers: 2\nnats:\n  url: nats://file:4222\n  user: u\n');
    const env = { STENTOR_WORKERS: '3', STENTOR_NATS_URL: 'nats://env:4222' };
    const { config } = loadConfig({ file, env, flags: { 'nats.url': 'nats://flag:4222', workers: undefined } });
    expect(config).toMatchObject({ port: 1001, workers: 3, nats: { url: 'nats://flag:4222', user: 'u', streamReplicas: 1 } });
  });

  it('reads the file that STENTOR_CONFIG names, unless one is given', () => {
    const named = tempFile('a.yaml', 'port: 1001');
    const given = tempFile('b.json', '{"port": 1002}');
    expect(loadConfig({ env: { STENTOR_CONFIG: named } }).config.port).toBe(1001);
    expect(loadConfig({ file: given, env: { STENTOR_CONFIG: named } }).config.port).toBe(1002);
  });

  it('applies a base below the file', () => {
    const base = { 'log.pretty': true, port: 1000 };
    const file = tempFile('a.yaml', 'port: 1001');
    expect(loadConfig({ file, env: {}, base }).config).toMatchObject({ port: 1001, log: { pretty: true, level: 'info' } });
    expect(loadConfig({ env: { STENTOR_LOG_PRETTY: 'false' }, base }).config.log.pretty).toBe(false);
  });

  it('reads an empty file, and a name with nothing after it, as not set', () => {
    expect(loadConfig({ file: tempFile('a.yaml', '# nothing\n'), env: {} }).config.port).toBe(8080);
    const { config } = loadConfig({ file: tempFile('b.yaml', 'port:\nnats:\nnamespaces:\n  news:\n'), env: {} });
    expect(config.port).toBe(8080);
    expect(config.tuning.nats.requestTimeoutMs).toBe(5000);
    expect(config.namespaces.news).toMatchObject({ durable: true });
  });

  it('is frozen all the way down', () => {
    const { config } = loadConfig({ env: {} });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.namespaces.ticks?.history)).toBe(true);
    expect(Object.isFrozen(config.allowedOrigins)).toBe(true);
  });
});

describe('loadConfig: namespaces', () => {
  it('replaces the built-in ones by those in the config, with defaults for each', () => {
    const { config } = loadConfig({ file: tempFile('a.yaml', 'namespaces:\n  news: {history: {maxCount: 5}}\n'), env: {} });
    expect(Object.keys(config.namespaces)).toEqual(['news']);
    expect(config.namespaces.news).toMatchObject({ durable: true, history: { maxCount: 5, maxAgeMs: 86_400_000 }, flushIntervalMs: 0 });
  });

  it('replaces the file’s by STENTOR_NAMESPACES, as JSON or YAML', () => {
    const file = tempFile('a.yaml', 'namespaces: {news: {}}');
    expect(Object.keys(loadConfig({ file, env: { STENTOR_NAMESPACES: '{"odds":{"state":"keyed"}}' } }).config.namespaces)).toEqual([
      'odds',
    ]);
    expect(loadConfig({ env: { STENTOR_NAMESPACES: 'odds:\n  state: keyed\n' } }).config.namespaces.odds?.state).toBe('keyed');
  });

  it('changes one option of a namespace, built-in or not, and keeps the others', () => {
    const env = { STENTOR_NAMESPACES__chat__PUBLIC: 'true', STENTOR_NAMESPACES__ticks__HISTORY_MAX_COUNT: '3' };
    const { config } = loadConfig({ env, flags: { 'namespaces.ticks.state': 'last' } });
    expect(Object.keys(config.namespaces)).toEqual(['scores', 'ticks', 'chat', 'user']);
    expect(config.namespaces.chat).toMatchObject({ public: true, clientPublish: true });
    expect(config.namespaces.ticks).toMatchObject({ state: 'last', slowConsumer: 'conflate', history: { maxCount: 3 } });
  });

  it('applies STENTOR_NAMESPACES before options of one namespace, in any order of the variables', () => {
    const env = { STENTOR_NAMESPACES__a__PUBLIC: 'true', STENTOR_NAMESPACES: '{"a":{"state":"keyed"}}' };
    expect(loadConfig({ env }).config.namespaces.a).toMatchObject({ state: 'keyed', public: true });
  });

  it('uses names with underscores and dashes unchanged', () => {
    const env = { STENTOR_NAMESPACES__a___DURABLE: 'false', 'STENTOR_NAMESPACES__b-c__d__HISTORY_MAX_AGE_MS': '5000' };
    const { namespaces } = loadConfig({ env }).config;
    expect(namespaces.a_?.durable).toBe(false);
    expect(namespaces['b-c__d']?.history.maxAgeMs).toBe(5000);
  });

  it('has only the configured namespaces: properties of Object.prototype are none', () => {
    const { namespaces } = loadConfig({ env: {} }).config;
    expect(namespaces.constructor).toBeUndefined();
    const named = loadConfig({ env: { STENTOR_NAMESPACES: '{"__proto__":{"state":"keyed"}}' } }).config.namespaces;
    expect(Object.entries(named)).toMatchObject([['__proto__', { state: 'keyed' }]]);
    expect(loadConfig({ env: {}, flags: { 'namespaces.__proto__.state': 'keyed' } }).config.namespaces.scores?.state).toBe('last');
    expect(({} as { state?: string }).state).toBeUndefined();
  });
});

describe('loadConfig: texts are converted to the types of the schema', () => {
  it('reads numbers, booleans, lists and maps from the environment', () => {
    const { config } = loadConfig({
      env: {
        STENTOR_PORT: ' 0 ',
        STENTOR_LOG_PRETTY: '1',
        STENTOR_NATS_MANAGE_STREAMS: 'false',
        STENTOR_ALLOWED_ORIGINS: 'https://a.example, https://b.example',
        STENTOR_AUTH_JWKS_ALGORITHMS: '["RS256"]',
        STENTOR_AUTH_KEYS: `[{"alg":"HS256","secret":"${SECRET}"}]`,
      },
    });
    expect(config).toMatchObject({
      port: 0,
      log: { pretty: true },
      nats: { manageStreams: false },
      allowedOrigins: ['https://a.example', 'https://b.example'],
      auth: { jwksAlgorithms: ['RS256'], keys: [{ alg: 'HS256', secret: SECRET }] },
    });
  });

  it('reads an empty variable as not set, unless the setting is a text', () => {
    const file = tempFile('a.yaml', 'port: 1001\nnats: {url: "nats://file:4222"}\n');
    const { config } = loadConfig({ file, env: { STENTOR_PORT: '', STENTOR_NATS_URL: '' } });
    expect(config).toMatchObject({ port: 1001, nats: { url: '' } });
  });

  it('ignores variables of others, and those that Kubernetes adds, with a warning', () => {
    const { config, warnings } = loadConfig({
      env: {
        PATH: '/bin',
        STENTORIAN: 'x',
        STENTOR_PORT: 'tcp://10.0.0.1:8080',
        STENTOR_SERVICE_HOST: '10.0.0.1',
        STENTOR_PORT_8080_TCP_ADDR: '10.0.0.1',
        STENTOR_ADMIN_SERVICE_PORT_HTTP: '9090',
      },
    });
    expect(config.port).toBe(8080);
    expect(warnings.filter((warning) => warning.includes('Kubernetes'))).toHaveLength(4);
  });
});

describe('loadConfig: refusals', () => {
  it('names the path, the value, where it was set and what was expected', () => {
    expect(problemsOf(() => loadConfig({ env: { STENTOR_TUNING_NATS_REQUEST_TIMEOUT_MS: 'soon' } }))).toEqual([
      'tuning.nats.requestTimeoutMs = "soon" (STENTOR_TUNING_NATS_REQUEST_TIMEOUT_MS): expected a whole number from 100 to 60000',
    ]);
    const file = tempFile('stentor.yaml', 'port: 70000\n');
    expect(problemsOf(() => loadConfig({ file, env: {} }))).toEqual([`port = 70000 (${file}): expected a whole number from 0 to 65535`]);
    expect(problemsOf(() => loadConfig({ env: {}, flags: { 'log.level': 'loud' } }))).toEqual([
      'log.level = "loud" (flag): expected one of trace, debug, info, warn, error, fatal, silent',
    ]);
  });

  it('names every problem at once, with a stable code', () => {
    const file = tempFile('stentor.yaml', 'port: many\nworkers: -1\nnats: {url: 5}\nnamespaces: {scores: {payload: xml}}\n');
    const problems = problemsOf(() => loadConfig({ file, env: { STENTOR_LOG_PRETTY: 'maybe' } }));
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'port',
      'workers',
      'nats.url',
      'log.pretty',
      'namespaces.scores.payload',
    ]);
    expect(() => loadConfig({ file, env: {} })).toThrow(expect.objectContaining({ code: 'bad_config', name: 'ConfigError' }));
  });

  it('refuses unknown names with the nearest known one', () => {
    const file = tempFile('stentor.yaml', 'nats: {uri: x}\nnamespaces: {scores: {durrable: true}}\nprot: 1\n');
    expect(problemsOf(() => loadConfig({ file, env: { STENTOR_NATS_URI: 'x' }, flags: { 'nats.ur': 'x' } }))).toEqual([
      'STENTOR_NATS_URI: no such setting; did you mean STENTOR_NATS_URL?',
      'nats.ur: no such setting; did you mean nats.url?',
      'prot: no such setting; did you mean port?',
      'nats.uri: no such setting; did you mean nats.url?',
      'namespaces.scores.durrable: no such setting; did you mean namespaces.scores.durable?',
    ]);
  });

  it('refuses a right name in the wrong place with the place where it is', () => {
    const file = tempFile(
      'stentor.yaml',
      'limits: {keysPerTopicMax: 64}\nfanout: {pacingPeriodMaxMs: 1}\nheartbeat: {connectTimeoutMs: 1000}\n',
    );
    const env = { STENTOR_LIMITS_KEYS_PER_TOPIC_MAX: '64', STENTOR_NATS_CONNECT_TIMEOUT_MS: '1000' };
    expect(problemsOf(() => loadConfig({ file, env, flags: { 'nats.readsWaitingMax': 1 } }))).toEqual([
      'STENTOR_LIMITS_KEYS_PER_TOPIC_MAX: no such setting; did you mean STENTOR_TUNING_RECENT_KEYS_PER_TOPIC_MAX?',
      'STENTOR_NATS_CONNECT_TIMEOUT_MS: no such setting; did you mean STENTOR_TUNING_CONNECTIONS_CONNECT_TIMEOUT_MS or STENTOR_TUNING_NATS_CONNECT_TIMEOUT_MS?',
      'nats.readsWaitingMax: no such setting; did you mean tuning.nats.readsWaitingMax?',
      'fanout: no such setting; did you mean tuning.fanout?',
      'heartbeat.connectTimeoutMs: no such setting; did you mean tuning.connections.connectTimeoutMs or tuning.nats.connectTimeoutMs?',
      'limits.keysPerTopicMax: no such setting; did you mean tuning.recent.keysPerTopicMax?',
    ]);
  });

  it('refuses a flag for a whole section', () => {
    expect(problemsOf(() => loadConfig({ env: {}, flags: { 'tuning.fanout': 1, nats: '{}' } }))).toEqual([
      'tuning.fanout: a section, not a setting; `stentor config --reference` and `stentor config --tuning` list them',
      'nats: a section, not a setting; `stentor config --reference` and `stentor config --tuning` list them',
    ]);
  });

  it('refuses a namespace with a name that is no token', () => {
    const [problem] = problemsOf(() => loadConfig({ env: { STENTOR_NAMESPACES: '{"a.b":{}}' } }));
    expect(problem).toContain('namespaces.a.b: expected a name matching');
  });

  it('refuses a value where a map belongs, and a map where a value belongs', () => {
    const file = tempFile('stentor.yaml', 'limits: 5\nport: {a: 1}\n');
    expect(problemsOf(() => loadConfig({ file, env: { STENTOR_TUNING_RECENT_KEYS_PER_TOPIC_MAX: '64' } }))).toEqual([
      `port = a map (${file}): expected a whole number from 0 to 65535`,
      `limits = 5 (${file}): expected a map`,
    ]);
  });

  it('says what is missing in an auth key', () => {
    const [problem] = problemsOf(() => loadConfig({ env: { STENTOR_AUTH_KEYS: `[{"secret":"${SECRET}"}]` } }));
    expect(problem).toBe('auth.keys[0].alg: missing: expected one of HS256, RS256, ES256, EdDSA');
  });

  it('never shows a secret, even an invalid, misplaced or unreadable one', () => {
    const file = tempFile('stentor.yaml', 'nats: {password: [hunter2]}\nadmin: hunter2\npaswort: hunter2\n');
    const env = { STENTOR_AUTH_KEYS: '[{alg: HS256, secret: hunter2', STENTOR_ADMIN_PORT: 'x' };
    const text = problemsOf(() => loadConfig({ file, env })).join('\n');
    expect(text).toContain('nats.password = (redacted)');
    expect(text).toContain('admin = (redacted)');
    expect(text).toContain('auth.keys = (redacted) (STENTOR_AUTH_KEYS): expected a list of maps, at most 32');
    expect(text).not.toContain('hunter2');
  });

  it('shows no credentials of a URL', () => {
    const [problem] = problemsOf(() => loadConfig({ env: { STENTOR_NATS_URL: 'nats://bob:hunter2@nats:4222,http://nope' } }));
    expect(problem).toContain('nats.url = "nats://(redacted)@nats:4222,http://nope" (STENTOR_NATS_URL)');
  });

  it('refuses a file that cannot be read, is no YAML or JSON, or is no map, without quoting it', () => {
    expect(problemsOf(() => loadConfig({ file: '/nowhere/stentor.yaml', env: {} }))).toEqual([
      '/nowhere/stentor.yaml: cannot be read (ENOENT)',
    ]);
    const yaml = tempFile('a.yaml', 'nats:\n  password: "hunter2\n');
    expect(problemsOf(() => loadConfig({ file: yaml, env: {} }))[0]).toMatch(
      /a\.yaml: not valid YAML at line 3, column 1 \(missing char\)$/,
    );
    const alias = tempFile('b.yaml', 'nats: {password: *hunter2}\n');
    expect(problemsOf(() => loadConfig({ file: alias, env: {} }))[0]).toMatch(/not valid YAML \(an alias/);
    const json = tempFile('c.json', '{"nats":{"password":hunter2}}');
    expect(problemsOf(() => loadConfig({ file: json, env: {} }))[0]).toMatch(/c\.json: not valid JSON$/);
    expect(problemsOf(() => loadConfig({ file: tempFile('d.yaml', '- 1\n'), env: {} }))[0]).toContain(
      'expected a map of settings, not a list',
    );
  });

  it('handles a YAML file whose value contains itself', () => {
    const file = tempFile('a.yaml', 'port: &loop [*loop]\nnamespaces: &n {a: *n}\n');
    expect(problemsOf(() => loadConfig({ file, env: {} }))[0]).toContain('port = a list');
  });

  it('exports an error that programs can tell by its class', () => {
    expect(() => loadConfig({ env: { STENTOR_PORT: 'x' } })).toThrow(ConfigError);
  });
});
