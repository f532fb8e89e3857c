import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { isLoopback } from '../../src/config/relations-listen.ts';
import { problemsOf } from './helpers.ts';

const SECRET = 'a-secret-of-thirty-two-characters!';
const PEM = '-----BEGIN PUBLIC KEY-----';

/** Refused with one problem; returns its path. */
function refusedAt(flags: Record<string, unknown>): string {
  const problems = problemsOf(() => loadConfig({ env: {}, flags }));
  expect(problems).toHaveLength(1);
  return problems[0]?.match(/^[^ :]+/)?.[0] ?? '';
}

function accepted(flags: Record<string, unknown>): boolean {
  loadConfig({ env: {}, flags });
  return true;
}

describe('relations between settings', () => {
  it('the admin listener needs a token where it is not on loopback', () => {
    expect(refusedAt({ 'admin.host': '0.0.0.0' })).toBe('admin.host');
    expect(accepted({ 'admin.host': '0.0.0.0', 'admin.token': 'x'.repeat(16) })).toBe(true);
    expect(accepted({ 'admin.token': 'x' })).toBe(true);
    expect(refusedAt({ 'admin.host': '0.0.0.0', 'admin.token': 'x' })).toBe('admin.token');
    expect(refusedAt({ 'admin.host': '0.0.0.0', 'admin.token': 'x'.repeat(15) })).toBe('admin.token');
    expect(accepted({ 'admin.host': '::1' })).toBe(true);
    expect(['localhost', '127.0.0.1', '127.3.2.1', '::1'].every(isLoopback)).toBe(true);
    expect(['', '::', '10.0.0.1', '127.0.0.1.example.com', '1270.0.0.1'].some(isLoopback)).toBe(false);
  });

  it('the path for WebSockets is not that of other requests', () => {
    expect(refusedAt({ path: '/publish' })).toBe('path');
    expect(accepted({ path: '/publish/ws' })).toBe(true);
  });

  it('both listeners do not share a port, unless each may use any free one', () => {
    expect(refusedAt({ port: 9090 })).toBe('admin.port');
    expect(accepted({ port: 0, 'admin.port': 0 })).toBe(true);
    expect(accepted({ host: '127.0.0.2', port: 9090 })).toBe(true);
  });

  it('an allowed origin is one that a browser can send', () => {
    for (const origin of ['https://a.example/', 'a.example', '*,https://a.example', 'https://a.example,none', 'https://*.example'])
      expect(refusedAt({ allowedOrigins: origin })).toBe('allowedOrigins');
    for (const origin of ['*', 'none', '']) expect(accepted({ allowedOrigins: origin })).toBe(true);
    expect(accepted({ allowedOrigins: 'https://a.example,http://localhost:3000,null,chrome-extension://abc' })).toBe(true);
  });

  it('nats.url lists servers', () => {
    for (const url of ['http://a:1', 'nats://', 'a b', 'a:4222,,b', 'nats://a:4222/x'])
      expect(refusedAt({ 'nats.url': url })).toBe('nats.url');
    expect(accepted({ 'nats.url': 'nats://a:4222, tls://b.example:4222,[::1]:4222,c,d/' })).toBe(true);
    expect(accepted({ 'nats.url': 'tls://u:p@b.example:4222,tls://u:p@c' })).toBe(true);
    expect(refusedAt({ 'nats.url': 'wss://a' })).toBe('nats.url');
  });

  it('there is one way to log in to NATS', () => {
    expect(refusedAt({ 'nats.token': 't', 'nats.user': 'u' })).toBe('nats');
    expect(refusedAt({ 'nats.credsFile': 'f', 'nats.token': 't' })).toBe('nats');
    expect(refusedAt({ 'nats.password': 'p' })).toBe('nats.user');
    expect(refusedAt({ 'nats.passwordFile': 'p' })).toBe('nats.user');
    expect(accepted({ 'nats.user': 'u', 'nats.password': 'p' })).toBe(true);
    expect(accepted({ 'nats.userFile': 'u', 'nats.passwordFile': 'p' })).toBe(true);
    expect(accepted({ 'nats.user': 'u', 'nats.passwordFile': 'p' })).toBe(true);
    const ways = [
      { credsFile: 'f' },
      { nkeySeedFile: 'f' },
      { token: 't' },
      { tokenFile: 'f' },
      { user: 'u' },
      { userFile: 'f' },
      { url: 'nats://u:p@a' },
      { url: 'nats://t@a' },
    ];
    const nats = (way: object) => Object.fromEntries(Object.entries(way).map(([name, value]) => [`nats.${name}`, value]));
    for (const [i, way] of ways.entries()) {
      expect(accepted(nats(way))).toBe(true);
      for (const other of ways.slice(i + 1)) {
        if (!('url' in way)) expect(refusedAt(nats({ ...way, ...other }))).toMatch(/^nats/);
      }
    }
    for (const name of ['user', 'password', 'token']) {
      const user = name === 'password' ? { 'nats.user': 'u' } : {};
      expect(refusedAt({ ...user, [`nats.${name}`]: 'x', [`nats.${name}File`]: 'f' })).toBe(`nats.${name}File`);
    }
    expect(refusedAt({ 'nats.url': 'nats://u:p@a,nats://u:q@b' })).toBe('nats.url');
  });

  it('a login that goes over the network in clear is warned of', () => {
    const warned = (flags: Record<string, unknown>) =>
      loadConfig({ env: {}, flags }).warnings.filter((warning) => warning.includes('in clear text'));
    const [warning] = warned({ 'nats.url': 'nats://127.0.0.1:4222,nats://nats.example:4222', 'nats.token': 't0psecret' });
    expect(warning).toContain('nats.token is sent to nats.example in clear text');
    expect(warning).not.toContain('t0psecret');
    expect(warned({ 'nats.url': 'nats://u:p@10.0.0.1' })).toHaveLength(1);
    expect(warned({ 'nats.url': '[2001:db8::1]:4222', 'nats.user': 'u', 'nats.passwordFile': 'p' })).toHaveLength(1);
    for (const url of ['nats://localhost', '127.0.0.1:4222', 'nats://[::1]:4222', 'tls://nats.example'])
      expect(warned({ 'nats.url': url, 'nats.user': 'u', 'nats.password': 'p' })).toEqual([]);
    expect(warned({ 'nats.url': 'nats://nats.example', 'nats.credsFile': 'f' })).toEqual([]);
    expect(warned({ 'nats.url': 'nats://nats.example' })).toEqual([]);
    expect(warned({ 'nats.url': 'nats://nats.example', 'nats.token': 't', 'nats.tlsCaFile': 'ca' })).toEqual([]);
  });

  it('a client certificate needs its key', () => {
    expect(refusedAt({ 'nats.tlsCertFile': 'c' })).toBe('nats.tlsKeyFile');
    expect(refusedAt({ 'nats.tlsKeyFile': 'k' })).toBe('nats.tlsCertFile');
    expect(accepted({ 'nats.tlsCertFile': 'c', 'nats.tlsKeyFile': 'k' })).toBe(true);
  });

  it('a mirror is a stream beside the one of a durable namespace', () => {
    const scores = (options: object, url = 'nats://a') => ({ 'nats.url': url, namespaces: { scores: options } });
    expect(accepted(scores({ mirror: 'm', mirrorDomain: 'leaf' }))).toBe(true);
    expect(refusedAt(scores({ mirror: 'm' }, ''))).toBe('namespaces.scores.mirror');
    expect(refusedAt(scores({ mirror: 'm', durable: false }))).toBe('namespaces.scores.mirror');
    expect(refusedAt(scores({ mirror: 'a.b' }))).toBe('namespaces.scores.mirror');
    expect(refusedAt(scores({ mirrorDomain: 'leaf' }))).toBe('namespaces.scores.mirrorDomain');
  });

  it('the names of a NATS are names', () => {
    expect(refusedAt({ 'nats.jetstreamDomain': 'a.b' })).toBe('nats.jetstreamDomain');
    expect(refusedAt({ 'nats.jetstreamDomain': 'hub', 'nats.jetstreamApiPrefix': '$JS.hub.API' })).toBe('nats.jetstreamApiPrefix');
    for (const prefix of ['a.', '*', '>', 'a b', 'a..b']) {
      expect(refusedAt({ 'nats.inboxPrefix': prefix })).toBe('nats.inboxPrefix');
      expect(refusedAt({ 'nats.jetstreamApiPrefix': prefix })).toBe('nats.jetstreamApiPrefix');
    }
    expect(accepted({ 'nats.jetstreamApiPrefix': '$JS.hub.API', 'nats.inboxPrefix': '_INBOX_node' })).toBe(true);
  });

  it('replicas need NATS', () => {
    expect(refusedAt({ 'nats.streamReplicas': 3 })).toBe('nats.streamReplicas');
    expect(accepted({ 'nats.streamReplicas': 3, 'nats.url': 'nats://a' })).toBe(true);
  });

  it('an HS256 key has a secret and no public key', () => {
    expect(refusedAt({ 'auth.keys': [{ alg: 'HS256' }] })).toBe('auth.keys[0]');
    expect(refusedAt({ 'auth.keys': [{ alg: 'HS256', secret: SECRET, publicKeyPem: PEM }] })).toBe('auth.keys[0]');
    expect(refusedAt({ 'auth.keys': [{ alg: 'HS256', secret: 'short' }] })).toBe('auth.keys[0].secret');
    expect(accepted({ 'auth.keys': [{ alg: 'HS256', secret: SECRET }] })).toBe(true);
  });

  it.each(['RS256', 'ES256', 'EdDSA'])('an %s key has exactly one public key and no secret', (alg) => {
    expect(refusedAt({ 'auth.keys': [{ alg }] })).toBe('auth.keys[0]');
    expect(refusedAt({ 'auth.keys': [{ alg, secret: SECRET }] })).toBe('auth.keys[0]');
    expect(refusedAt({ 'auth.keys': [{ alg, publicKeyPem: PEM, secret: SECRET }] })).toBe('auth.keys[0]');
    expect(refusedAt({ 'auth.keys': [{ alg, publicKeyPem: PEM, publicKeyFile: 'f' }] })).toBe('auth.keys[0]');
  });

  it('keys of a key set are kept for as long as they are used at least', () => {
    const url = { 'auth.jwksUrl': 'https://id.example/jwks.json' };
    expect(refusedAt({ ...url, 'auth.jwksMaxAgeMs': 2000, 'auth.jwksKeepMs': 1999 })).toBe('auth.jwksKeepMs');
    expect(accepted({ ...url, 'auth.jwksMaxAgeMs': 2000, 'auth.jwksKeepMs': 2000 })).toBe(true);
  });

  it('two keys do not share a kid', () => {
    const key = { alg: 'HS256', secret: SECRET };
    expect(refusedAt({ 'auth.keys': [{ ...key, kid: 'a' }, key, { ...key, kid: 'a' }] })).toBe('auth.keys[2].kid');
    expect(accepted({ 'auth.keys': [{ ...key, kid: 'a' }, { ...key, kid: 'b' }, key, key] })).toBe(true);
  });

  it('a JWKS endpoint is an http URL, with algorithms', () => {
    for (const url of ['ftp://a', 'https://', 'a.example/jwks']) expect(refusedAt({ 'auth.jwksUrl': url })).toBe('auth.jwksUrl');
    expect(refusedAt({ 'auth.jwksUrl': 'https://a/jwks', 'auth.jwksAlgorithms': '' })).toBe('auth.jwksAlgorithms');
    expect(accepted({ 'auth.jwksUrl': 'https://a/jwks' })).toBe(true);
  });

  it('a pong is due before the next ping', () => {
    expect(refusedAt({ 'heartbeat.pingIntervalMs': 5000 })).toBe('tuning.connections.pongTimeoutMs');
    expect(accepted({ 'heartbeat.pingIntervalMs': 5001 })).toBe(true);
  });

  it('there is one namespace at least', () => {
    expect(refusedAt({ namespaces: {} })).toBe('namespaces');
  });

  it('the limits in flight of one connection do not exceed those of all', () => {
    expect(refusedAt({ 'tuning.commands.callsInFlightMax': 31 })).toBe('tuning.commands.callsPerConnectionMax');
    expect(accepted({ 'tuning.commands.callsInFlightMax': 32 })).toBe(true);
    expect(refusedAt({ 'tuning.commands.publishesInFlightMax': 63 })).toBe('tuning.commands.publishesPerConnectionMax');
    expect(accepted({ 'tuning.commands.publishesInFlightMax': 64 })).toBe(true);
    expect(refusedAt({ 'tuning.sending.requestsInFlightMax': 31 })).toBe('tuning.sending.callsPerConnectionMax');
    expect(accepted({ 'tuning.sending.requestsInFlightMax': 32 })).toBe(true);
    expect(refusedAt({ 'tuning.sending.messageBytesMax': 65_537, 'tuning.sending.requestBytesInFlightMax': 65_536 })).toBe(
      'tuning.sending.messageBytesMax',
    );
  });

  it.each([
    ['limits.bytesPerSecondMax', 65_536],
    ['tuning.commands.commandBytesPerConnectionMax', 65_536],
    ['tuning.commands.commandBytesInFlightMax', 4 * 65_536],
  ])('a message fits %s', (bound, bytes) => {
    const small = { workers: 4, 'tuning.commands.commandBytesInFlightMax': 1_000_000 };
    expect(refusedAt({ ...small, [bound]: bytes - 1 })).toBe('limits.messageBytesMax');
    expect(accepted({ ...small, [bound]: bytes })).toBe(true);
  });

  it('answers fit their budgets, and those of a worker fit its link twice', () => {
    expect(refusedAt({ 'tuning.answers.historyPageBytesMax': 200_000, 'tuning.answers.historyBytesMax': 100_000 })).toBe(
      'tuning.answers.historyPageBytesMax',
    );
    expect(refusedAt({ 'tuning.answers.answerBytesPerWorkerMax': 1_048_576 })).toBe('tuning.recovery.recoveryBytesMax');
    expect(refusedAt({ 'tuning.answers.historyBytesMax': 100_000_000 })).toBe('tuning.answers.historyBytesMax');
    expect(refusedAt({ 'tuning.hub.linkQueueBytesMax': 33_554_432 })).toBe('tuning.answers.answerBytesPerWorkerMax');
    expect(accepted({ 'tuning.hub.linkQueueBytesMax': 67_108_864 })).toBe(true);
  });

  it('a payload fits a client’s message where clients publish', () => {
    expect(refusedAt({ 'limits.messageBytesMax': 1000 })).toBe('namespaces.chat.maxPayloadBytes');
    expect(accepted({ 'limits.messageBytesMax': 1000, 'namespaces.chat.clientPublish': false })).toBe(true);
    expect(accepted({ 'limits.messageBytesMax': 1000, 'namespaces.chat.maxPayloadBytes': 1000 })).toBe(true);
  });

  it.each([
    ['limits.sendBufferLimitBytes', 65_536],
    ['tuning.recent.bytesPerTopicMax', 65_536],
    ['namespaces.scores.history.maxBytes', 65_536],
    ['memory.maxBytes', 65_536],
  ])('a payload fits %s', (bound, bytes) => {
    const big = { 'namespaces.scores.maxPayloadBytes': 65_537 };
    expect(refusedAt({ ...big, [bound]: bytes })).toBe('namespaces.scores.maxPayloadBytes');
    expect(accepted({ ...big, [bound]: 65_537 })).toBe(true);
  });

  it('history and memory limits do not apply to what is not kept there', () => {
    const big = { 'namespaces.user.maxPayloadBytes': 65_537, 'memory.maxBytes': 65_536, 'namespaces.user.history.maxBytes': 65_536 };
    expect(accepted(big)).toBe(true);
    expect(accepted({ 'nats.url': 'nats://a', 'namespaces.scores.maxPayloadBytes': 65_537, 'memory.maxBytes': 65_536 })).toBe(true);
  });

  it('documents are kept, have values, and nothing of them is left out', () => {
    const refused = (options: object) => refusedAt({ namespaces: { a: { state: 'document', ...options } } });
    expect(refused({ durable: false })).toBe('namespaces.a.durable');
    expect(refused({ slowConsumer: 'skip' })).toBe('namespaces.a.slowConsumer');
    expect(refused({ payload: 'bytes' })).toBe('namespaces.a.payload');
    expect(accepted({ namespaces: { a: { state: 'document', slowConsumer: 'conflate', payload: 'msgpack' } } })).toBe(true);
  });

  it('so are documents of keys, in keyed namespaces, and while an image replaces the last one both are kept', () => {
    const refused = (options: object) => refusedAt({ namespaces: { a: { state: 'keyed', patch: true, ...options } } });
    expect(refused({ state: 'last' })).toBe('namespaces.a.state');
    expect(refused({ durable: false })).toBe('namespaces.a.durable');
    expect(refused({ slowConsumer: 'skip' })).toBe('namespaces.a.slowConsumer');
    expect(refused({ payload: 'bytes' })).toBe('namespaces.a.payload');
    expect(refused({ history: { maxCount: 1 } })).toBe('namespaces.a.history.maxCount');
    expect(refused({ delta: 'fields' })).toBe('namespaces.a.patch');
    expect(refused({ wildcards: true, topicTokens: 2 })).toBe('namespaces.a.wildcards');
    expect(accepted({ namespaces: { a: { state: 'keyed', patch: true, slowConsumer: 'conflate', history: { maxCount: 2 } } } })).toBe(true);
  });

  it('what changes of a value is kept, is of a value, and nothing of it is left out', () => {
    const refused = (options: object) => refusedAt({ namespaces: { a: { delta: 'fields', ...options } } });
    expect(refused({ durable: false })).toBe('namespaces.a.durable');
    expect(refused({ state: 'document' })).toBe('namespaces.a.state');
    expect(refused({ slowConsumer: 'skip' })).toBe('namespaces.a.slowConsumer');
    expect(refused({ payload: 'bytes' })).toBe('namespaces.a.payload');
    expect(accepted({ namespaces: { a: { delta: 'fields', state: 'keyed', slowConsumer: 'conflate' } } })).toBe(true);
  });

  it('topics are not stale within less than a second', () => {
    expect(refusedAt({ namespaces: { a: { staleAfterMs: 999 } } })).toBe('namespaces.a.staleAfterMs');
    expect(accepted({ namespaces: { a: { staleAfterMs: 1000 }, b: { staleAfterMs: 0 } } })).toBe(true);
  });

  it('only payloads with texts are sanitized', () => {
    expect(refusedAt({ namespaces: { a: { sanitize: 'text', payload: 'bytes' } } })).toBe('namespaces.a.sanitize');
    expect(accepted({ namespaces: { a: { sanitize: 'html', payload: 'msgpack' }, b: { payload: 'bytes' } } })).toBe(true);
  });

  it('a connection lags before it is too slow', () => {
    expect(refusedAt({ 'tuning.fanout.lagThresholdBytes': 1_048_577 })).toBe('tuning.fanout.lagThresholdBytes');
    expect(accepted({ 'tuning.fanout.lagThresholdBytes': 1_048_576 })).toBe(true);
  });

  it('one connection does not get more publishes in flight than the node', () => {
    expect(refusedAt({ 'tuning.commands.publishesInFlightMax': 63 })).toBe('tuning.commands.publishesPerConnectionMax');
    expect(accepted({ 'tuning.commands.publishesInFlightMax': 64 })).toBe(true);
  });

  it('the fan-out’s bounds nest', () => {
    expect(refusedAt({ 'tuning.fanout.loopGapMinMs': 10.5 })).toBe('tuning.fanout.loopGapMinMs');
    expect(accepted({ 'tuning.fanout.loopGapMinMs': 10 })).toBe(true);
    expect(refusedAt({ 'tuning.recent.bytesMax': 4_194_303 })).toBe('tuning.recent.bytesPerTopicMax');
    expect(accepted({ 'tuning.recent.bytesMax': 4_194_304 })).toBe(true);
  });

  it('patterns are not of documents or users, and of keys only with topicTokens', () => {
    const patterns = (options: object, name = 'a') => ({ namespaces: { [name]: { wildcards: true, ...options } } });
    expect(accepted(patterns({}))).toBe(true);
    expect(refusedAt(patterns({ state: 'document' }))).toBe('namespaces.a.wildcards');
    expect(() => accepted(patterns({ state: 'keyed' }))).toThrow(/topicTokens/);
    expect(accepted(patterns({ state: 'keyed', topicTokens: 2 }))).toBe(true);
    expect(refusedAt(patterns({ durable: false }, 'user'))).toBe('namespaces.user.wildcards');
  });

  it('trusted proxies are addresses, and the PROXY protocol needs a node without TLS', () => {
    for (const entry of ['proxy.example', '10.0.0.0/33', '10.0.0.1/', '::1/129', '1.2.3.4/8/8', 'fe80::1%eth0/64'])
      expect(refusedAt({ 'proxies.trusted': [entry] }), entry).toMatch(/^proxies\.trusted/);
    expect(accepted({ 'proxies.trusted': ['10.0.0.0/8', '::1', 'fd00::/8'] })).toBe(true);
    const tls = { 'tls.certFile': '/cert.pem', 'tls.keyFile': '/key.pem' };
    expect(() => accepted({ ...tls, 'proxies.addressFrom': 'proxyProtocol' })).toThrow('proxies.addressFrom');
  });
});
